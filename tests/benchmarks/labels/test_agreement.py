"""The comparison as a stage of a build: what it reads, writes, skips and refuses."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.agreement import (
    AGREEMENT_FILE,
    AGREEMENT_PAGE,
    SUSPECTS_SHEET,
    AgreeConfig,
    run_agree,
)
from hgld.benchmarks.labels.findings import web_address
from hgld.engine.workspace import Workspace
from hgld.errors import BelowGateError, InputError
from hgld.tables import SUSPECTS
from tests.benchmarks.labels.label_worlds import write_labelled_build, write_labels

MUSEUMS = range(1, 12)
CLASSES = {**{id_: ["Q3"] for id_ in MUSEUMS}, 12: ["Q2"], 13: ["Q4"]}
OFFICIAL = {**dict.fromkeys(MUSEUMS, "museum"), 7: "boat", 12: "ocean area ", 13: "church"}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "train_label_to_hierarchical.csv", OFFICIAL)


@pytest.fixture
def labelled(workspace: Workspace) -> Workspace:
    write_labelled_build(workspace, CLASSES)
    return workspace


def config_of(*official: Path, **settings: object) -> AgreeConfig:
    return replace(AgreeConfig(official=official), **settings)  # type: ignore[arg-type]  # its fields


def results(workspace: Workspace) -> tuple[dict[str, Any], list[float]]:
    """Returns all results, and the accuracy of each level."""
    found = json.loads(workspace.path(AGREEMENT_FILE).read_text(encoding="utf-8"))
    return found, [level["measures"]["accuracy"]["value"] for level in found["levels"]]


def test_a_build_is_compared_and_everything_written(labelled: Workspace, official: Path) -> None:
    report = run_agree(labelled, config_of(official))
    assert report.result == labelled.path(AGREEMENT_PAGE)
    found, accuracies = results(labelled)
    # 10 museums and the ocean area, of 13 with an official label
    assert accuracies == [11 / 13, 12 / 13]
    assert found["suspects"] == {"peers": 1}
    assert found["testable"] == {"peers": 11, "side": 0}
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
    write_labels(moved, {**OFFICIAL, 1: "boat"})
    assert not run_agree(labelled, config_of(moved)).skipped
    ours = write_labels(official.with_name("ours_train.csv"), OFFICIAL)
    assert not run_agree(labelled, config_of(moved, ours=ours)).skipped
    assert results(labelled)[1][0] == 12 / 13


def test_the_gate_is_the_share_of_the_officially_labelled(
    labelled: Workspace, official: Path
) -> None:
    run_agree(labelled, config_of(official, min_accuracy=11 / 13))
    with pytest.raises(BelowGateError, match=r"0\.8462"):  # also where nothing is to be done
        run_agree(labelled, config_of(official, min_accuracy=0.85))
    blank = write_labels(official.with_name("blank_train.csv"), dict.fromkeys(CLASSES))
    with pytest.raises(BelowGateError, match="nan"):
        run_agree(labelled, config_of(blank, min_accuracy=0.0))
    assert 'class="heat"' not in labelled.path(AGREEMENT_PAGE).read_text(encoding="utf-8")


def test_what_is_not_there_or_out_of_range_is_refused(workspace: Workspace, official: Path) -> None:
    missing = official.with_name("ours_train.csv")
    for word, config in {
        "annotate": config_of(official),
        "read": config_of(missing, ours=official),
        "ours_train": config_of(official, ours=missing),
    }.items():
        with pytest.raises(InputError, match=word):
            run_agree(workspace, config)
    assert not workspace.path(SUSPECTS.path).exists()
    for value in (92.0, float("nan")):
        with pytest.raises(ValueError, match="min_accuracy"):
            config_of(min_accuracy=value)


def test_a_strangers_text_is_text_and_no_formula_and_only_categories_are_linked(
    tmp_path: Path,
) -> None:
    hostile = "=1</code><script src=//evil.example onload='x'>&"
    labels = dict.fromkeys(MUSEUMS, hostile)
    ours = write_labels(tmp_path / "ours_train.csv", labels, texts=labels)
    official = write_labels(tmp_path / "official_train.csv", labels | {7: f"{hostile}2"})
    workspace = Workspace(tmp_path / "elsewhere")
    run_agree(workspace, config_of(official, ours=ours))
    sheet = workspace.path(SUSPECTS_SHEET).read_text(encoding="utf-8")
    assert ",'=1<" in sheet
    assert ",=1<" not in sheet
    html = workspace.path(AGREEMENT_PAGE).read_text(encoding="utf-8")
    assert "<script" not in html
    assert html.count("&lt;script src=//evil.example") > 5
    assert "default-src 'none'" in html
    assert not re.search(r"<(link|iframe|object|embed|img|base|form)|url\(|@import", html)
    links = re.findall(r"<a ([^>]*)>", html)
    category = r'href="http://commons.wikimedia.org/wiki/Category:\w+" rel="noreferrer nofollow"'
    assert all(re.fullmatch(category, one) for one in links)
    assert len(links) == 2  # an error, and a row that looks wrong
    for text in (" http://x.example", "http://x.example/\nrefresh", "data:text/html,x", "//x"):
        assert web_address(text) == ""
