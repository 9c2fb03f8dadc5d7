from collections.abc import Mapping, Sequence

import pytest

from hgld.annotations.stage import AnnotateConfig, annotate_stage, run_annotate
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import EXCLUDED, FILLS, LANDMARK_LABELS
from tests.hgld.annotations.world import HERITAGE, annotations
from tests.worlds.builders import table_of, write_stage

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
        "b0": "ocean area ",
        "b1": "museum",
    }
    assert train["a2"]["natural_or_human_made"] == "natural"
    assert train["a2"]["supercategory"] == "World Heritage Site"  # as without a fill
    assert train["a2"]["method"] == "zero_shot"
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
    provenance = {key: row["provenance"] for key, row in train.items()}
    assert provenance["a0"]["decision"] == "assigned"
    assert provenance["a0"]["method"] is provenance["a0"]["confidence"] is None
    assert (provenance["a3"]["status"], provenance["a3"]["decision"]) == ("ok", "filled")
    excluded = reviewed.read(EXCLUDED).to_pylist()
    assert {row["image_id"]: row["reason"] for row in excluded if row["split"] == "train"} == {
        "a1": "not_clean",
        "a4": "not_scraped",
        "a5": "no_category",
    }
    rules = {
        row["landmark_id"]: row["rule"]
        for row in reviewed.read(LANDMARK_LABELS).to_pylist()
        if row["split"] == "train"
    }
    assert rules == {
        1: "most_votes",
        2: "only_label",
        3: "filled",
        4: "filled",
        5: "no_vote",
    }
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
    assert (row["hierarchical_label"], row["provenance"]["method"]) == ("cave", "c")


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
    assert "a3" not in annotations(reviewed, "train")
    config = AnnotateConfig(fills=True)
    assert stage_status(reviewed, annotate_stage(config)).state == "done"
