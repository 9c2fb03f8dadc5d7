"""Labels that end early, compared on landmarks that no run was trained on."""

import dataclasses
from pathlib import Path

import pyarrow.compute as pc
import pytest

from hgld.benchmarks.retrieval import partial
from hgld.benchmarks.retrieval.changes import held_out
from hgld.benchmarks.retrieval.partial import (
    PartialTrial,
    divide_labels,
    planned_ways,
    shortened_landmarks,
)
from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.dataset import conform
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS, PARTIAL
from hgld.training.methods import Happier, SupAP
from tests.training.conftest import tiny_build
from tests.worlds.training_runs import COUNTS, TINY, TREE

__all__ = ["tiny_build"]  # a fixture


@pytest.mark.parametrize(("share", "count"), [(0.1, 10), (0.3, 29), (0.5, 49), (1.0, 98)])
def test_a_seed_shortens_that_share_and_the_same_landmarks_each_time(
    share: float, count: int
) -> None:
    landmarks = range(1000, 1098)
    found = shortened_landmarks(landmarks, share, 1)
    assert len(set(found)) == len(found) == count
    assert set(found) <= set(landmarks)
    assert found == shortened_landmarks([*reversed(landmarks)], share, 1)
    assert set(shortened_landmarks(landmarks, 0.1, 1)) <= set(found)
    assert share == 1 or found != shortened_landmarks(landmarks, share, 2)


def test_each_row_keeps_its_label_or_its_landmark_and_the_held_out_are_in_neither(
    tiny_build: Workspace,
) -> None:
    rows = tiny_build.read(ANNOTATIONS["train"])
    full, short = divide_labels(rows, [7, 8, 9, 80], [9, 80])
    assert set(full["landmark_id"].to_pylist()) == {7, 8}
    assert full.equals(rows.filter(pc.is_in(rows["landmark_id"], full["landmark_id"].unique())))
    of_landmark = conform(short, PARTIAL["train"].schema)
    assert len(of_landmark) == COUNTS["train"][9] + COUNTS["train"][80]
    assert set(of_landmark["landmark_id"].to_pylist()) == {9, 80}
    for column, value in (("hierarchical_label", None), ("natural_or_human_made", None)):
        assert of_landmark[column].unique().to_pylist() == [value]
    assert of_landmark["depth"].unique().to_pylist() == [1]


def test_the_ways_differ_in_what_they_make_of_short_labels_and_in_nothing_else() -> None:
    [whole] = planned_ways(TINY, 0.0, 2)
    without, leave_out, depth = planned_ways(TINY, 0.3, 2)
    assert [one.name for one in (whole, without, leave_out, depth)] == [
        *("all-2", "without-30-2", "leave_out-30-2", "depth-30-2")
    ]
    assert dataclasses.replace(without, name="all-2") == whole
    assert leave_out == dataclasses.replace(whole, name=leave_out.name, partial_labels=True)
    method = Happier(unknown="depth")
    assert depth == dataclasses.replace(leave_out, name=depth.name, method=method)
    with pytest.raises(InputError, match="happier"):
        next(planned_ways(dataclasses.replace(TINY, method=SupAP()), 0.3, 0))


def test_all_ways_are_compared_on_landmarks_that_none_was_trained_on(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    config = dataclasses.replace(TINY, frozen=True, epochs=1, batch_size=4)
    trial = PartialTrial(tiny_build, tmp_path / "trial", config)
    runs = [*trial.train(0.0, 0), *trial.train(0.5, 0)]
    trial.compare(runs)
    build = Workspace(tmp_path / "trial")
    results = read_results(build.path("benchmarks/comparisons/partial"))
    assert [one.name for one in results.methods] == ["untrained", *(f"after {one}" for one in runs)]
    held = held_out(tiny_build, dataclasses.replace(config, validation_share=0.3))
    landmarks = set(map(int, held.queries["landmark_id"].to_pylist()))
    assert results.counts["queries"] == len(held.queries)
    trained = [build.read(one["train"]) for one in (ANNOTATIONS, PARTIAL)]
    found = [set(one["landmark_id"].to_pylist()) for one in trained]
    assert not found[0] & found[1]
    assert found[0] | found[1] == TREE.keys() - landmarks
    # What is done is not done again.
    before = {
        path: path.stat().st_mtime_ns for path in build.path("runs").rglob("model.safetensors")
    }
    assert len(before) == len(runs)
    assert PartialTrial(tiny_build, tmp_path / "trial", config).train(0.5, 0) == runs[1:]
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_recipe_that_is_none_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert partial.main(["--root", str(tmp_path), "--recipe", "none"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "recipe" in line
