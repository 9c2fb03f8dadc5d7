"""The embedded facts: that they are whole, agree with each other, and with what Wikidata said."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from hgld import demo
from hgld.annotations.rule import deciding_classes
from hgld.demo.facts import class_labels, decisions_text, landmarks, places, regions
from hgld.demo.painters import scenes
from hgld.labels.taxonomy.rows import read_csv_rows
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


def test_every_landmark_is_in_a_country_and_nearly_all_have_coordinates() -> None:
    assert [row["qid"] for row in places()] == [one.qid for one in landmarks()]
    for row in places():
        above = row["lies_in"].split()
        while not any(regions()[qid]["country_code"] for qid in above):
            above = [regions()[qid]["lies_in"] for qid in above]
        assert all(regions()[qid]["continents"] for qid in above)
        assert not row["style"] or regions()[row["style"]]["name"]
    nowhere = [row["qid"] for row in places() if not row["latitude"]]
    assert nowhere == ["Q948975"]  # the roads of the Incas, through six countries


def test_every_place_names_a_source_that_is_explained() -> None:
    sources = [row["source"] for row in read_csv_rows(Path(demo.__file__).with_name("sources.csv"))]
    assert len(sources) == len(set(sources))
    assert {row["source"] for row in places()} == set(sources)


def test_super_categories_are_spelt_as_the_published_ones(shared: Path) -> None:
    rows = read_csv_rows(shared / "labels/supercategories_78.csv")
    real = {(row["hierarchical_label"].strip(), row["natural_or_human_made"]) for row in rows}
    assigned = [row for row in DECISIONS if row["action"] == "assign"]
    assert {(row["hierarchical_label"], row["natural_or_human_made"]) for row in assigned} <= real
