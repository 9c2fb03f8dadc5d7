"""`python -m hgld.benchmarks.robustness`: with a build, without one, stopped, and misused."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.benchmarks.robustness import __main__ as command
from hgld.benchmarks.robustness.abstention.part import AbstentionSettings
from hgld.benchmarks.robustness.data_sets.features import FeatureSet
from hgld.benchmarks.robustness.failures import part as failures
from hgld.benchmarks.robustness.failures.classifier import ClassifierSettings
from hgld.benchmarks.robustness.failures.part import FailureSettings
from hgld.benchmarks.robustness.heads.confidence_head import HeadSettings
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS
from tests.benchmarks.robustness.failures.test_part import overlapping_rows
from tests.worlds.builders import table_of, write_stage

HEAD = HeadSettings(layers=1, hidden_units=16, epochs=2, learning_rate=3e-3)
CLASSIFIER = ClassifierSettings(hidden_units=16, epochs=2)
_COUNTS = {"train": (24, 8), "test": (6, 3), "index": (6, 4)}
"""Landmarks, and images of each."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small heads, and made-up rows in the place of scikit-learn's."""
    settings = FailureSettings(
        classifiers=(CLASSIFIER,), heads=(HEAD,), score_heads=(HEAD,), dropout_passes=2
    )
    monkeypatch.setattr(command, "AbstentionSettings", lambda: AbstentionSettings(heads=(HEAD,)))
    monkeypatch.setattr(command, "FailureSettings", lambda: settings)
    rows = dataclasses.replace(overlapping_rows(90), title="Made <up>")
    monkeypatch.setattr(command, "packaged_sets", lambda: [rows])


def write_labels(workspace: Workspace) -> None:
    """Writes annotations: four landmarks a super-category, and an image without a label."""
    tables = []
    for split, (landmarks, images) in _COUNTS.items():
        rows: list[dict[str, object]] = [
            {
                "image_id": f"{split}{landmark:02d}{image}",
                "landmark_id": landmark,
                "supercategory": "x",
                "hierarchical_label": f"class {landmark // 4}",
                "natural_or_human_made": "natural" if landmark < 8 else "human-made",
                "provenance": {"status": "ok"},
            }
            for landmark in range(landmarks)
            for image in range(images)
        ]
        tables.append((ANNOTATIONS[split], table_of(ANNOTATIONS[split], rows)))
    write_stage(workspace, tables)


def write_vectors(folder: Path, *, dimensions: int = 8) -> list[str]:
    """Writes embeddings of all images, those of a landmark near one another; returns the files."""
    generator = np.random.default_rng(0)
    paths = []
    for split, (landmarks, images) in _COUNTS.items():
        centres = generator.normal(size=(landmarks, dimensions))
        ids = np.repeat(np.arange(landmarks), images)
        rows = centres[ids] + generator.normal(size=(len(ids), dimensions))
        names = [f"{split}{one:02d}{image}" for one in range(landmarks) for image in range(images)]
        table = {"image_id": names, "embedding": list(rows.astype(np.float32))}
        paths.append(str(folder / f"{split}.parquet"))
        pq.write_table(pa.table(table), paths[-1])
    return paths


TWO_PARTS = ["--parts", "abstention", "failures"]


def written(tmp_path: Path) -> list[str]:
    return [*TWO_PARTS, "--out", str(tmp_path / "r.json"), "--page", str(tmp_path / "r.html")]


def units_of(tmp_path: Path) -> list[tuple[str, str, int]]:
    content = json.loads((tmp_path / "r.json").read_text())
    return [(unit["part"], unit["data_set"], unit["seed"]) for unit in content["units"]]


def test_without_a_build_packaged_data_is_measured(tmp_path: Path) -> None:
    assert command.main([*written(tmp_path), "--seeds", "0", "1"]) == 0
    assert units_of(tmp_path) == [("failures", "Made <up>", 0), ("failures", "Made <up>", 1)]
    content = json.loads((tmp_path / "r.json").read_text())
    assert {"git_commit", "versions", "cpu", "seeds", "planned"} <= content["metadata"].keys()
    page = (tmp_path / "r.html").read_text()
    assert "Made &lt;up&gt;" in page


def test_with_a_build_its_queries_are_refused_too(workspace: Workspace, tmp_path: Path) -> None:
    write_labels(workspace)
    train, query, index = write_vectors(tmp_path)
    arguments = ["--root", str(workspace.root), "--embeddings", f"mine={train}", query, index]
    assert command.main([*arguments, *written(tmp_path), "--seeds", "0"]) == 0
    assert units_of(tmp_path) == [
        ("abstention", "mine: test queries", 0),
        ("abstention", "mine: held-out landmarks", 0),
        ("failures", "Made <up>", 0),
        ("failures", "mine: landmark", 0),
        ("failures", "mine: super-category", 0),
        ("failures", "mine: super-category of unseen landmarks", 0),
        ("failures", "mine, index and test images: super-category", 0),
    ]
    content = json.loads((tmp_path / "r.json").read_text())
    of_queries = content["units"][0]["records"][0]["measures"]
    assert of_queries["queries"] + of_queries["undefined"] == 18


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    original = failures.predict_failures

    def watched(data: FeatureSet, seed: int, settings: FailureSettings) -> Sequence[object]:
        if seed == 1 and not done[1:]:
            done.append(seed)
            raise KeyboardInterrupt
        done.append(seed)
        return original(data, seed, settings)

    monkeypatch.setattr(failures, "predict_failures", watched)
    arguments = [*written(tmp_path), "--seeds", "0", "1"]
    with pytest.raises(KeyboardInterrupt):
        command.main(arguments)
    assert units_of(tmp_path) == [("failures", "Made <up>", 0)]
    assert command.main(arguments) == 0
    assert done == [0, 1, 1]
    assert command.main(arguments) == 0
    assert done == [0, 1, 1]
    assert len(units_of(tmp_path)) == 2


def test_what_other_commands_measured_stays_until_its_settings_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.main([*written(tmp_path), "--seeds", "0", "1"]) == 0
    before = json.loads((tmp_path / "r.json").read_text())["units"]
    assert command.main([*written(tmp_path), "--seeds", "2", "--parts", "abstention"]) == 0
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["units"] == before
    assert (content["metadata"]["done"], content["metadata"]["planned"]) == (2, 2)
    assert "Made &lt;up&gt;" in (tmp_path / "r.html").read_text()
    other = FailureSettings(
        classifiers=(CLASSIFIER,), heads=(HEAD,), score_heads=(HEAD,), dropout_passes=3
    )
    monkeypatch.setattr(command, "FailureSettings", lambda: other)
    assert command.main([*written(tmp_path), "--seeds", "1"]) == 0
    after = json.loads((tmp_path / "r.json").read_text())["units"]
    assert [unit["seed"] for unit in after] == [1, 0]
    assert after[0]["key"] != before[1]["key"]
    assert after[1] == before[0]


def test_misuse_is_told_in_one_line(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(workspace)
    files = write_vectors(tmp_path)
    root = ["--root", str(workspace.root)]
    cases = [
        (root, "--root"),
        (["--embeddings", *files], "--root"),
        (["--run", "mine"], "--root"),
        ([*root, "--embeddings", *files, "--embeddings", *files], "name"),
        ([*root, "--embeddings", f"mine={files[0]}", *files[1:], "--run", "mine"], "mine"),
        ([*root, "--embeddings", files[0], files[2], files[1]], "test"),
    ]
    (tmp_path / "other").mkdir()
    other = write_vectors(tmp_path / "other", dimensions=4)
    cases.append(([*root, "--embeddings", files[0], *other[1:]], "length"))
    for arguments, word in cases:
        assert command.main([*arguments, *written(tmp_path)]) == 1
        error = capsys.readouterr().err
        assert word in error
        assert error.count("\n") == 1
    assert not (tmp_path / "r.json").exists()
