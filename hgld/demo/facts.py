"""The embedded landmarks and the decisions on their classes.

`landmarks.csv` has one famous landmark per row: its name, its Commons category as in GLDv2, its
Q-id, and the Q-ids of classes that it is an instance of (P31). `classes.csv` has the English label
of each class, and `decisions.jsonl` a decision on each. Those on the classes of some 15 groups are
`left_open` in a build, for whoever tries the review; what is proposed for them gives the same
labels. The classes come from Wikidata at the time
of writing and are not always complete; a live scrape finds today's. Q-ids, labels and statements
are Wikidata's (CC0). `hierarchical_label` is the super-category that the rule gives (a test checks
this), and determines what is drawn.

`places.csv` has where each of them is, to about a hundredth of a degree, the smallest place or the
countries that it lies in, since when and in which style, and `regions.csv` those places, countries,
continents and styles. A row's `source`, explained in `sources.csv`, is where its coordinates were
read: for 267 rows an extract from Wikidata, for 25 a list that names Wikipedia's articles, for 17
the article itself or a copy of it, for 11 UNESCO's list, for 15 another list, page or package. Only
the Inca roads, which have none, are `by hand`, and so is all else in both files, which are no copy
of Wikidata's statements. Coordinates within 0.02 degrees of the source's, or of a river within
0.05, stay as they were written down in December 2026; twelve others became the source's.

The landmark ids are the demo's own, not GLDv2's: from 1 in the train space, from 10001 in the index
space. As in GLDv2, no landmark is in both spaces, but most super-categories are.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLandmark:
    """One row of `landmarks.csv`."""

    landmark_id: int
    split: str
    """`train` or `index`."""
    name: str
    category: str
    """Commons category URL."""
    qid: str
    class_qids: tuple[str, ...]
    hierarchical_label: str


@cache
def landmarks() -> tuple[DemoLandmark, ...]:
    """Returns all landmarks, sorted by split and id."""
    return tuple(
        DemoLandmark(
            landmark_id=int(row.pop("landmark_id")),
            class_qids=tuple(row.pop("class_qids").split()),
            **row,
        )
        for row in csv.DictReader(io.StringIO(_text("landmarks.csv")))
    )


@cache
def class_labels() -> dict[str, str]:
    """Returns the English label of each class, by Q-id."""
    return {row["class_qid"]: row["class_label"] for row in _classes()}


@cache
def places() -> tuple[dict[str, str], ...]:
    """Returns the rows of `places.csv`, one for each landmark."""
    return tuple(csv.DictReader(io.StringIO(_text("places.csv"))))


@cache
def regions() -> dict[str, dict[str, str]]:
    """Returns the rows of `regions.csv`, by Q-id."""
    return {row["qid"]: row for row in csv.DictReader(io.StringIO(_text("regions.csv")))}


def open_classes() -> set[str]:
    """Returns the Q-ids of the classes whose decision is left to whoever tries the review."""
    return {row["class_qid"] for row in _classes() if row["left_open"]}


def decisions_text() -> str:
    """Returns the decisions, one JSON object per line, with the fields of `Decision`."""
    return _text("decisions.jsonl")


def _classes() -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(_text("classes.csv")))


def _text(name: str) -> str:
    return files("hgld.demo").joinpath(name).read_text(encoding="utf-8")
