"""What is known of the landmark of each query, to see where a model fails.

Where it is, since when, in which style, and whether training has it too. A landmark of several
countries or styles counts in each of them; one without any is `UNKNOWN_TRAIT`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.config import TRAIT_TABLES
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.results import shown_level
from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, LANDMARK_LABELS, OVERLAP, of_split

CENTURY = "century"
SEEN = "seen in training"
UNKNOWN_TRAIT = "unknown"
_COLUMNS = (
    *("split", "landmark_id", "continent", "countries", "country_qid", "country"),
    *("inception_year", "style_names"),
)


class Trait(NamedTuple):
    """By what queries are told apart: a pair of a query and a label for each that it has."""

    queries: NDArray[np.int64]
    """(n,), positions."""
    labels: list[str]
    """(n,)"""


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
    found = {}
    if protocol.build is not None:
        found = _traits_of_build(protocol.build, protocol.queries.image_ids)
    if level := shown_level(protocol.queries.levels):
        found[level.title] = Trait(np.arange(len(protocol.queries)), protocol.shown_labels())
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


def _traits_of_build(workspace: Workspace, image_ids: pa.StringArray) -> dict[str, Trait]:
    rows = workspace.read(ANNOTATIONS["test"], ["image_id", "landmark_id"])
    landmarks = rows["landmark_id"].take(pc.index_in(image_ids, value_set=rows["image_id"]))
    found, there = dict[str, Trait](), trait_tables(workspace)
    if OVERLAP in there:
        both = workspace.read(OVERLAP, ["index_landmark_id"])["index_landmark_id"]
        is_seen = pc.is_in(landmarks, value_set=both).to_pylist()
        found[SEEN] = _trait([["yes" if one else "no"] for one in is_seen])
    if LANDMARK_LABELS in there:
        found |= _traits_of_facts(workspace.read(LANDMARK_LABELS, [*_COLUMNS]), landmarks)
    return found


def _traits_of_facts(table: pa.Table, landmarks: pa.Array) -> dict[str, Trait]:
    """Returns what rows of LANDMARK_LABELS say of the landmark of each query, (Q,)."""
    # A landmark of several countries has only their Q-ids: the names are those of others.
    names = dict(zip(table["country_qid"].to_pylist(), table["country"].to_pylist(), strict=True))
    index = of_split(table, "index")
    rows = index.take(pc.index_in(landmarks, value_set=index["landmark_id"])).to_pylist()
    years = [row["inception_year"] for row in rows]
    labels: dict[str, list[list[str]]] = {
        "continent": [[one] if (one := row["continent"]) else [] for row in rows],
        "country": [[names.get(qid) or qid for qid in row["countries"] or []] for row in rows],
        CENTURY: [[] if year is None else [century_of(year)] for year in years],
        "style": [row["style_names"] or [] for row in rows],
    }
    return {title: _trait(each) for title, each in labels.items()}


def _trait(labels: Sequence[Sequence[str]]) -> Trait:
    """Returns a trait by the labels of each query, (Q,)."""
    pairs = [(query, one) for query, own in enumerate(labels) for one in {*own} or {UNKNOWN_TRAIT}]
    return Trait(np.array([query for query, _ in pairs], np.int64), [label for _, label in pairs])
