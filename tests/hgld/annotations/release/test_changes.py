"""What is told of two releases: all that differs and nothing else, and why it does."""

import itertools
import random
from typing import Any

import pyarrow as pa
import pytest

from hgld.annotations.release.changes import change_counts, label_changes
from hgld.annotations.release.released import IMAGE_SCHEMA, LANDMARK_SCHEMA, ReleaseTables
from hgld.tables import LABEL_CHANGES

Row = dict[str, Any]
Key = tuple[str, str, Any]

PROVENANCE = [field.name for field in LANDMARK_SCHEMA.field("provenance").type]
SIDES = ("hierarchical_label", "natural_or_human_made")
UNLABELLED = {**dict.fromkeys(SIDES), "reason": "ignored", "rule": "no_vote"}
# Few values, so that many coincide.
CHOICES: dict[str, list[Any]] = {
    "hierarchical_label": ["church", "lake"],
    "decision": ["assigned", "proposed", None],
    "reviewer": ["ann", "bob", None],
    "revision_id": [1, 2, None],
    "confidence": [0.5, 0.25, None],
    "category": ["c/a", "c/b", None],
}
REASONS = [None, None, "filled", "truncated", "not_clean", "no_landmark"]


def landmark(split: str, number: int, **values: Any) -> Row:  # noqa: ANN401 - of any column
    """Returns a row of landmarks, labelled by its only class unless it is said otherwise."""
    row: Row = {"split": split, "landmark_id": number, "category": f"c/{number}"}
    row |= {"supercategory": "church building", "hierarchical_label": "church"}
    row |= {"natural_or_human_made": "human-made", "qid": f"Q{number}", "rule": "only_label"}
    row |= {"class_qid": "Q16970", "class_qids": "Q16970", "revision_id": 7}
    row |= {"decision": "assigned", "reviewer": "ann"} | values
    qids = row["class_qids"].split()
    row["classes"] = [{"class_qid": qid, "class_label": qid.lower()} for qid in qids]
    row["class_labels"] = "; ".join(qid.lower() for qid in qids)
    provenance = {name: row.get(name) for name in PROVENANCE}
    return row | {"provenance": provenance | {"status": row.get("reason") or "ok"}}


def image(split: str, name: str, number: int | None, reason: str | None = None) -> Row:
    table = {None: "data", "filled": "filled", "truncated": "bad"}.get(reason, "excluded")
    is_labelled = table in {"data", "filled"}
    in_clean = True if is_labelled and split == "train" else None
    values = (split, name, number, in_clean, table, None if is_labelled else reason)
    return dict(zip(IMAGE_SCHEMA.names, values, strict=True))


def tables(landmarks: list[Row], images: list[Row]) -> ReleaseTables:
    return ReleaseTables(
        landmarks=pa.Table.from_pylist(landmarks, schema=LANDMARK_SCHEMA),
        images=pa.Table.from_pylist(images, schema=IMAGE_SCHEMA),
    )


def random_release(chance: random.Random) -> ReleaseTables:
    """Some of twelve landmarks and thirty images, in any order."""
    landmarks = []
    for split, number in itertools.product(("train", "index"), range(6)):
        qids = sorted(chance.sample(["Q1", "Q2", "Q33"], chance.randint(0, 3)))
        values = {name: chance.choice(several) for name, several in CHOICES.items()}
        values |= {"class_qids": " ".join(qids), "class_qid": chance.choice([*qids, "Q9", None])}
        values |= UNLABELLED if chance.random() < 0.3 else {}
        landmarks.append(landmark(split, number, **values))
    images = [
        image(split, f"{number:02}", chance.choice([None, 0, 1]), chance.choice(REASONS))
        for split, number in itertools.product(("train", "index", "test"), range(10))
    ]
    return tables(*(chance.sample(rows, len(rows) * 4 // 5) for rows in (landmarks, images)))


def keyed(release: ReleaseTables) -> dict[Key, Row]:
    """Returns landmarks and images by what they are, their split and id."""
    images = release.images.to_pylist()
    landmarks = release.landmarks.to_pylist()
    found: dict[Key, Row] = {("image", row["split"], row["image_id"]): row for row in images}
    return found | {("landmark", row["split"], row["landmark_id"]): row for row in landmarks}


def change_of(before: Row | None, after: Row | None) -> str:
    if before is None or after is None:
        return "added" if before is None else "removed"
    return "changed" if before.get("table") == after.get("table") else "moved"


def row_after(told: Row) -> Row:
    """Returns what a landmark or an image is after a change, from nothing but what is told."""
    if told["kind"] == "landmark":
        return {**told["landmark"], **{name: told[name] for name in ("split", "landmark_id")}}
    renamed = {"table": "table_after", "reason": "reason_after"}
    return {name: told[renamed.get(name, name)] for name in IMAGE_SCHEMA.names}


@pytest.mark.parametrize("seed", range(12))
def test_the_changes_are_all_that_differs_and_make_the_release_from_the_one_before(
    seed: int,
) -> None:
    chance = random.Random(seed)
    old, new = random_release(chance), random_release(chance)
    changes = label_changes(old, new)
    assert changes.schema == LABEL_CHANGES.schema
    told: dict[Key, Row] = {
        (row["kind"], row["split"], row["image_id"] or row["landmark_id"]): row
        for row in changes.to_pylist()
    }
    before, after = keyed(old), keyed(new)
    pairs = {key: (before.get(key), after.get(key)) for key in before | after}
    expected = {key: change_of(*pair) for key, pair in pairs.items() if pair[0] != pair[1]}
    assert {key: row["change"] for key, row in told.items()} == expected
    assert len(changes) == len(told)
    assert {"added", "removed", "changed", "moved"} <= set(expected.values())
    left = {key: row for key, row in before.items() if key not in told}
    made = {key: row_after(row) for key, row in told.items() if row["change"] != "removed"}
    assert left | made == after


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({}, {"category": "c/other"}, "category"),
        ({}, {"qid": "Q77"}, "item"),
        ({}, {"revision_id": 8}, "page"),
        ({}, {"reviewer": "bob"}, "reviewer"),
        ({"decision": "proposed"}, {}, "decision"),
        ({"confidence": 0.5}, {"confidence": 0.25}, "evidence"),
        ({}, {"hierarchical_label": "chapel"}, "label relabelled"),
        ({}, {"natural_or_human_made": "natural"}, "label relabelled"),
        ({}, {"class_qids": "Q16970 Q2"}, "classes"),
        (
            {"class_qids": "Q16970 Q2"},
            {"class_qids": "Q2", "class_qid": "Q2", "hierarchical_label": "museum"},
            "class classes label",
        ),
    ],
)
def test_a_change_says_why(before: Row, after: Row, why: str) -> None:
    old, new = (tables([landmark("train", 1, **values)], []) for values in (before, after))
    (row,) = label_changes(old, new).to_pylist()
    assert (row["change"], row["why"]) == ("changed", why)
    for name in ("hierarchical_label", "category", "reviewer", "decision", "class_qid"):
        told = row[f"{name}_before"], row[f"{name}_after"]
        assert told == (old.landmarks[name][0].as_py(), new.landmarks[name][0].as_py())


def test_a_change_of_an_image_says_why_and_whose_label_came_went_or_is_another_one_is_counted() -> (
    None
):
    before = [landmark("train", number) for number in (1, 2, 3)]
    after = [*before[:2], landmark("train", 3, hierarchical_label="chapel")]
    old = [
        *(image("train", "a", 1), image("train", "b", 1), image("train", "c", 1, "ignored")),
        *(image("train", "d", 1), image("train", "e", 1, "ignored"), image("test", "f", 1)),
        *(image("train", "h", 3), image("train", "i", 3, "ignored")),
    ]
    new = [
        *(image("train", "a", 1, "truncated"), image("train", "b", 2), image("train", "c", 1)),
        *(image("train", "d", 1), image("train", "e", 2, "no_item"), image("index", "g", 1)),
        *(image("train", "h", 3), image("train", "i", 3, "ignored")),
    ]
    release = tables(after, new)
    changes = label_changes(tables(before, old), release)
    names = ("kind", "split", "image_id", "landmark_id", "change", "table_after", "why")
    assert [tuple(row.values()) for row in changes.select(names).to_pylist()] == [
        ("landmark", "train", None, 3, "changed", None, "label relabelled"),
        ("image", "index", "g", 1, "added", "data", "added -> labelled"),
        ("image", "test", "f", 1, "removed", None, "labelled -> removed"),
        ("image", "train", "a", 1, "moved", "bad", "labelled -> truncated"),
        ("image", "train", "b", 2, "changed", "data", "other_landmark labelled -> labelled"),
        ("image", "train", "c", 1, "moved", "data", "ignored -> labelled"),
        ("image", "train", "e", 2, "changed", "excluded", "other_landmark ignored -> no_item"),
    ]
    assert changes["table_before"][3].as_py() == "data"
    counts = change_counts(release, changes)["images"]
    told = [counts[f"label_{what}"] for what in ("added", "removed", "changed")]
    assert told == [2, 2, 2]  # c and g; a and f; b and h, whose landmark was relabelled
