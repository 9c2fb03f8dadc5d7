"""The embedded landmarks, written down as facts, and what was decided on their classes.

`landmarks.csv` has a famous landmark a row: the name, the Commons category as GLDv2 writes it, the
Q-id, and classes it is an instance of (P31) by their Q-ids. `classes.csv` has the English label of
each class, and `decisions.jsonl` a reviewed decision on each, with the fields of a decision. The
classes are what Wikidata said when the file was written, and not always all of them; a live scrape
tells today's. Q-ids, labels and statements are Wikidata's (CC0). `hierarchical_label` is the
super-category that the rule makes of them (a test compares), which says what is drawn.

The landmark ids are the demo's own, not GLDv2's: from 1 in the train space, from 10001 in the index
space. As in GLDv2, no landmark is in both, and most super-categories are.
"""

import csv
import io
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
    """Returns every landmark, in the order of split and id."""
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
    """Returns Q-id to English label of every class."""
    rows = csv.DictReader(io.StringIO(_text("classes.csv")))
    return {row["class_qid"]: row["class_label"] for row in rows}


def decisions_text() -> str:
    """Returns the decisions, a JSON object a line, as `review/decisions.jsonl` takes them up."""
    return _text("decisions.jsonl")


def _text(name: str) -> str:
    return files("hgld.demo").joinpath(name).read_text(encoding="utf-8")
