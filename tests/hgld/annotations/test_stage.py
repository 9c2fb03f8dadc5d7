import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hgld.annotations.stage import AnnotateConfig, annotate_stage, run_annotate
from hgld.engine.files import file_digest
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import ANNOTATIONS, CLASSES, FILLS, LANDMARK_LABELS, TAXONOMY
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)

CHURCH, PARISH, MUSEUM, HERITAGE, LAKE = "Q16970", "Q317557", "Q33506", "Q9259", "Q23397"
LABELS = {
    CHURCH: "church building",
    PARISH: "parish church",
    MUSEUM: "museum",
    HERITAGE: "World Heritage Site",
    LAKE: "lake, or pond",
}
DECISIONS = {
    CHURCH: ("assigned", "church", "human-made"),
    PARISH: ("assigned", "church", "human-made"),
    MUSEUM: ("assigned", "museum", "human-made"),
    LAKE: ("proposed", "ocean area ", "natural"),
}
OF_LANDMARKS = {
    ("train", 1): [CHURCH, PARISH, MUSEUM, HERITAGE],
    ("train", 2): [CHURCH],
    ("train", 3): [HERITAGE],
    ("index", 1): [LAKE],
    ("index", 2): [CHURCH, MUSEUM],
}
SCRAPED = {
    landmark: [(qid, LABELS[qid]) for qid in qids] for landmark, qids in OF_LANDMARKS.items()
}
LANDMARKS: list[dict[str, object]] = [
    {"split": "train", "landmark_id": 3, "category": "c/3"},
    {"split": "train", "landmark_id": 1, "category": "c/1"},
    {"split": "train", "landmark_id": 2, "category": "c/2"},
    {"split": "train", "landmark_id": 4, "category": "c/4"},
    {"split": "train", "landmark_id": 5, "category": "c/5"},
    {"split": "index", "landmark_id": 1, "category": 'c/Lake_"x",_y'},
    {"split": "index", "landmark_id": 2, "category": "c/é"},
]
CATEGORIES: list[dict[str, object]] = [
    *[
        {"split": split, "landmark_id": number, "category": "", "status": "ok", "qid": f"Q{number}"}
        | {"revision_id": 10 + number, "fetched_at": datetime(2025, 1, 1, tzinfo=UTC)}
        for split, number in SCRAPED
    ],
    {"split": "train", "landmark_id": 4, "category": "", "status": "no_item"},
]
IMAGES: list[dict[str, object]] = [
    {"split": "train", "image_id": "a0", "landmark_id": 1, "in_clean": True},
    {"split": "train", "image_id": "a1", "landmark_id": 1, "in_clean": False},
    {"split": "train", "image_id": "a2", "landmark_id": 3, "in_clean": True},
    {"split": "train", "image_id": "a3", "landmark_id": 4, "in_clean": True},
    {"split": "train", "image_id": "a4", "landmark_id": 5, "in_clean": True},
    {"split": "train", "image_id": "a5", "landmark_id": 6, "in_clean": True},
    {"split": "index", "image_id": "b0", "landmark_id": 1},
    {"split": "index", "image_id": "b1", "landmark_id": 2},
    {"split": "test", "image_id": "c0", "landmark_id": 1, "usage": "Public"},
    {"split": "test", "image_id": "c1", "usage": "Ignored"},
]


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    write_inputs(workspace)
    return workspace


def write_inputs(
    workspace: Workspace, images: Sequence[Mapping[str, object]] = tuple(IMAGES)
) -> None:
    write_metadata(workspace, LANDMARKS, images)
    write_scrape(workspace, class_rows(SCRAPED), CATEGORIES)
    write_taxonomy(workspace, class_rows(SCRAPED), DECISIONS)


def annotations(workspace: Workspace, split: str) -> dict[str, dict[str, object]]:
    return {row["image_id"]: row for row in workspace.read(ANNOTATIONS[split]).to_pylist()}


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
    names = ("class_qid", "decision", "reviewer", "method", "confidence", "accepted_above")
    said = {
        key: tuple(row["provenance"][name] for name in names)  # type: ignore[index] # a struct
        for key, row in rows.items()
    }
    assert said["a0"] == (PARISH, "proposed", None, None, 0.96875, 0.95)
    assert said["b1"] == (MUSEUM, "proposed", None, None, 0.25, 0.0)
    assert said["a2"] == (HERITAGE, "ignored", "ann", None, None, None)
    (row,) = [
        one
        for one in reviewed.read(LANDMARK_LABELS).to_pylist()
        if (one["split"], one["landmark_id"]) == ("train", 1)
    ]
    assert row["provenance"]["accepted_above"] == 0.95


def test_an_image_without_a_label_is_kept_and_says_why(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = annotations(reviewed, "train") | annotations(reviewed, "test")
    why = {key: row["provenance"]["status"] for key, row in rows.items()}  # type: ignore[index] # a struct
    assert why == {
        "a0": "ok",
        "a2": "ignored",
        "a3": "no_item",
        "a4": "not_scraped",
        "a5": "no_landmark",
        "c0": "ok",
        "c1": "no_landmark",
    }
    for key in ("a2", "a3", "a4", "a5", "c1"):
        assert rows[key]["hierarchical_label"] is rows[key]["natural_or_human_made"] is None
    assert rows["a2"]["supercategory"] == "World Heritage Site"  # as the published files do
    assert (rows["a5"]["landmark_id"], rows["a5"]["category"]) == (6, None)
    assert (rows["c1"]["landmark_id"], rows["c1"]["classes"]) == (None, None)
    assert (rows["a3"]["category"], rows["a3"]["classes"]) == ("c/4", [])


def test_test_images_have_the_landmarks_of_the_index(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    row = annotations(reviewed, "test")["c0"]
    assert (row["landmark_id"], row["hierarchical_label"]) == (1, "ocean area ")
    assert row["natural_or_human_made"] == "natural"
    assert row["provenance"] == annotations(reviewed, "index")["b0"]["provenance"]


def test_train_has_the_clean_images_or_all(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    assert "a1" not in annotations(reviewed, "train")
    assert not run_annotate(reviewed, AnnotateConfig(train="all")).skipped
    assert list(annotations(reviewed, "train")) == ["a0", "a1", "a2", "a3", "a4", "a5"]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_shards_of_any_size_hold_the_same_rows_in_the_same_order(
    reviewed: Workspace, size: int
) -> None:
    run_annotate(reviewed, AnnotateConfig(images_per_shard=size))
    assert list(annotations(reviewed, "train")) == ["a0", "a2", "a3", "a4", "a5"]
    assert len(reviewed.shards(ANNOTATIONS["train"])) == -(-5 // size)


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


def test_the_sums_name_every_file_and_agree_with_it(reviewed: Workspace) -> None:
    manifest = run_annotate(reviewed, AnnotateConfig(images_per_shard=2)).manifest
    folder = reviewed.path("annotations")
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {line[66:]: line[:64] for line in lines}
    assert {f"annotations/{name}" for name in sums} == set(manifest.files) - {
        "annotations/SHA256SUMS"
    }
    assert all(file_digest(folder / name) == digest for name, digest in sums.items())


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
    run_annotate(reviewed, AnnotateConfig(images_per_shard=2))
    write_inputs(reviewed, IMAGES[:1])
    run_annotate(reviewed, AnnotateConfig(images_per_shard=2))
    assert list(annotations(reviewed, "train")) == ["a0"]
    assert reviewed.shards(ANNOTATIONS["index"]) == []
    assert "index/" not in reviewed.path("annotations/SHA256SUMS").read_text(encoding="utf-8")


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
    row = annotations(workspace, "index")["b0"]
    assert (row["hierarchical_label"], row["supercategory"], row["classes"]) == (None, None, [])
    assert row["provenance"]["status"] == "no_p31"  # type: ignore[index] # a struct


def test_the_landmarks_have_their_labels_and_all_that_their_classes_voted_for(
    reviewed: Workspace,
) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = reviewed.read(LANDMARK_LABELS).to_pylist()
    keys = [(row["split"], row["landmark_id"]) for row in rows]
    assert keys == [("index", 1), ("index", 2), *(("train", number) for number in (3, 1, 2, 4, 5))]
    of_image = annotations(reviewed, "train")["a0"]
    one = rows[keys.index(("train", 1))]
    shared = of_image.keys() - {"image_id"}
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


FILLED: list[dict[str, object]] = [
    *(
        {"split": split, "landmark_id": number, "status": "ok", "hierarchical_label": label}
        | {"natural_or_human_made": "natural", "confidence": 0.75, "share": 1.0}
        for split, number, label in (
            *(("train", 1, "lake"), ("train", 3, "park"), ("train", 4, "hill")),
            ("index", 1, "bay"),
        )
    ),
    {"split": "train", "landmark_id": 5, "status": "low_share", "confidence": 0.5, "share": 0.2},
    # of the index, where the train landmark 4 is another one
    {"split": "index", "landmark_id": 4, "status": "ok", "hierarchical_label": "cave"},
]
ONE_FILL = {"pictures": 3, "left_out": 0, "evidence": "", "method": "zero_shot", "made_from": ""}


def write_fills(workspace: Workspace, rows: Sequence[Mapping[str, object]] = FILLED) -> None:
    write_stage(workspace, [(FILLS, table_of(FILLS, [ONE_FILL | dict(row) for row in rows]))])


def test_fills_label_the_landmarks_that_no_class_does_and_no_other(reviewed: Workspace) -> None:
    write_fills(reviewed)
    run_annotate(reviewed, AnnotateConfig(fills=True))
    train, index = annotations(reviewed, "train"), annotations(reviewed, "index")
    labels = {key: row["hierarchical_label"] for key, row in (train | index).items()}
    assert labels == {
        "a0": "church",  # by its classes, whatever its pictures say
        "a2": "park",
        "a3": "hill",
        "a4": None,
        "a5": None,
        "b0": "ocean area ",
        "b1": "museum",
    }
    assert train["a2"]["natural_or_human_made"] == "natural"
    assert train["a2"]["supercategory"] == "World Heritage Site"  # as without a fill
    assert train["a2"]["provenance"] == {
        "status": "ok",
        "revision_id": 13,
        "class_qid": HERITAGE,
        "decision": "filled",
        "reviewer": None,
        "method": "zero_shot",
        "confidence": 0.75,
        "accepted_above": None,
    }
    provenance: dict[str, dict[str, object]] = {
        key: row["provenance"]  # type: ignore[misc] # a struct
        for key, row in train.items()
    }
    assert provenance["a0"]["decision"] == "assigned"
    assert provenance["a0"]["method"] is provenance["a0"]["confidence"] is None
    assert (provenance["a3"]["status"], provenance["a3"]["decision"]) == ("ok", "filled")
    assert (provenance["a4"]["status"], provenance["a4"]["decision"]) == ("not_scraped", None)
    text = reviewed.path("annotations/train_label_to_hierarchical.csv").read_text(encoding="utf-8")
    assert text.splitlines()[1:] == [
        "3,c/3,World Heritage Site,park,natural",
        "1,c/1,parish church,church,human-made",
        "2,c/2,church building,church,human-made",
        "4,c/4,,hill,natural",
        "5,c/5,,,",
    ]


def test_of_the_fills_of_several_methods_the_most_confident_counts(reviewed: Workspace) -> None:
    landmark = {"split": "train", "landmark_id": 3, "status": "ok"}
    side = {"natural_or_human_made": "natural"}
    write_fills(
        reviewed,
        [
            landmark | side | {"hierarchical_label": "hill", "confidence": 0.6, "method": "b"},
            landmark | side | {"hierarchical_label": "cave", "confidence": 0.8, "method": "c"},
            landmark | {"status": "low_share", "confidence": 0.9, "method": "a"},
        ],
    )
    run_annotate(reviewed, AnnotateConfig(fills=True))
    row = annotations(reviewed, "train")["a2"]
    assert (row["hierarchical_label"], row["provenance"]["method"]) == ("cave", "c")  # type: ignore[index] # a struct


def test_fills_are_not_taken_unless_that_is_asked_for(
    reviewed: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    without = run_annotate(reviewed, AnnotateConfig()).manifest
    assert "labels/fills" not in caplog.text
    write_fills(reviewed)
    with caplog.at_level("INFO"):
        assert run_annotate(reviewed, AnnotateConfig()).skipped
    assert "annotate: labels/fills is there and not taken; --fills does" in caplog.text
    taken = run_annotate(reviewed, AnnotateConfig(fills=True))
    assert not taken.skipped
    assert taken.manifest.outputs != without.outputs
    assert run_annotate(reviewed, AnnotateConfig(fills=True)).skipped
    assert run_annotate(reviewed, AnnotateConfig()).manifest.outputs == without.outputs


def test_other_fills_run_again_and_no_fills_say_what_to_run(reviewed: Workspace) -> None:
    with pytest.raises(MissingInputError, match="run `hgld fill`"):
        run_annotate(reviewed, AnnotateConfig(fills=True))
    write_fills(reviewed)
    run_annotate(reviewed, AnnotateConfig(fills=True))
    write_fills(reviewed, FILLED[:2])
    assert not run_annotate(reviewed, AnnotateConfig(fills=True)).skipped
    assert annotations(reviewed, "train")["a3"]["hierarchical_label"] is None
    config = AnnotateConfig(fills=True)
    assert stage_status(reviewed, annotate_stage(config)).state == "done"


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="images_per_shard must be 1 or more, got 0"):
        AnnotateConfig(images_per_shard=0)


_KILLED = """
import os, signal, sys
from pathlib import Path
from hgld.annotations import stage as annotate
from hgld.engine.workspace import Workspace

whole, calls = annotate._annotated, 0
def dying(images, landmarks):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(images, landmarks)

annotate._annotated = dying
config = annotate.AnnotateConfig(images_per_shard=2)
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

    resumed = run_annotate(reviewed, AnnotateConfig(images_per_shard=2)).manifest
    assert [path.stat().st_mtime_ns for path in done] == times

    undisturbed = Workspace(tmp_path / "undisturbed")
    write_inputs(undisturbed)
    assert resumed.outputs == (
        run_annotate(undisturbed, AnnotateConfig(images_per_shard=2)).manifest.outputs
    )


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
    assert [row["landmark_id"] for row in rows] == numbers
    for row in rows:
        expected = {qid for qid, _ in scraped["train", row["landmark_id"]]}
        assert {item["class_qid"] for item in row["classes"]} == expected
        assert row["provenance"]["class_qid"] in expected
