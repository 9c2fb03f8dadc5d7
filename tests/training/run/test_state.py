"""What a checkpoint holds is taken over whole, or refused and nothing of it taken."""

import dataclasses

import pytest
import torch

from hgld.training.run.start import start_run
from hgld.training.run.state import RunState
from hgld.training.run.step import take_step
from tests.training.run.test_step import LABELS, TINY, pictures

STEPS = 8


@pytest.fixture(scope="module")
def content() -> dict[str, object]:
    """Of a checkpoint after two steps."""
    run = started()
    for number in range(2):
        take_step(run, CONFIG, pictures(number), LABELS, steps=STEPS)
    return run.content()


CONFIG = dataclasses.replace(TINY, average_decay=0.9)


def started(seed: int = 0) -> RunState:
    labels = torch.unique(LABELS, dim=0)
    return start_run(dataclasses.replace(CONFIG, seed=seed), labels)


def test_it_is_taken_over_whole(content: dict[str, object]) -> None:
    run = started(seed=5)
    run.restore(content, STEPS)
    again = run.content()
    assert (run.step, run.summed) == (2, 2)
    assert again.keys() == content.keys()
    for part in ("model", "loss", "average"):
        one, other = again[part], content[part]
        assert isinstance(one, dict)
        assert isinstance(other, dict)
        assert all(torch.equal(value, other[name]) for name, value in one.items())
    # The settings of the optimiser are those of the run, whatever the checkpoint says.
    moments, kept = (one["optimiser"]["state"] for one in (again, content))  # type: ignore[index]
    assert repr(moments) == repr(kept)
    assert again["sums"] == content["sums"]


_LOSS = {"proxies": torch.ones(4, 16), "landmark_labels": torch.zeros(4, 3, dtype=torch.int64)}


@pytest.mark.parametrize(
    "change",
    [
        {"step": STEPS + 1},
        {"step": True},
        {"summed": -1},
        {"loss": {**_LOSS, "proxies": torch.ones(4, 5)}},
        {"loss": {**_LOSS, "proxies": torch.full((4, 16), torch.nan)}},
        {"loss": {**_LOSS, "proxies": "none"}},
        {"loss": {}},
        {"average": {"module": torch.ones(1)}},
        {"sums": torch.zeros(4)},
        {"sums": {"loss": float("nan")}},
        {"scaler": {"scale": 2.0}},
        {"model": {}},
        {"optimiser": None},
        {"optimiser": {"state": {999: {}}}},
        {"optimiser": {"state": {0: {"step": torch.tensor(1.0)}}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_does_not_fit_is_refused_and_nothing_of_it_taken(
    content: dict[str, object], change: dict[str, object]
) -> None:
    run = started(seed=5)
    before = [one.clone() for one in run.model.parameters()]
    with pytest.raises(ValueError, match=next(iter(change))):
        run.restore({**content, **change}, STEPS)
    assert run.step == 0
    assert all(map(torch.equal, before, run.model.parameters()))
