"""The embedded landmarks, written down as facts, and what was decided on their classes.

`landmarks.csv` has a famous landmark a row: the name, the Commons category as GLDv2 writes it, the
Q-id, and classes it is an instance of (P31) by their Q-ids. `classes.csv` has the English label of
each class, and `decisions.jsonl` a reviewed decision on each, with the fields of a decision. The
classes are what Wikidata said when the file was written, and not always all of them; a live scrape
is what tells today's. Q-ids, labels and statements are Wikidata's (CC0).

The landmark ids are the demo's own, not GLDv2's: from 1 in the train space, from 10001 in the index
space. As in GLDv2, no landmark is in both, and most super-categories are.
"""

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pyarrow as pa

from hgld.annotations.rule import deciding_classes
from hgld.tables import CLASSES, TAXONOMY


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


@cache
def landmarks() -> tuple[DemoLandmark, ...]:
    """Returns every landmark, in the order of split and id."""
    return tuple(
        DemoLandmark(
            landmark_id=int(row["landmark_id"]),
            split=row["split"],
            name=row["name"],
            category=row["category"],
            qid=row["qid"],
            class_qids=tuple(row["class_qids"].split()),
        )
        for row in _rows("landmarks.csv")
    )


@cache
def class_labels() -> dict[str, str]:
    """Returns Q-id to English label of every class."""
    return {row["class_qid"]: row["class_label"] for row in _rows("classes.csv")}


def decisions_text() -> str:
    """Returns the decisions, a JSON object a line, as `review/decisions.jsonl` takes them up."""
    return _text("decisions.jsonl")


@cache
def hierarchical_labels() -> dict[str, str]:
    """Returns Q-id to super-category of every landmark, by the rule of `hgld.annotations.stage`."""
    decisions = {row["class_qid"]: row for row in map(json.loads, decisions_text().splitlines())}
    counts = Counter(qid for landmark in landmarks() for qid in landmark.class_qids)
    labels = class_labels()
    classes = [
        {
            "split": landmark.split,
            "landmark_id": landmark.landmark_id,
            "qid": landmark.qid,
            "class_qid": qid,
            "class_label": labels[qid],
            "rank": "normal",
        }
        for landmark in landmarks()
        for qid in landmark.class_qids
    ]
    taxonomy = [
        {
            "class_qid": qid,
            "class_label": labels[qid],
            "landmarks": counts[qid],
            "decision": "assigned" if decision["action"] == "assign" else "ignored",
            "hierarchical_label": decision["hierarchical_label"],
            "natural_or_human_made": decision["natural_or_human_made"],
        }
        for qid, decision in decisions.items()
    ]
    deciding = deciding_classes(
        pa.Table.from_pylist(classes, schema=CLASSES.schema),
        pa.Table.from_pylist(taxonomy, schema=TAXONOMY.schema),
    )
    by_id = {
        (row["split"], row["landmark_id"]): row["hierarchical_label"]
        for row in deciding.to_pylist()
    }
    return {landmark.qid: by_id[landmark.split, landmark.landmark_id] for landmark in landmarks()}


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_text(name))))


def _text(name: str) -> str:
    return files("hgld.demo").joinpath(name).read_text(encoding="utf-8")
