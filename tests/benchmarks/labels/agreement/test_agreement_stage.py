"""The comparison as a stage of a build: what it reads, writes, skips and refuses."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.agreement import stage as agree_module
from hgld.benchmarks.labels.agreement.config import (
    AGREEMENT_FILE,
    AGREEMENT_PAGE,
    LABEL_FILES,
    SUSPECTS_SHEET,
    AgreeConfig,
    agree_stage,
)
from hgld.benchmarks.labels.agreement.stage import Comparison, run_agree
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import BelowGateError, DamagedError, InputError, MissingInputError
from hgld.tables import SUSPECTS
from tests.benchmarks.labels.agreement.worlds import write_labelled_build, write_labels

CLASSES = {**{id_: ["Q3"] for id_ in range(1, 12)}, 12: ["Q2"], 13: ["Q4"]}
OFFICIAL: Mapping[int, str | None] = {
    **dict.fromkeys(range(1, 12), "museum"),
    7: "boat",
    12: "ocean area ",
    13: "church",
}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "train_label_to_hierarchical.csv", OFFICIAL)


@pytest.fixture
def labelled(workspace: Workspace) -> Workspace:
    write_labelled_build(workspace, CLASSES)
    return workspace


def config_of(*official: Path, **settings: object) -> AgreeConfig:
    return replace(AgreeConfig(official=official), **settings)  # type: ignore[arg-type]  # its fields


def results(workspace: Workspace) -> Any:  # noqa: ANN401 - JSON
    return json.loads(workspace.path(AGREEMENT_FILE).read_text(encoding="utf-8"))


def accuracies(workspace: Workspace) -> list[float]:
    return [level["measures"]["accuracy"]["value"] for level in results(workspace)["levels"]]


def test_a_build_is_compared_and_everything_written(
    labelled: Workspace, official: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    report = run_agree(labelled, config_of(official))
    assert report.result == labelled.path(AGREEMENT_PAGE)
    assert report.manifest.rows == 1
    # 10 museums and the ocean area, of 13 with an official label
    assert accuracies(labelled) == [11 / 13, 12 / 13]
    found = results(labelled)
    assert found["suspects"] == {"peers": 1}
    assert found["testable"] == {"peers": 11, "side": 0}
    assert "11 official rows could be tested" in caplog.text
    (row,) = labelled.read(SUSPECTS).to_pylist()
    assert (row["landmark_id"], row["class_qid"]) == (7, "Q3")
    with labelled.path(SUSPECTS_SHEET).open(encoding="utf-8", newline="") as file:
        (sheet_row,) = csv.DictReader(file)
    assert sheet_row == {key: str(value) for key, value in row.items()}
    page = labelled.path(AGREEMENT_PAGE).read_text(encoding="utf-8")
    assert "Q3" in page
    assert "84.6" in page


def test_it_runs_again_where_anything_changed_and_only_there(
    labelled: Workspace, official: Path
) -> None:
    config = config_of(official)
    assert not run_agree(labelled, config).skipped
    assert run_agree(labelled, config).skipped
    # The rows of the file count, wherever it lies.
    moved = official.rename(official.with_name("moved_train.csv"))
    assert run_agree(labelled, config_of(moved)).skipped
    assert not run_agree(labelled, config_of(moved, peers=3)).skipped
    write_labels(moved, {**OFFICIAL, 1: "boat"})
    assert not run_agree(labelled, config_of(moved, peers=3)).skipped
    ours = write_labels(official.with_name("ours_train.csv"), OFFICIAL)
    assert not run_agree(labelled, config_of(moved, ours=ours)).skipped
    assert accuracies(labelled)[0] == 12 / 13


def test_a_killed_comparison_is_made_whole(
    labelled: Workspace, official: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_found: Comparison, _suspects: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(agree_module, "render_agreement", fail)
        with pytest.raises(KeyboardInterrupt):
            run_agree(labelled, config_of(official))
    assert not labelled.path(AGREEMENT_PAGE).exists()
    assert stage_status(labelled, agree_stage(config_of(official))).state == "incomplete"
    killed = run_agree(labelled, config_of(official))
    figures = results(labelled)["levels"]
    whole = run_agree(replace(labelled, remakes=True), config_of(official))
    assert killed.manifest.outputs[SUSPECTS.path] == whole.manifest.outputs[SUSPECTS.path]
    assert results(labelled)["levels"] == figures


def test_a_release_is_compared_without_a_build(tmp_path: Path, official: Path) -> None:
    release = tmp_path / "release"
    write_labels(release / "train_label_to_hierarchical.csv", {1: "museum", 2: "lake"})
    workspace = Workspace(tmp_path / "elsewhere")
    run_agree(workspace, config_of(official, ours=release))
    assert accuracies(workspace)[0] == 1 / 2
    # It read nothing of a build, so that there is nothing of one that could have changed.
    assert stage_status(workspace, agree_stage(AgreeConfig())).state == "done"


def test_a_build_that_was_annotated_again_makes_it_stale(
    labelled: Workspace, official: Path
) -> None:
    run_agree(labelled, config_of(official))
    assert stage_status(labelled, agree_stage(AgreeConfig())).state == "done"
    write_labelled_build(labelled, CLASSES | {14: ["Q1"]})
    assert stage_status(labelled, agree_stage(AgreeConfig())).state == "stale"


@pytest.mark.parametrize(("least", "passes"), [(11 / 13, True), (0.85, False)])
def test_the_gate_is_the_share_of_the_officially_labelled(
    labelled: Workspace, official: Path, least: float, passes: bool
) -> None:
    config = config_of(official, min_accuracy=least)
    if passes:
        run_agree(labelled, config)
        return
    for _ in range(2):  # also where the comparison itself is up to date
        with pytest.raises(BelowGateError, match=r"0\.8462"):
            run_agree(labelled, config)
    assert labelled.path(AGREEMENT_PAGE).exists()


def test_nothing_to_measure_passes_no_gate(labelled: Workspace, tmp_path: Path) -> None:
    blank = write_labels(tmp_path / "blank_train.csv", dict.fromkeys(CLASSES))
    with pytest.raises(BelowGateError, match="nan"):
        run_agree(labelled, config_of(blank, min_accuracy=0.0))


def test_a_build_without_annotations_is_sent_to_make_them(
    workspace: Workspace, official: Path
) -> None:
    with pytest.raises(MissingInputError, match="annotate"):
        run_agree(workspace, config_of(official))


def test_annotations_that_were_altered_are_refused(labelled: Workspace, official: Path) -> None:
    with labelled.path(LABEL_FILES["train"]).open("a", encoding="utf-8") as file:
        file.write("99,,,lake,natural\n")
    with pytest.raises(DamagedError, match="train_label_to_hierarchical"):
        run_agree(labelled, config_of(official))


def test_files_that_cannot_be_used_leave_nothing_behind(
    labelled: Workspace, official: Path, tmp_path: Path
) -> None:
    for config, text in (
        (config_of(tmp_path / "train.csv"), "train"),
        (config_of(official, ours=tmp_path / "ours_train.csv"), "ours_train"),
    ):
        with pytest.raises(InputError, match=text):
            run_agree(labelled, config)
    assert not labelled.path(SUSPECTS.path).exists()
    assert stage_status(labelled, agree_stage(AgreeConfig())).state == "missing"


def test_cells_of_the_sheet_are_no_formulas(tmp_path: Path) -> None:
    formula = "=HYPERLINK(1)"
    texts = dict.fromkeys(range(1, 12), formula)
    museums = dict.fromkeys(range(1, 12), formula)
    labels = write_labels(tmp_path / "official_train.csv", museums | {7: "boat"})
    ours = write_labels(tmp_path / "ours_train.csv", museums, texts=texts)
    workspace = Workspace(tmp_path / "elsewhere")
    run_agree(workspace, config_of(labels, ours=ours))
    text = workspace.path(SUSPECTS_SHEET).read_text(encoding="utf-8")
    assert f",'{formula}," in text
    assert f",{formula}," not in text


@pytest.mark.parametrize(
    ("setting", "value"), [("peers", 0), ("min_accuracy", 92.0), ("min_accuracy", float("nan"))]
)
def test_settings_out_of_range_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=setting):
        config_of(**{setting: value})


def test_the_published_files_agree_with_themselves_but_for_their_blank(
    shared: Path, tmp_path: Path
) -> None:
    """The real files of the mini GLDv2, and a copy that an editor took the blank from."""
    folder = shared / "gldv2_mini/metadata"
    names = ("train_label_to_hierarchical.csv", "index_label_to_hierarchical.csv")
    for name in names:
        content = (folder / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(
            content.replace("ocean area ,", "ocean area,"), encoding="utf-8"
        )
    workspace = Workspace(tmp_path / "elsewhere")
    run_agree(workspace, config_of(*(folder / name for name in names), ours=tmp_path))
    found = results(workspace)
    for level in found["levels"]:
        assert {level["measures"][name]["value"] for name in ("accuracy", "macro_f1", "ari")} == {1}
    spelled = [level["spelled_otherwise"] for level in found["levels"]]
    assert spelled == [[["ocean area ", "ocean area"]], []]
    assert {split: one["both"] for split, one in found["files"].items()} == {
        "index": 56,
        "train": 716,
    }
