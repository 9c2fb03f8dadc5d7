import random
from datetime import UTC, datetime

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.tables import (
    ANNOTATIONS,
    TAXONOMY,
)
from tests.hgld.annotations.world import (
    CHURCH,
    DECISIONS,
    HERITAGE,
    LABELS,
    MUSEUM,
    PARISH,
    annotations,
    landmark_labels,
)
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)


def test_an_image_has_all_that_is_known_of_its_landmark(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    by_qid = [CHURCH, MUSEUM, PARISH, HERITAGE]
    by_qid.sort(key=lambda qid: int(qid[1:]))
    assert annotations(reviewed, "train")["a0"] == {
        "image_id": "a0",
        "landmark_id": 1,
        "supercategory": "parish church",  # rarer than church building
        "hierarchical_label": "church",
        "natural_or_human_made": "human-made",
        "category": "c/1",
        "qid": "Q1",
        "in_clean": True,
        "revision_id": 11,
        "class_qid": PARISH,
        "decision": "assigned",
        "reviewer": "ann",
        "method": "class",
        "confidence": None,
        "accepted_above": None,
        "class_qids": " ".join(by_qid),
        "class_labels": "; ".join(LABELS[qid] for qid in by_qid),
        "classes": [{"class_qid": qid, "class_label": LABELS[qid]} for qid in by_qid],
        "provenance": {
            "status": "ok",
            "revision_id": 11,
            "class_qid": PARISH,
            "decision": "assigned",
            "reviewer": "ann",
            "method": "class",
            "confidence": None,
            "accepted_above": None,
        },
    }


def test_a_label_of_a_proposal_that_nobody_saw_says_so_and_how_sure_it_was(
    reviewed: Workspace,
) -> None:
    """Where several classes vote, it is the deciding class that says it."""
    taxonomy = reviewed.read(TAXONOMY).to_pylist()
    unseen = {"decision": "proposed", "reviewer": None}
    for row in taxonomy:
        if row["class_qid"] == PARISH:
            row.update(unseen, confidence=0.96875, accepted_above=0.95)
        if row["class_qid"] == MUSEUM:
            row.update(unseen, confidence=0.25, accepted_above=0.0)
    write_stage(reviewed, [(TAXONOMY, table_of(TAXONOMY, taxonomy))])
    run_annotate(reviewed, AnnotateConfig())
    rows = annotations(reviewed, "train") | annotations(reviewed, "index")
    landmarks = {(row["split"], row["landmark_id"]): row for row in landmark_labels(reviewed)}
    names = ("class_qid", "decision", "reviewer", "method", "confidence", "accepted_above")
    said = {
        key: tuple(row["provenance"][name] for name in names)
        for key, row in (rows | landmarks).items()
    }
    flat = {key: tuple(row[name] for name in names) for key, row in (rows | landmarks).items()}
    assert flat == said
    assert said["a0"] == (PARISH, "proposed", None, "class", 0.96875, 0.95)
    assert said["b1"] == (MUSEUM, "proposed", None, "class", 0.25, 0.0)
    assert said["train", 3] == (HERITAGE, "ignored", "ann", None, None, None)
    assert said["train", 1][-1] == 0.95


def test_a_landmark_without_a_label_says_why_and_keeps_what_is_known(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = {(row["split"], row["landmark_id"]): row for row in landmark_labels(reviewed)}
    assert {key: row["reason"] for key, row in rows.items()} == {
        ("train", 3): "ignored",
        ("train", 1): None,
        ("train", 2): None,
        ("train", 4): "no_item",
        ("train", 5): "not_scraped",
        ("index", 1): None,
        ("index", 2): None,
    }
    for row in rows.values():
        assert row["provenance"]["status"] == (row["reason"] or "ok")
        assert (row["hierarchical_label"] is None) == (row["natural_or_human_made"] is None)
        assert (row["hierarchical_label"] is None) == (row["reason"] is not None)
    heritage, unknown = rows["train", 3], rows["train", 4]
    assert heritage["supercategory"] == "World Heritage Site"  # as the published files do
    assert heritage["fetched_at"] == datetime(2025, 1, 1, tzinfo=UTC)
    assert (unknown["category"], unknown["classes"], unknown["class_qids"]) == ("c/4", [], "")
    assert unknown["fetched_at"] is None


def test_a_landmark_says_how_its_label_was_found(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    assert {
        (row["split"], row["landmark_id"]): row["rule"] for row in landmark_labels(reviewed)
    } == {
        ("train", 3): "no_vote",  # ignored
        ("train", 1): "most_votes",  # two for the church, one for the museum
        ("train", 2): "only_label",
        ("train", 4): "no_vote",
        ("train", 5): "no_vote",
        ("index", 1): "only_label",
        ("index", 2): "most_specific",  # one each
    }


def test_the_landmarks_have_their_labels_and_all_that_their_classes_voted_for(
    reviewed: Workspace,
) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = landmark_labels(reviewed)
    keys = [(row["split"], row["landmark_id"]) for row in rows]
    assert keys == [*(("train", number) for number in (3, 1, 2, 4, 5)), ("index", 1), ("index", 2)]
    of_image = annotations(reviewed, "train")["a0"]
    one = rows[keys.index(("train", 1))]
    shared = of_image.keys() - {"image_id", "in_clean"}
    assert {name: one[name] for name in shared} == {name: of_image[name] for name in shared}
    # Three landmarks have the church, two the museum, and one the parish church.
    assert one["candidates"] == [
        {"hierarchical_label": "church", "votes": 2, "class_qid": PARISH, "landmarks": 1},
        {"hierarchical_label": "museum", "votes": 1, "class_qid": MUSEUM, "landmarks": 2},
    ]
    assert rows[keys.index(("index", 2))]["candidates"] == [
        {"hierarchical_label": "museum", "votes": 1, "class_qid": MUSEUM, "landmarks": 2},
        {"hierarchical_label": "church", "votes": 1, "class_qid": CHURCH, "landmarks": 3},
    ]
    for number in (3, 4, 5):  # all ignored, no class, not scraped
        assert rows[keys.index(("train", number))]["candidates"] == []


def test_a_thousand_landmarks_each_keep_their_own_classes(workspace: Workspace) -> None:
    # Ids of GLDv2's size and no order: a group-by of so many gives its groups in an order of its
    # own, which a handful of landmarks does not show.
    numbers = random.Random(0).sample(range(200_000), 1_000)
    qids = [CHURCH, PARISH, MUSEUM]
    scraped = {
        ("train", number): [(qid, LABELS[qid]) for qid in qids[: 1 + number % 3]]
        for number in numbers
    }
    landmarks = [{"split": "train", "landmark_id": number, "category": ""} for number in numbers]
    images = [
        {"split": "train", "image_id": f"{number}", "landmark_id": number, "in_clean": True}
        for number in numbers
    ]
    write_metadata(workspace, landmarks, images)
    write_scrape(workspace, class_rows(scraped), [row | {"status": "ok"} for row in landmarks])
    write_taxonomy(workspace, class_rows(scraped), DECISIONS)
    run_annotate(workspace, AnnotateConfig())
    rows = workspace.read(ANNOTATIONS["train"]).to_pylist()
    labels = {row["landmark_id"]: row["hierarchical_label"] for row in rows}
    assert list(labels) == sorted(numbers, key=lambda number: (labels[number], number))
    assert len(labels) == 1_000
    for row in rows:
        expected = {qid for qid, _ in scraped["train", row["landmark_id"]]}
        assert {item["class_qid"] for item in row["classes"]} == expected
        assert row["provenance"]["class_qid"] in expected
