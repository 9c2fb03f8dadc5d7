"""What a user imports from `hgld.losses`."""

import doctest
import inspect
import subprocess
import sys

import pytest
import torch

from hgld import losses


@pytest.mark.parametrize("name", losses.__all__)
def test_every_exported_member_has_an_example_that_runs(name: str) -> None:
    if name == "triplet_loss":
        pytest.importorskip("pytorch_metric_learning")
    member = getattr(losses, name)
    assert "\n\nExample:\n" in str(inspect.getdoc(member))
    names = {"torch": torch, **{each: getattr(losses, each) for each in losses.__all__}}
    runner = doctest.DocTestRunner()
    for example in doctest.DocTestFinder(recurse=False).find(member, name, globs=names):
        runner.run(example)
    assert runner.summarize(verbose=False).attempted > 0
    assert runner.summarize(verbose=False).failed == 0


def test_all_losses_modules_and_the_memory_are_exported() -> None:
    assert losses.__all__ == sorted(losses.__all__)
    assert {"CSLLoss", "CrossBatchMemory", "ProxyLoss", "RankingLoss"} <= set(losses.__all__)


def test_losses_are_had_without_prefect_and_without_a_workspace() -> None:
    code = "import sys, hgld.losses; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "hgld.losses.hierarchical" in loaded
    heavy = {"prefect", "pyarrow.parquet", "hgld.tables", "hgld.engine.workspace"}
    assert not loaded & (heavy | {"hgld.engine.stage", "hgld.training", "hgld.http"})
