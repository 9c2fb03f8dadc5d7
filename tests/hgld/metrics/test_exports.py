"""What a user imports from `hgld.metrics`."""

import doctest
import inspect

import pytest
import torch

from hgld import metrics


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_exported_member_has_an_example_that_runs(name: str) -> None:
    member = getattr(metrics, name)
    assert "\n\nExample:\n" in str(inspect.getdoc(member))
    names = {"torch": torch, **{each: getattr(metrics, each) for each in metrics.__all__}}
    found = doctest.DocTestFinder(recurse=False).find(member, name, globs=names)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in found:
        runner.run(example)
    assert runner.summarize(verbose=False).attempted > 0
    assert runner.summarize(verbose=False).failed == 0


def test_exported_members_are_sorted_and_there() -> None:
    assert metrics.__all__ == sorted(metrics.__all__)
    assert {"GroundTruth", "evaluate_revisited", "shared_levels"} <= set(metrics.__all__)
