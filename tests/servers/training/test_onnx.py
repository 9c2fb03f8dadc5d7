"""A model as ONNX gives what it gives in torch, or is not kept."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch

from hgld.errors import InputError
from hgld.training.model.embedding import build_model
from hgld.training.model.onnx import LARGEST_DIFFERENCE, export_onnx
from tests.training.model.test_embedding import TINY, pictures
from tests.worlds.commands.once import made_once

MODEL = dataclasses.replace(TINY, embedding_dim=8)


def run(path: Path, images: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as ONNX."""

    def export(folder: Path) -> None:
        metadata = {"hgld.image_size": "x"}
        difference = export_onnx(build_model(MODEL, seed=3), folder / "m.onnx", metadata=metadata)
        assert 0 <= difference < 1e-5

    return made_once(tmp_path_factory, "onnx", export) / "m.onnx"


def test_it_takes_bytes_in_batches_of_any_size_and_gives_what_torch_gives(exported: Path) -> None:
    model = build_model(MODEL, seed=3)
    for count in (1, 7):
        images = pictures(count, 32)
        found = run(exported, images)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.norm(dim=1), torch.ones(count))
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=0)
    proto = onnx.load(exported)
    shapes = [
        [one.dim_param or one.dim_value for one in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    ]
    assert shapes == [["N", 3, 32, 32], ["N", 8]]


def test_it_carries_what_it_is_given_and_nothing_of_where_it_was_made(exported: Path) -> None:
    proto = onnx.load(exported)
    assert {one.key: one.value for one in proto.metadata_props} == {"hgld.image_size": "x"}
    content = exported.read_bytes()
    assert b"hgld.image_size" in content
    assert str(Path(__file__).parents[4]).encode() not in content
    assert b"embedding.py" not in content


def test_a_model_that_gives_something_else_as_onnx_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = onnx.load(exported)
    monkeypatch.setattr("hgld.training.model.onnx._traced", lambda _model: traced)
    export_onnx(build_model(MODEL, seed=3), tmp_path / "m.onnx", metadata={})
    other = build_model(MODEL, seed=3)
    with torch.no_grad():
        layer: Any = other.projection
        layer.bias[0] += 0.01
    with pytest.raises(InputError, match="differ"):
        export_onnx(other, tmp_path / "m.onnx", metadata={})
    difference = (run(tmp_path / "m.onnx", pictures(2, 32)) - other(pictures(2, 32))).abs().max()
    assert LARGEST_DIFFERENCE < difference < 0.1


def test_a_model_that_onnx_cannot_say_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_settings: object) -> None:
        raise torch.onnx.errors.OnnxExporterError("cannot be exported\n\x1b[31mbecause")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(InputError, match=r"^[^\n\x1b]*ONNX[^\n\x1b]*$"):
        export_onnx(build_model(TINY), tmp_path / "m.onnx", metadata={})
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=package):
        export_onnx(build_model(TINY), tmp_path / "m.onnx", metadata={})
