import dataclasses
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    BAD_IMAGES,
    CLASSES,
    EXCLUDED,
    HIERARCHY,
    LANDMARK_LABELS,
    TAXONOMY,
)
from tests.hgld.annotations.world import (
    CATEGORIES,
    CHURCH,
    DECISIONS,
    HERITAGE,
    IMAGES,
    LABELS,
    LANDMARKS,
    MUSEUM,
    PARISH,
    SCRAPED,
    annotations,
    write_inputs,
)
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)


def landmark_rows(workspace: Workspace) -> list[dict[str, Any]]:
    return list(workspace.read(LANDMARK_LABELS).to_pylist())


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
        "method": None,
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
            "method": None,
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
    landmarks = {(row["split"], row["landmark_id"]): row for row in landmark_rows(reviewed)}
    names = ("class_qid", "decision", "reviewer", "method", "confidence", "accepted_above")
    said = {
        key: tuple(row["provenance"][name] for name in names)
        for key, row in (rows | landmarks).items()
    }
    flat = {key: tuple(row[name] for name in names) for key, row in (rows | landmarks).items()}
    assert flat == said
    assert said["a0"] == (PARISH, "proposed", None, None, 0.96875, 0.95)
    assert said["b1"] == (MUSEUM, "proposed", None, None, 0.25, 0.0)
    assert said["train", 3] == (HERITAGE, "ignored", "ann", None, None, None)
    assert said["train", 1][-1] == 0.95


def test_an_image_without_a_label_is_excluded_and_says_why(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    assert [set(annotations(reviewed, split)) for split in ANNOTATIONS] == [
        *({"a0"}, {"b0", "b1"}, {"c0"})
    ]
    rows = reviewed.read(EXCLUDED).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("train", "a1", 1, "not_clean"),
        ("train", "a2", 3, "ignored"),
        ("train", "a3", 4, "no_item"),
        ("train", "a4", 5, "not_scraped"),
        ("train", "a5", 6, "no_category"),
        ("test", "c1", None, "no_landmark"),
    ]
    assert len(reviewed.read(BAD_ANNOTATIONS)) == 0


def test_a_landmark_without_a_label_says_why_and_keeps_what_is_known(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = {(row["split"], row["landmark_id"]): row for row in landmark_rows(reviewed)}
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
    assert {(row["split"], row["landmark_id"]): row["rule"] for row in landmark_rows(reviewed)} == {
        ("train", 3): "no_vote",  # ignored
        ("train", 1): "most_votes",  # two for the church, one for the museum
        ("train", 2): "only_label",
        ("train", 4): "no_vote",
        ("train", 5): "no_vote",
        ("index", 1): "only_label",
        ("index", 2): "most_specific",  # one each
    }


def test_test_images_have_the_landmarks_of_the_index(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    row = annotations(reviewed, "test")["c0"]
    assert (row["landmark_id"], row["hierarchical_label"]) == (1, "ocean area ")
    assert row["natural_or_human_made"] == "natural"
    assert row["provenance"] == annotations(reviewed, "index")["b0"]["provenance"]


def test_train_has_the_clean_images_or_all(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    assert list(annotations(reviewed, "train")) == ["a0"]
    assert not run_annotate(reviewed, AnnotateConfig(train="all")).skipped
    rows = annotations(reviewed, "train")
    assert {key: row["in_clean"] for key, row in rows.items()} == {"a0": True, "a1": False}
    assert annotations(reviewed, "index")["b0"]["in_clean"] is None
    assert "a1" not in reviewed.read(EXCLUDED)["image_id"].to_pylist()


def test_a_picture_that_was_found_bad_is_left_out_where_that_is_asked_for(
    reviewed: Workspace,
) -> None:
    with pytest.raises(MissingInputError, match="run `hgld images --split train`"):
        run_annotate(reviewed, AnnotateConfig(pictures=True))
    for split, image_id in (("train", "a1"), ("index", "b1"), ("test", "c1")):
        bad = {"image_id": image_id, "tar": "images_000.tar", "reason": "truncated"}
        write_stage(reviewed, [(BAD_IMAGES[split], table_of(BAD_IMAGES[split], [bad]))])
    run_annotate(reviewed, AnnotateConfig(pictures=True, train="all"))
    assert list(annotations(reviewed, "train")) == ["a0"]
    assert list(annotations(reviewed, "index")) == ["b0"]
    rows = reviewed.read(BAD_ANNOTATIONS).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("train", "a1", 1, "truncated"),
        ("index", "b1", 2, "truncated"),
        ("test", "c1", None, "truncated"),  # excluded too, if it were not bad
    ]
    assert "c1" not in reviewed.read(EXCLUDED)["image_id"].to_pylist()
    (label,) = [row for row in reviewed.read(HIERARCHY).to_pylist() if row["slug"] == "museum"]
    assert label["index_images"] == 0
    assert run_annotate(reviewed, AnnotateConfig(pictures=True, train="all")).skipped


@pytest.mark.parametrize("seed", range(5))
def test_every_image_is_in_one_table_and_in_one_alone(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    images = [
        {
            "split": split,
            "image_id": f"{number:016x}",
            "landmark_id": chance.choice([None, *range(8)] if split == "test" else [*range(8)]),
            "in_clean": chance.choice([True, False]) if split == "train" else None,
        }
        for number, split in enumerate(chance.choices(["train", "index", "test"], k=300))
    ]
    write_inputs(workspace, images)
    for split, dataset in BAD_IMAGES.items():
        bad = [
            {"image_id": row["image_id"], "tar": "t", "reason": "truncated"}
            for row in images
            if row["split"] == split and chance.random() < 0.2
        ]
        write_stage(workspace, [(dataset, table_of(dataset, bad))])
    whole = AnnotateConfig(train="all", pictures=True, images_per_shard=7)
    clean = AnnotateConfig(train="clean", pictures=True, images_per_shard=7)
    run_annotate(workspace, chance.choice([whole, clean]))
    found = [
        (split, image_id)
        for split in ANNOTATIONS
        for image_id in workspace.read(ANNOTATIONS[split])["image_id"].to_pylist()
    ]
    assert all(workspace.read(dataset).num_rows for dataset in ANNOTATIONS.values())
    for dataset in (EXCLUDED, BAD_ANNOTATIONS):
        rows = workspace.read(dataset).to_pylist()
        assert rows
        found += [(row["split"], row["image_id"]) for row in rows]
    assert sorted(found) == sorted((row["split"], row["image_id"]) for row in images)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_shards_of_any_size_hold_the_same_rows_in_the_same_order(
    reviewed: Workspace, size: int
) -> None:
    images = [
        {"split": "train", "image_id": name, "landmark_id": landmark, "in_clean": True}
        for name, landmark in (("d", 2), ("c", 1), ("b", 2), ("a", 1), ("e", 1))
    ]
    write_inputs(reviewed, images)
    run_annotate(reviewed, AnnotateConfig(images_per_shard=size))
    assert list(annotations(reviewed, "train")) == ["a", "c", "e", "b", "d"]
    count = -(-5 // size)
    assert [path.name for path in reviewed.shards(ANNOTATIONS["train"])] == [
        f"train-{number:05d}-of-{count:05d}.parquet" for number in range(count)
    ]


def test_the_published_format_has_each_landmark_in_its_order_and_blanks(
    reviewed: Workspace,
) -> None:
    run_annotate(reviewed, AnnotateConfig())
    header = "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
    train = reviewed.path("annotations/train_label_to_hierarchical.csv").read_bytes().decode()
    assert train == header + (
        "3,c/3,World Heritage Site,,\n"
        "1,c/1,parish church,church,human-made\n"
        "2,c/2,church building,church,human-made\n"
        "4,c/4,,,\n"
        "5,c/5,,,\n"
    )
    index = reviewed.path("annotations/index_label_to_hierarchical.csv").read_bytes().decode()
    assert index == header + (
        '1,"c/Lake_""x"",_y","lake, or pond",ocean area ,natural\n2,c/é,museum,museum,human-made\n'
    )


def test_the_time_of_a_fetch_changes_no_digest_and_runs_nothing_again(
    reviewed: Workspace,
) -> None:
    first = run_annotate(reviewed, AnnotateConfig()).manifest
    later = [row | {"fetched_at": datetime(2031, 2, 3, tzinfo=UTC)} for row in CATEGORIES]
    write_scrape(reviewed, class_rows(SCRAPED), later)
    again = run_annotate(reviewed, AnnotateConfig())
    assert again.skipped
    assert again.manifest == first


def test_another_decision_runs_again_and_changes_the_labels(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    changed = DECISIONS | {CHURCH: ("assigned", "chapel", "human-made")}
    write_taxonomy(reviewed, class_rows(SCRAPED), changed)
    assert not run_annotate(reviewed, AnnotateConfig()).skipped
    # Three super-categories with one vote each now: the parish church is the rarest class.
    assert annotations(reviewed, "train")["a0"]["hierarchical_label"] == "church"
    text = reviewed.path("annotations/train_label_to_hierarchical.csv").read_text(encoding="utf-8")
    assert "2,c/2,church building,chapel,human-made\n" in text


def test_fewer_images_leave_no_shard_of_the_old_ones(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig(images_per_shard=1))
    assert len(reviewed.shards(ANNOTATIONS["index"])) == 2
    write_inputs(reviewed, IMAGES[:1])
    run_annotate(reviewed, AnnotateConfig(images_per_shard=1))
    assert list(annotations(reviewed, "train")) == ["a0"]
    assert reviewed.shards(ANNOTATIONS["index"]) == []
    assert sorted(path.name for path in reviewed.path("annotations/data").iterdir()) == [
        "train-00000-of-00001.parquet"
    ]


def test_the_tables_of_an_earlier_version_are_gone(reviewed: Workspace) -> None:
    """They lay in folders of their own, which readers of the release would take for data."""
    old = dataclasses.replace(
        LANDMARK_LABELS, path="annotations/landmarks", schema=pa.schema([("a", pa.int64())])
    )
    other = dataclasses.replace(old, path="annotations/train")
    write_stage(reviewed, [(one, pa.table({"a": [1]})) for one in (old, other)])
    stray = reviewed.path("annotations/train/mine.txt")
    stray.write_text("kept")
    run_annotate(reviewed, AnnotateConfig())
    assert not reviewed.path("annotations/landmarks").exists()
    assert list(reviewed.path("annotations/train").iterdir()) == [stray]


def test_a_taxonomy_of_an_older_scrape_is_refused(reviewed: Workspace) -> None:
    more = SCRAPED | {("index", 2): [("Q40080", "beach")]}
    write_scrape(reviewed, class_rows(more), CATEGORIES)
    with pytest.raises(MissingInputError, match=r"class Q40080 .* run `hgld embed`"):
        run_annotate(reviewed, AnnotateConfig())


def test_a_build_without_classes_is_annotated_with_blanks(workspace: Workspace) -> None:
    none = table_of(CLASSES, [])
    write_metadata(workspace, LANDMARKS, IMAGES)
    write_scrape(workspace, none, [row | {"status": "no_p31"} for row in CATEGORIES])
    write_taxonomy(workspace, none, {})
    run_annotate(workspace, AnnotateConfig())
    assert all(workspace.shards(dataset) == [] for dataset in ANNOTATIONS.values())
    row = next(one for one in landmark_rows(workspace) if one["split"] == "index")
    assert (row["hierarchical_label"], row["supercategory"], row["classes"]) == (None, None, [])
    assert row["reason"] == "no_p31"
    assert len(workspace.read(HIERARCHY)) == 0
    assert len(workspace.read(EXCLUDED)) == len(IMAGES)


def test_the_landmarks_have_their_labels_and_all_that_their_classes_voted_for(
    reviewed: Workspace,
) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = landmark_rows(reviewed)
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


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="images_per_shard must be 1 or more, got 0"):
        AnnotateConfig(images_per_shard=0)


_KILLED = """
import os, signal, sys
from pathlib import Path
from hgld.annotations import stage as annotate
from hgld.engine.workspace import Workspace

whole, calls = annotate.annotated_rows, 0
def dying(images, landmarks):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(images, landmarks)

annotate.annotated_rows = dying
config = annotate.AnnotateConfig(images_per_shard=1, train="all")
annotate.run_annotate(Workspace(Path(sys.argv[1])), config)
"""


def test_a_run_killed_midway_goes_on_and_ends_with_the_same_digests(
    reviewed: Workspace, tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(reviewed.root)], cwd=root, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    done = reviewed.shards(ANNOTATIONS["train"])
    assert len(done) == 2
    assert reviewed.manifest("annotate") is None
    times = [path.stat().st_mtime_ns for path in done]

    config = AnnotateConfig(images_per_shard=1, train="all")
    resumed = run_annotate(reviewed, config).manifest
    assert [path.stat().st_mtime_ns for path in done] == times

    undisturbed = Workspace(tmp_path / "undisturbed")
    write_inputs(undisturbed)
    undisturbed_run = run_annotate(undisturbed, config)
    assert resumed.outputs == undisturbed_run.manifest.outputs
    assert resumed.records == undisturbed_run.manifest.records  # byte for byte


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
