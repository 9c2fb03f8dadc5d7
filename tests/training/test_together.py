import logging

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.training.__main__ import main
from hgld.training.together import Ranks


def test_a_batch_is_shared_out_in_equal_parts() -> None:
    rows = torch.arange(12)
    parts = [Ranks(rank, 3).own(rows) for rank in range(3)]
    assert [len(part) for part in parts] == [4, 4, 4]
    assert torch.equal(torch.cat(parts), rows)


def test_without_torchrun_it_says_how_to_start(
    tiny_build: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # of the tests' own process
    for words, told in (([], "torchrun"), (["--set", "epochs"], "--set")):
        assert main(["--root", str(tiny_build.root), *words]) == 1
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
