"""The release before with the changes is the release, whatever the two are."""

import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hgld.annotations.release.changes import change_counts, label_changes
from hgld.annotations.release.released import (
    IMAGE_COLUMNS,
    IMAGE_SCHEMA,
    LANDMARK_COLUMNS,
    LANDMARK_SCHEMA,
    ReleaseTables,
)
from hgld.tables import LABEL_CHANGES

Row = dict[str, Any]

_FLAT = ("revision_id", "class_qid", "decision", "reviewer", "method", "confidence")


STRUCT = LABEL_CHANGES.schema.field("landmark").type


def apply_changes(old: ReleaseTables, changes: pa.Table) -> ReleaseTables:
    """Makes a release from the one before it.

    Args:
        old: the release before.
        changes: rows of LABEL_CHANGES, those from it to this release.

    Returns:
        The rows of this release, in any order.
    """
    told = changes.filter(pc.equal(changes["kind"], "landmark"))
    now = told.filter(pc.not_equal(told["change"], "removed"))
    fields = now["landmark"].combine_chunks().flatten()
    columns = dict(zip(STRUCT.names, fields, strict=True))
    columns |= {name: now[name] for name in ("split", "landmark_id")}
    landmarks = pa.table({name: columns[name] for name in LANDMARK_COLUMNS})
    rows = changes.filter(pc.equal(changes["kind"], "image"))
    there = rows.filter(pc.not_equal(rows["change"], "removed"))
    renamed = {"table": "table_after", "reason": "reason_after"}
    images = pa.table({name: there[renamed.get(name, name)] for name in IMAGE_COLUMNS})
    return ReleaseTables(
        landmarks=replaced(old.landmarks, told, landmarks),
        images=replaced(old.images, rows, images),
    )


def replaced(old: pa.Table, told: pa.Table, now: pa.Table) -> pa.Table:
    """Returns rows without those that something is told of, and with what they are now."""
    name = "image_id" if "image_id" in old.column_names else "landmark_id"
    kept = old.filter(pc.invert(pc.is_in(keys_of(old, name), value_set=keys_of(told, name))))
    return pa.concat_tables([kept, now.cast(old.schema)])


def keys_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["split"], table[name].cast(pa.string()), " ")


def by_key(table: pa.Table, key: str) -> pa.Table:
    """Sorts landmarks, or images, by their split and key."""
    return table.take(pc.sort_indices(table, [("split", "ascending"), (key, "ascending")]))


def landmark(split: str, number: int, **values: Any) -> Row:  # noqa: ANN401 - of any column
    """Returns a row of landmarks, labelled by its only class unless it is said otherwise."""
    row: Row = {
        "split": split,
        "landmark_id": number,
        "supercategory": "church building",
        "hierarchical_label": "church",
        "natural_or_human_made": "human-made",
        "category": f"c/{number}",
        "qid": f"Q{number}",
        "reason": None,
        "rule": "only_label",
        "revision_id": 7,
        "class_qid": "Q16970",
        "decision": "assigned",
        "reviewer": "ann",
        "method": None,
        "confidence": None,
        "accepted_above": None,
        "class_qids": "Q16970",
    } | values
    qids = row["class_qids"].split()
    row["classes"] = [{"class_qid": qid, "class_label": qid.lower()} for qid in qids]
    row["class_labels"] = "; ".join(qid.lower() for qid in qids)
    told = {name: row[name] for name in (*_FLAT, "accepted_above")}
    return row | {"provenance": {"status": row["reason"] or "ok", **told}}


def unlabelled(split: str, number: int, reason: str, **values: Any) -> Row:  # noqa: ANN401
    blank = dict.fromkeys(("hierarchical_label", "natural_or_human_made"))
    return landmark(split, number, **{**blank, "reason": reason, "rule": "no_vote", **values})


def image(split: str, name: str, number: int | None, reason: str | None = None) -> Row:
    table = {None: "data", "filled": "filled", "truncated": "bad"}.get(reason, "excluded")
    is_labelled = table in {"data", "filled"}
    in_clean = True if is_labelled and split == "train" else None
    values = (split, name, number, in_clean, table, None if is_labelled else reason)
    return dict(zip(IMAGE_COLUMNS, values, strict=True))


def tables(landmarks: list[Row], images: list[Row]) -> ReleaseTables:
    return ReleaseTables(
        landmarks=pa.Table.from_pylist(landmarks, schema=LANDMARK_SCHEMA),
        images=pa.Table.from_pylist(images, schema=IMAGE_SCHEMA),
    )


def rows_of(release: ReleaseTables) -> tuple[list[Row], list[Row]]:
    return (
        by_key(release.landmarks, "landmark_id").to_pylist(),
        by_key(release.images, "image_id").to_pylist(),
    )


def random_release(chance: random.Random) -> ReleaseTables:
    """Some of twelve landmarks and thirty images, with values from few, so that many coincide."""
    landmarks = []
    for split in ("train", "index"):
        for number in range(6):
            if chance.random() < 0.2:
                continue
            qids = sorted(chance.sample(["Q1", "Q2", "Q33"], chance.randint(0, 3)))
            values: Row = {
                "class_qids": " ".join(qids),
                "class_qid": chance.choice([*qids, "Q9", None]),
                "decision": chance.choice(["assigned", "proposed", None]),
                "reviewer": chance.choice(["ann", "bob", None]),
                "revision_id": chance.choice([1, 2, None]),
                "confidence": chance.choice([0.5, 0.25, None]),
                "category": chance.choice(["c/a", "c/b", None]),
            }
            if chance.random() < 0.3:
                landmarks.append(unlabelled(split, number, "ignored", **values))
            else:
                label = chance.choice(["church", "lake"])
                landmarks.append(landmark(split, number, hierarchical_label=label, **values))
    images = [
        image(
            split,
            f"{number:02}",
            chance.choice([None, 0, 1]),
            chance.choice([None, None, "filled", "truncated", "not_clean", "no_landmark"]),
        )
        for split in ("train", "index", "test")
        for number in range(10)
        if chance.random() < 0.8
    ]
    chance.shuffle(landmarks)
    chance.shuffle(images)
    return tables(landmarks, images)


@pytest.mark.parametrize("seed", range(12))
def test_the_release_before_with_the_changes_is_the_release(seed: int) -> None:
    chance = random.Random(seed)
    old, new = random_release(chance), random_release(chance)
    changes = label_changes(old, new)
    assert changes.schema == LABEL_CHANGES.schema
    assert rows_of(apply_changes(old, changes)) == rows_of(new)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_told_is_what_a_loop_over_all_rows_finds_and_nothing_else(seed: int) -> None:
    chance = random.Random(1000 + seed)
    old, new = random_release(chance), random_release(chance)
    found = {
        (row["kind"], row["split"], row["image_id"] or row["landmark_id"]): row["change"]
        for row in label_changes(old, new).to_pylist()
    }
    expected: dict[tuple[str, str, Any], str] = {}
    for kind, key, was, now in (
        ("landmark", "landmark_id", old.landmarks, new.landmarks),
        ("image", "image_id", old.images, new.images),
    ):
        before, after = (
            {(kind, row["split"], row[key]): row for row in table.to_pylist()}
            for table in (was, now)
        )
        for name in before.keys() | after.keys():
            one, other = before.get(name), after.get(name)
            if one is None or other is None:
                expected[name] = "added" if one is None else "removed"
            elif one != other:
                is_moved = kind == "image" and one["table"] != other["table"]
                expected[name] = "moved" if is_moved else "changed"
    assert found == expected
    assert {"added", "removed", "changed", "moved"} <= set(found.values())


@pytest.mark.parametrize("seed", [0, 1, 3, 4])  # which have some
def test_images_whose_label_came_went_or_is_another_one_are_counted(seed: int) -> None:
    chance = random.Random(2000 + seed)
    old, new = random_release(chance), random_release(chance)
    labels, data = [], []
    for release in (old, new):
        rows = release.landmarks.to_pylist()
        sides = ("hierarchical_label", "natural_or_human_made")
        labels.append({(r["split"], r["landmark_id"]): [r[side] for side in sides] for r in rows})
        rows = [row for row in release.images.to_pylist() if row["table"] == "data"]
        data.append({(row["split"], row["image_id"]): row["landmark_id"] for row in rows})
    expected = 0
    for key, number in data[1].items():
        if key in data[0]:
            of = ("train" if key[0] == "train" else "index", number)
            is_relabelled = of in labels[0].keys() & labels[1] and labels[0][of] != labels[1][of]
            expected += is_relabelled or data[0][key] != number
    counts = change_counts(new, label_changes(old, new))["images"]
    assert counts["label_changed"] == expected > 0
    assert counts["label_added"] == len(data[1].keys() - data[0].keys())
    assert counts["label_removed"] == len(data[0].keys() - data[1].keys())


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


def test_a_change_of_an_image_says_why() -> None:
    old = tables(
        [landmark("train", 1), landmark("train", 2)],
        [
            *(image("train", "a", 1), image("train", "b", 1), image("train", "c", 1, "ignored")),
            *(image("train", "d", 1), image("train", "e", 1, "ignored"), image("test", "f", 1)),
        ],
    )
    new = tables(
        [landmark("train", 1), landmark("train", 2)],
        [
            *(image("train", "a", 1, "truncated"), image("train", "b", 2), image("train", "c", 1)),
            *(image("train", "d", 1), image("train", "e", 2, "no_item"), image("index", "g", 1)),
        ],
    )
    rows = label_changes(old, new).to_pylist()
    assert {row["kind"] for row in rows} == {"image"}
    assert [(row["split"], row["image_id"], row["change"], row["why"]) for row in rows] == [
        ("index", "g", "added", "added -> labelled"),
        ("test", "f", "removed", "labelled -> removed"),
        ("train", "a", "moved", "labelled -> truncated"),
        ("train", "b", "changed", "other_landmark labelled -> labelled"),
        ("train", "c", "moved", "ignored -> labelled"),
        ("train", "e", "changed", "other_landmark ignored -> no_item"),
    ]
    assert [(row["table_before"], row["table_after"]) for row in rows][2] == ("data", "bad")
    assert [row["landmark_id"] for row in rows] == [1, 1, 1, 2, 1, 2]


def test_two_equal_releases_have_no_changes() -> None:
    release = random_release(random.Random(0))
    assert len(label_changes(release, release)) == 0
    empty = tables([], [])
    assert len(label_changes(empty, empty)) == 0
    assert rows_of(apply_changes(empty, label_changes(empty, release))) == rows_of(release)
    assert rows_of(apply_changes(release, label_changes(release, empty))) == rows_of(empty)
