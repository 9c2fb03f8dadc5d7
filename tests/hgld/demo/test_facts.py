"""The embedded facts: that they are whole, agree with each other, and with what Wikidata said."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

from hgld.annotations.rule import deciding_classes
from hgld.demo.facts import class_labels, decisions_text, landmarks
from hgld.demo.painters import scenes
from hgld.tables import CLASSES, TAXONOMY
from tests.worlds.builders import table_of

DECISIONS = [json.loads(line) for line in decisions_text().splitlines()]


def test_no_two_landmarks_share_an_id_a_name_or_a_category() -> None:
    for field in ("landmark_id", "name", "category", "qid"):
        counts = Counter(getattr(landmark, field) for landmark in landmarks())
        assert [value for value, count in counts.items() if count > 1] == []


def test_most_super_categories_are_in_both_label_spaces() -> None:
    spaces = defaultdict(list)
    for landmark in landmarks():
        spaces[landmark.hierarchical_label].append(landmark.split)
    assert [name for name, of in spaces.items() if len(of) > 1 and len(set(of)) == 1] == []


def test_every_class_is_labelled_decided_and_used() -> None:
    used = {qid for landmark in landmarks() for qid in landmark.class_qids}
    assert used == set(class_labels())
    assert {row["class_qid"]: row["class_label"] for row in DECISIONS} == class_labels()


def test_a_super_category_is_what_the_rule_makes_of_the_classes_and_has_a_scene() -> None:
    labels = class_labels()
    counts = Counter(qid for landmark in landmarks() for qid in landmark.class_qids)
    classes = [
        {"split": one.split, "landmark_id": one.landmark_id, "qid": one.qid, "class_qid": qid}
        | {"class_label": labels[qid], "rank": "normal"}
        for one in landmarks()
        for qid in one.class_qids
    ]
    taxonomy = [
        {"class_qid": row["class_qid"], "class_label": row["class_label"]}
        | {"landmarks": counts[row["class_qid"]]}
        | {"decision": "assigned" if row["action"] == "assign" else "ignored"}
        | {name: row[name] for name in ("hierarchical_label", "natural_or_human_made")}
        for row in DECISIONS
    ]
    deciding = deciding_classes(table_of(CLASSES, classes), table_of(TAXONOMY, taxonomy))
    found = {row["landmark_id"]: row["hierarchical_label"] for row in deciding.to_pylist()}
    assert found == {one.landmark_id: one.hierarchical_label for one in landmarks()}
    assert set(scenes()["scenes"]) == set(found.values())


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_classes_have_the_labels_that_the_real_list_gives_them(shared: Path) -> None:
    real = defaultdict(set)
    for row in read_rows(shared / "labels/instance_of_labels.csv"):
        for qid in filter(None, row["qids"].split("|")):
            real[qid].add(row["label"])
    known = {qid: label for qid, label in class_labels().items() if qid in real}
    assert len(known) >= 150
    assert {qid: label for qid, label in known.items() if label not in real[qid]} == {}


def test_landmarks_have_only_classes_that_the_real_answer_key_gives_them(shared: Path) -> None:
    rows = read_rows(shared / "wikimedia_lab/expected.csv")
    real = {row["qid"]: row["p31_qids"].split("|") for row in rows}
    known = [landmark for landmark in landmarks() if landmark.qid in real]
    # The key has only one class of this castle; it is no error of ours to know another.
    beyond = {"Q188754": {"Q92026"}}

    assert len(known) >= 80
    for landmark in known:
        extra = set(landmark.class_qids) - set(real[landmark.qid])
        assert extra <= beyond.get(landmark.qid, set()), landmark.name


def test_super_categories_are_spelt_as_the_published_ones(shared: Path) -> None:
    rows = read_rows(shared / "labels/supercategories_78.csv")
    real = {(row["hierarchical_label"].strip(), row["natural_or_human_made"]) for row in rows}
    assigned = [row for row in DECISIONS if row["action"] == "assign"]
    assert {(row["hierarchical_label"], row["natural_or_human_made"]) for row in assigned} <= real
