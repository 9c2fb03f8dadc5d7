import dataclasses

import pytest

from hgld.engine.workspace import Workspace
from hgld.training.run import estimate
from hgld.training.run.estimate import RunEstimate, estimate_train
from hgld.training.run.step import take_step
from tests.worlds.training_runs import TINY


def test_an_estimate_takes_some_steps_and_leaves_nothing(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counted(*args: object, **kwargs: object) -> None:
        taken.append(1)
        take_step(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(estimate, "take_step", counted)
    found = estimate_train(tiny_build, dataclasses.replace(TINY, epochs=500))
    assert len(taken) == 23
    assert found.steps == 1000
    assert found.images_per_s == pytest.approx(8 / found.step_s)
    assert found.hours == pytest.approx(1000 * found.step_s / 3600)
    assert 0.1 < found.memory_gb < 30
    # A short run is estimated from what steps it has.
    assert estimate_train(tiny_build, dataclasses.replace(TINY, epochs=1)).steps == 2
    assert not tiny_build.path("runs").exists()


def test_an_estimate_says_the_steps_the_hours_and_the_memory() -> None:
    found = RunEstimate(
        device="cuda:0", processes=8, steps=72_000, step_s=0.5, images_per_s=512, memory_gb=31.24
    )
    for told in ("72,000", "cuda:0", "10 hours", "80 GPU hours", "31.2 GB"):
        assert told in " ".join(found.words().split())
