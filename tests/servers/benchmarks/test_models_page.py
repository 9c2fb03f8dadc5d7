"""docs/models.md word for word: its command exports a real model, and its examples run it."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from tests.worlds.benchmark_builds import write_build, write_run
from tests.worlds.commands.readme import ROOT, commands_on, fenced
from tests.worlds.commands.typed import said

PAGE = ROOT / "docs/models.md"
ONNX, README = "runs/happier/model.onnx", "runs/happier/README.md"


def test_the_command_leaves_a_model_and_a_card_that_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "torch"))  # it would set it
    build = Workspace(tmp_path / "build")
    write_build(build)
    write_run(build)
    command, *_ = commands_on(PAGE)
    said(*shlex.split(command)[1:], folder=tmp_path)
    digest = file_digest(build.path("runs/happier/model.safetensors"))
    assert digest.encode() in build.path(ONNX).read_bytes()
    assert digest in build.path(README).read_text()

    monkeypatch.chdir(tmp_path)
    noise = Image.effect_noise((672, 448), 90).convert("RGB")
    picture = Image.blend(noise, Image.linear_gradient("L").resize((672, 448)).convert("RGB"), 0.7)
    picture.save("my picture.jpg")
    examples = []
    for code in fenced(PAGE, "python"):
        names: dict[str, Any] = {}
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the page is our own
        examples.append(names)
    assert [tuple(names["embeddings"].shape) for names in examples] == [(1, 8), (1, 8)]
    of_torch, of_onnx = (torch.as_tensor(names["embeddings"]) for names in examples)
    torch.testing.assert_close(of_onnx, of_torch, atol=1e-5, rtol=0)
