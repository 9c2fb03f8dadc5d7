"""What is known of the landmark of each query, to see where a model fails.

Where it is, since when, in which style, and whether training has it too. A landmark counts under
each of its countries and styles; where nothing is known it is `UNKNOWN_TRAIT`.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from hgld.benchmarks.retrieval.config import TRAIT_TABLES
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.results import shown_level
from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, LANDMARK_LABELS, OVERLAP, of_split

CENTURY = "century"
SEEN = "seen in training"
UNKNOWN_TRAIT = "unknown"
Trait = Sequence[Sequence[str]]
"""The labels of each query, (Q,)."""
_COLUMNS = [
    *("split", "landmark_id", "continent", "countries", "country_qid", "country"),
    *("inception_year", "style_names"),
]


def trait_tables(workspace: Workspace) -> tuple[Dataset, ...]:
    """Returns those of `TRAIT_TABLES` that a build has."""
    done = workspace.manifest(LANDMARK_LABELS.stage)
    return tuple(one for one in TRAIT_TABLES if done and one.path in done.outputs)


def traits_of(protocol: Protocol) -> dict[str, Trait]:
    """Returns by what queries are told apart, by what it is called.

    Returns:
        Of a build `SEEN`, `continent`, `country`, `CENTURY` and `style`, as far as its tables are
        there; and the level above the finest, if there are labels.
    """
    found = dict[str, Trait]()
    if (build := protocol.build) is not None:
        rows = build.read(ANNOTATIONS["test"], ["image_id", "landmark_id"])
        places = pc.index_in(protocol.queries.image_ids, value_set=rows["image_id"])
        landmarks, there = rows["landmark_id"].take(places), trait_tables(build)
        if OVERLAP in there:
            both = build.read(OVERLAP, ["index_landmark_id"])["index_landmark_id"]
            found[SEEN] = [
                ["yes" if one else "no"] for one in pc.is_in(landmarks, both).to_pylist()
            ]
        if LANDMARK_LABELS in there:
            found |= _traits_of_facts(build.read(LANDMARK_LABELS, _COLUMNS), landmarks)
    if level := shown_level(protocol.queries.levels):
        found[level.title] = [[label] for label in protocol.shown_labels()]
    return found


def century_of(year: int) -> str:
    """Returns the century of a year; -1 is 1 BCE, and there is no year 0.

    Example:
        >>> [century_of(year) for year in (-101, -100, 1, 100, 1163, 1900, 1901, 2023)]
        ['2nd BCE', '1st BCE', '1st', '1st', '12th', '19th', '20th', '21st']
    """
    number = (abs(year) + 99) // 100
    ends = {} if number // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{ends.get(number % 10, 'th')}{' BCE' if year < 0 else ''}"


def century_place(label: str) -> int:
    """Returns a number that orders what `century_of` returns by time.

    Example:
        >>> sorted(["12th", "3rd", "2nd BCE", "5th BCE"], key=century_place)
        ['5th BCE', '2nd BCE', '3rd', '12th']
    """
    number = int("".join(filter(str.isdecimal, label)))
    return -number if label.endswith("BCE") else number


def _traits_of_facts(table: pa.Table, landmarks: pa.ChunkedArray) -> dict[str, Trait]:
    """Returns what rows of LANDMARK_LABELS say of the landmark of each query, (Q,)."""
    # A landmark of several countries has only their Q-ids: the names are those of others.
    names = dict(zip(table["country_qid"].to_pylist(), table["country"].to_pylist(), strict=True))
    index, none = of_split(table, "index"), [UNKNOWN_TRAIT]
    rows = index.take(pc.index_in(landmarks, value_set=index["landmark_id"])).to_pylist()
    lands = [[names.get(qid) or qid for qid in row["countries"] or ()] for row in rows]
    years = [row["inception_year"] for row in rows]
    return {
        "continent": [[row["continent"] or UNKNOWN_TRAIT] for row in rows],
        "country": [one or none for one in lands],
        CENTURY: [none if year is None else [century_of(year)] for year in years],
        "style": [row["style_names"] or none for row in rows],
    }
