"""A model as ONNX gives what it gives in torch, or is not kept."""

import dataclasses
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from hgld.errors import InputError
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import build_model
from hgld.training.model.exporting.onnx import LARGEST_DIFFERENCE, export_onnx
from tests.training.model.test_embedding import TINY, pictures

CONVOLUTIONAL = dataclasses.replace(TINY, learn_gem_p=True, embedding_dim=8, projection_norm="l2")
TRANSFORMER = ModelConfig(
    backbone="test_vit",
    weights="random",
    pooling="cls",
    image_size=96,
    embedding_dim=8,
    projection_norm="layer",
)


def run(path: Path, images: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as ONNX."""
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    export_onnx(build_model(CONVOLUTIONAL, seed=3), path, metadata={"hgld.image_size": "x"})
    return path


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another."""
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    difference = export_onnx(build_model(TRANSFORMER, seed=3), path, metadata={})
    assert 0 <= difference < 1e-5
    return path


@pytest.mark.parametrize(
    ("name", "config"), [("convolutional", CONVOLUTIONAL), ("transformer", TRANSFORMER)]
)
def test_it_takes_bytes_in_batches_of_any_size_and_gives_what_torch_gives(
    name: str, config: ModelConfig, request: pytest.FixtureRequest
) -> None:
    path, model = request.getfixturevalue(name), build_model(config, seed=3)
    for count in (1, 3, 7):
        images = pictures(count, config.image_size)
        found = run(path, images)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.norm(dim=1), torch.ones(count))
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=0)
    proto = onnx.load(path)
    shapes = [
        [one.dim_param or one.dim_value for one in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    ]
    assert shapes == [["N", 3, config.image_size, config.image_size], ["N", 8]]


def test_it_carries_what_it_is_given_and_nothing_of_where_it_was_made(convolutional: Path) -> None:
    proto = onnx.load(convolutional)
    assert {one.key: one.value for one in proto.metadata_props} == {"hgld.image_size": "x"}
    content = convolutional.read_bytes()
    assert b"hgld.image_size" in content
    assert str(Path(__file__).parents[4]).encode() not in content
    assert b"embedding.py" not in content


def test_a_model_that_gives_something_else_as_onnx_is_refused(
    convolutional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = onnx.load(convolutional)
    monkeypatch.setattr("hgld.training.model.exporting.onnx._traced", lambda _model: traced)
    export_onnx(build_model(CONVOLUTIONAL, seed=3), tmp_path / "m.onnx", metadata={})
    other = build_model(CONVOLUTIONAL, seed=3)
    with torch.no_grad():
        layer: Any = other.projection
        layer.bias[0] += 0.01
    with pytest.raises(InputError, match=r"differ by \S+ from torch's, and must by no more than 0"):
        export_onnx(other, tmp_path / "m.onnx", metadata={})
    difference = (run(tmp_path / "m.onnx", pictures(2, 32)) - other(pictures(2, 32))).abs().max()
    assert LARGEST_DIFFERENCE < difference < 0.1


class Branching(nn.Module):
    """Does what no graph can say: something else for each picture."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(pixels)
        return found if float(pixels.sum()) > 0 else -found


def test_a_model_that_onnx_cannot_say_is_one_line(tmp_path: Path) -> None:
    model = build_model(TINY)
    model.backbone = Branching(model.backbone)
    with pytest.raises(InputError, match="backbone 'test_resnet' cannot be written as ONNX") as one:
        export_onnx(model, tmp_path / "m.onnx", metadata={})
    assert "\n" not in str(one.value)
    assert "\x1b" not in str(one.value)
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    named = [f"{name}>=1; extra == 'export'" for name in ("onnx", "onnxruntime", "onnxscript")]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _name: named)
    text = rf"needs the package '{package}': `.* -m pip install 'onnx>=1'"
    with pytest.raises(InputError, match=text):
        export_onnx(build_model(TINY), tmp_path / "m.onnx", metadata={})
