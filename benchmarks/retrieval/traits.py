"""What is known of the landmark of each query, to see where a model fails.

Where it is, since when, in which style, and whether training has it too. A landmark counts under
each of its countries and styles; where nothing is known it is `UNKNOWN_TRAIT`.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.overlap import revisited_buildings
from hgld.benchmarks.retrieval.config import knows_landmarks
from hgld.benchmarks.retrieval.protocol import Protocol, tables_of
from hgld.benchmarks.retrieval.results import shown_level
from hgld.engine.workspace import Workspace
from hgld.tables import LANDMARK_LABELS, OVERLAP, of_split

CENTURY = "century"
SEEN = "seen in training"
UNKNOWN_TRAIT = "unknown"
Trait = Sequence[Sequence[str]]
"""The labels of each query, (Q,)."""
_COLUMNS = [
    *("split", "landmark_id", "continent", "countries", "country_qid", "country"),
    *("inception_year", "inception_precision", "style_names"),
]


def traits_of(protocol: Protocol, workspace: Workspace) -> dict[str, Trait]:
    """Returns by what queries are told apart, by what it is called.

    Args:
        protocol: queries and index.
        workspace: the build, or where the runs lie; where it knows nothing of landmarks
            (`knows_landmarks`), nothing is said of them.

    Returns:
        Of a build `SEEN`, `continent`, `country`, `CENTURY` and `style`, of Revisited Oxford and
        Paris `SEEN`; and the level above the finest, if there are labels.
    """
    found = dict[str, Trait]()
    if knows_landmarks(workspace):
        if protocol.build is not None:
            found = _traits_of_build(protocol.build, protocol.hierarchy, protocol.queries.image_ids)
        elif protocol.data is not None and protocol.data.truths:
            found[SEEN] = _seen_buildings(workspace, protocol.queries.image_ids.to_pylist())
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


def _seen_buildings(workspace: Workspace, image_ids: Sequence[str]) -> Trait:
    """Returns whether a train landmark is at the building of each query of Revisited, (Q,)."""
    seen = set(workspace.read(OVERLAP, ["building"])["building"].to_pylist())
    buildings = revisited_buildings()["building"].to_pylist()
    labels = {name: "yes" if name in seen else "no" for name in buildings}
    names = [one.removeprefix("paris_").rpartition("_")[0] for one in image_ids]
    return [[labels.get(name, UNKNOWN_TRAIT)] for name in names]


def _traits_of_build(
    build: Workspace, hierarchy: str, image_ids: pa.StringArray
) -> dict[str, Trait]:
    columns = ["image_id", "landmark_id"]
    rows = pa.concat_tables(build.read(one["test"], columns) for one in tables_of(hierarchy))
    landmarks = rows["landmark_id"].take(pc.index_in(image_ids, value_set=rows["image_id"]))
    both = build.read(OVERLAP, ["index_landmark_id"])["index_landmark_id"]
    table = build.read(LANDMARK_LABELS, _COLUMNS)
    # A landmark of several countries has only their Q-ids: the names are those of others.
    names = dict(zip(table["country_qid"].to_pylist(), table["country"].to_pylist(), strict=True))
    index, none = of_split(table, "index"), [UNKNOWN_TRAIT]
    rows = index.take(pc.index_in(landmarks, value_set=index["landmark_id"])).to_pylist()
    lands = [[names.get(qid) or qid for qid in row["countries"] or ()] for row in rows]
    # A decade has the year before its first in the century before.
    years = [
        row["inception_year"] and row["inception_year"] + (row["inception_precision"] == "decade")
        for row in rows
    ]
    return {
        SEEN: [["yes" if one else "no"] for one in pc.is_in(landmarks, both).to_pylist()],
        "continent": [[row["continent"] or UNKNOWN_TRAIT] for row in rows],
        "country": [one or none for one in lands],
        CENTURY: [none if year is None else [century_of(year)] for year in years],
        "style": [row["style_names"] or none for row in rows],
    }
