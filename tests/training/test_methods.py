"""A method of one's own: what the docs say to add is all that it takes."""

import dataclasses
import re
from pathlib import Path

import pytest

from hgld.engine.config import from_mapping
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.losses import pairwise
from hgld.training import methods
from hgld.training.config import TrainConfig
from hgld.training.run.loop import run_train
from tests.worlds.training_runs import TINY, log_of

PAGE = Path(__file__).parents[2] / "docs/training.md"


def test_a_loss_with_its_method_is_added_in_two_files(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = PAGE.read_text().partition("## A loss of your own\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"In `(\S+)`[^`]*```python\n(.*?)^```", told, re.S | re.M)
    modules = {"hgld/losses/pairwise.py": pairwise, "training/methods.py": methods}
    assert [path for path, _ in blocks] == list(modules)
    monkeypatch.setattr(methods, "TrainingMethod", methods.TrainingMethod)  # put back at the end
    for name, module in (("mean_gap_loss", pairwise), ("MeanGap", methods)):
        monkeypatch.setattr(module, name, None, raising=False)
    for path, code in blocks:
        exec(code, vars(modules[path]))  # noqa: S102 - as if it stood in the file
    monkeypatch.setitem(TrainConfig.__annotations__, "method", methods.TrainingMethod)

    stated = {"name": "mean_gap", "margin": 1.5}
    method = from_mapping(TrainConfig, {"method": stated}, where="[train]").method
    run_train(tiny_build, dataclasses.replace(TINY, method=method, name="happier", epochs=8))
    losses = [line["loss"] for line in log_of(tiny_build)]
    assert sum(losses[-4:]) < sum(losses[:4])
    with pytest.raises(InputError, match="margin"):
        from_mapping(TrainConfig, {"method": stated | {"margin": 4.0}}, where="[train]")
