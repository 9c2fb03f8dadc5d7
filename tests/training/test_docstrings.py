import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "hgld.training.data.labels",
        "hgld.training.data.sampler",
        "hgld.training.model.embedding",
    ],
)
def test_examples_in_docstrings_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
