"""The comparison as a stage of a build: what it reads, writes, skips and refuses."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.agreement.config import (
    AGREEMENT_FILE,
    AGREEMENT_PAGE,
    LABEL_FILES,
    SUSPECTS_SHEET,
    AgreeConfig,
)
from hgld.benchmarks.labels.agreement.stage import run_agree
from hgld.engine.workspace import Workspace
from hgld.errors import BelowGateError, InputError, MissingInputError
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


def test_a_build_is_compared_and_everything_written(labelled: Workspace, official: Path) -> None:
    report = run_agree(labelled, config_of(official))
    assert report.result == labelled.path(AGREEMENT_PAGE)
    # 10 museums and the ocean area, of 13 with an official label
    assert accuracies(labelled) == [11 / 13, 12 / 13]
    assert results(labelled)["suspects"] == {"peers": 1}
    assert results(labelled)["testable"] == {"peers": 11, "side": 0}
    (row,) = labelled.read(SUSPECTS).to_pylist()
    assert (row["landmark_id"], row["class_qid"]) == (7, "Q3")
    with labelled.path(SUSPECTS_SHEET).open(encoding="utf-8", newline="") as file:
        (sheet_row,) = csv.DictReader(file)
    assert sheet_row == {key: str(value) for key, value in row.items()}


def test_it_runs_again_where_anything_changed_and_only_there(
    labelled: Workspace, official: Path
) -> None:
    assert not run_agree(labelled, config_of(official)).skipped
    # The rows of the file count, wherever it lies.
    moved = official.rename(official.with_name("moved_train.csv"))
    assert run_agree(labelled, config_of(moved)).skipped
    assert not run_agree(labelled, config_of(moved, peers=3)).skipped
    write_labels(moved, {**OFFICIAL, 1: "boat"})
    assert not run_agree(labelled, config_of(moved, peers=3)).skipped
    ours = write_labels(official.with_name("ours_train.csv"), OFFICIAL)
    assert not run_agree(labelled, config_of(moved, ours=ours)).skipped
    assert accuracies(labelled)[0] == 12 / 13


def test_the_gate_is_the_share_of_the_officially_labelled(
    labelled: Workspace, official: Path
) -> None:
    run_agree(labelled, config_of(official, min_accuracy=11 / 13))
    with pytest.raises(BelowGateError, match=r"0\.8462"):  # also where nothing is to be done
        run_agree(labelled, config_of(official, min_accuracy=0.85))
    blank = write_labels(official.with_name("blank_train.csv"), dict.fromkeys(CLASSES))
    with pytest.raises(BelowGateError, match="nan"):
        run_agree(labelled, config_of(blank, min_accuracy=0.0))
    assert labelled.path(AGREEMENT_PAGE).exists()


def test_what_is_not_there_is_refused(workspace: Workspace, official: Path) -> None:
    with pytest.raises(MissingInputError, match="annotate"):
        run_agree(workspace, config_of(official))
    missing = official.with_name("ours_train.csv")
    for config in (config_of(missing, ours=official), config_of(official, ours=missing)):
        with pytest.raises(InputError, match="ours_train"):
            run_agree(workspace, config)
    assert not workspace.path(SUSPECTS.path).exists()


def test_cells_of_the_sheet_are_no_formulas(tmp_path: Path) -> None:
    museums = dict.fromkeys(range(1, 12), "=HYPERLINK(1)")
    labels = write_labels(tmp_path / "official_train.csv", museums | {7: "boat"})
    ours = write_labels(tmp_path / "ours_train.csv", museums, texts=museums)
    workspace = Workspace(tmp_path / "elsewhere")
    run_agree(workspace, config_of(labels, ours=ours))
    text = workspace.path(SUSPECTS_SHEET).read_text(encoding="utf-8")
    assert ",'=HYPERLINK(1)," in text
    assert ",=HYPERLINK" not in text


@pytest.mark.parametrize(
    ("setting", "value"), [("peers", 0), ("min_accuracy", 92.0), ("min_accuracy", float("nan"))]
)
def test_settings_out_of_range_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=setting):
        config_of(**{setting: value})


def test_the_published_files_agree_with_a_copy_that_lost_their_blank(
    shared: Path, tmp_path: Path
) -> None:
    folder = shared / "gldv2_mini/metadata"
    official = [folder / Path(name).name for name in LABEL_FILES.values()]
    for path in official:
        content = path.read_text(encoding="utf-8").replace("ocean area ,", "ocean area,")
        (tmp_path / path.name).write_text(content, encoding="utf-8")
    workspace = Workspace(tmp_path / "elsewhere")
    run_agree(workspace, config_of(*official, ours=tmp_path))
    assert accuracies(workspace) == [1, 1]
