import pytest

from hgld.benchmarks.retrieval.costs import (
    TrainedRun,
    name_of_runs,
    read_trained_run,
    runs_by_method,
)
from hgld.engine.files import write_text
from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.training.config import model_files, train_stage

SETTINGS: dict[str, object] = {
    "name": "happier",
    "seed": 3,
    "method": {"name": "happier"},
    "epochs": 2,
    "batch_size": 72,
    "learning_rate": 3e-4,
}


def run(seed: int = 0, **changes: object) -> TrainedRun:
    return TrainedRun(
        settings={**SETTINGS, "name": f"run {seed}", "seed": seed, **changes},
        inputs={"annotations/train": "digest"},
        hours=None,
        peak_memory_mb=None,
    )


def finish(workspace: Workspace, settings: dict[str, object]) -> str:
    """Ends a training that left a model, and returns its fingerprint."""
    stage = train_stage("happier")
    stage = Stage(name=stage.name, version=stage.version, output_files=stage.output_files)

    def produce(writer: StageWriter) -> None:
        for file in stage.output_files:
            with writer.file(file) as path:
                path.write_bytes(b"weights")

    return run_stage(workspace, stage, settings, produce).manifest.fingerprint


def test_a_run_has_the_settings_and_the_hours_that_were_recorded(workspace: Workspace) -> None:
    finish(workspace, SETTINGS)
    lines = ['{"step": 50, "images_per_s": 10}', '{"step": 100, "images_per_s": 20}']
    write_text(workspace.path("runs/happier/metrics.jsonl"), "\n".join(lines))
    found = read_trained_run(workspace, "happier")
    assert found is not None
    assert found.settings == SETTINGS
    assert found.seed == 3
    assert found.hours == pytest.approx(0.15)
    assert found.peak_memory_mb is None

    lines = ['{"step": 50, "peak_memory_mb": 812.5}', '{"step": 100, "peak_memory_mb": 810.0}', "{"]
    write_text(workspace.path("runs/happier/metrics.jsonl"), "\n".join(lines))
    found = read_trained_run(workspace, "happier")
    assert found is not None
    assert found.peak_memory_mb == 812.5


def test_of_a_model_that_no_training_left_nothing_is_known(workspace: Workspace) -> None:
    weights = workspace.path(model_files("happier")[0])
    write_text(weights, "put there by hand")
    assert read_trained_run(workspace, "happier") is None
    finish(workspace, SETTINGS)
    assert read_trained_run(workspace, "happier") is not None
    write_text(weights, "put there by hand later")
    assert read_trained_run(workspace, "happier") is None


def test_a_run_without_a_log_has_no_hours(workspace: Workspace) -> None:
    finish(workspace, SETTINGS)
    found = read_trained_run(workspace, "happier")
    assert found is not None
    assert found.hours is None


def test_runs_that_differ_in_their_seed_alone_are_one_method() -> None:
    other_data = TrainedRun(
        settings=run(2).settings, inputs={"annotations/train": "x"}, hours=None, peak_memory_mb=None
    )
    runs = {
        "a": run(0),
        "longer": run(0, epochs=3),
        "by hand": None,
        "b": run(1),
        "other data": other_data,
        "longer too": run(4, epochs=3),
        "also by hand": None,
        "once more": run(1),
        "c": run(2),
    }
    assert runs_by_method(runs) == [
        *(["a", "b", "c"], ["longer", "longer too"], ["by hand"], ["other data"]),
        *(["also by hand"], ["once more"]),
    ]
    assert runs_by_method({}) == []
    assert runs_by_method({"a": run(0), "the same again": run(0)}) == [["a"], ["the same again"]]


@pytest.mark.parametrize(
    ("seeds", "name"),
    [
        ({"mini-csl-0": 0, "mini-csl-10": 10}, "mini-csl"),
        ({"csl_1": 1, "csl_2": 2}, "csl"),
        ({"csl1": 1, "csl2": 2}, "csl"),
        ({"csl-0": 0, "csl-2": 1}, "csl-0, csl-2"),  # the numbers are no seeds
        ({"csl-0": 0, "nsm-1": 1}, "csl-0, nsm-1"),
        ({"0": 0, "1": 1}, "0, 1"),
    ],
)
def test_runs_of_several_seeds_are_called_by_what_their_names_share(
    seeds: dict[str, int], name: str
) -> None:
    assert name_of_runs(seeds) == name
