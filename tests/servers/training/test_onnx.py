"""A model as ONNX gives what it gives in torch, or is not kept."""

import dataclasses
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch

from hgld.errors import InputError
from hgld.training.model.embedding import build_model
from hgld.training.model.exporting import export_onnx
from tests.training.model.test_embedding import TINY, pictures
from tests.training.model.test_transformers import model_of, shallow

__all__ = ["shallow"]  # a fixture

MODEL = dataclasses.replace(TINY, embedding_dim=8)


def test_it_gives_what_torch_gives_and_says_nothing_of_where_it_was_made_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = build_model(MODEL, seed=3), tmp_path / "m.onnx"
    assert 0 <= export_onnx(model, path, metadata={"hgld.image_size": "x"}) < 1e-5
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 7):
        images = pictures(count, 32)
        found = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=0)
    proto, content = onnx.load(path), path.read_bytes()
    shapes = [
        [one.dim_param or one.dim_value for one in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    ]
    assert shapes == [["N", 3, 32, 32], ["N", 8]]
    assert {one.key: one.value for one in proto.metadata_props} == {"hgld.image_size": "x"}
    assert str(Path(__file__).parents[4]).encode() not in content
    assert b"embedding.py" not in content

    monkeypatch.setattr("hgld.training.model.exporting._traced", lambda _model: proto)
    with torch.no_grad():
        layer: Any = model.projection
        layer.bias[0] += 0.01
    with pytest.raises(InputError, match="differ"):
        export_onnx(model, path, metadata={})


@pytest.mark.usefixtures("shallow")
def test_a_transformer_gives_what_torch_gives_at_its_size_and_scale(tmp_path: Path) -> None:
    # Its places are learned and rotary; 70 px are no whole number of patches.
    model = model_of("pe-b16", "gem", 70, scales=(1.5,))
    assert export_onnx(model, tmp_path / "m.onnx", metadata={}) < 1e-5


def test_a_frozen_model_is_written_with_its_layers_and_takes_pictures_of_any_proportions(
    tmp_path: Path,
) -> None:
    config = dataclasses.replace(
        TINY, frozen=True, embedding_dim=8, hidden_dim=4, centring=True, scales=(1.0, 1.5)
    )
    config = dataclasses.replace(config, image_size=64, resize="longest")
    model, path = build_model(config, seed=3), tmp_path / "m.onnx"
    assert 0 <= export_onnx(model, path, metadata={}) < 1e-5
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for height, width in ((64, 40), (21, 64), (64, 64)):
        images = pictures(2, 64)[:, :, :height, :width]
        found = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=0)
    assert "longer side is resized to 64 px" in onnx.load(path).doc_string
    model = build_model(dataclasses.replace(config, backbone="vectors-8"))
    with pytest.raises(InputError, match="vectors"):
        export_onnx(model, tmp_path / "v.onnx", metadata={})


def test_a_model_that_onnx_cannot_say_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_settings: object) -> None:
        raise torch.onnx.errors.OnnxExporterError("cannot be exported\n\x1b[31mbecause")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(InputError, match=r"^[^\n\x1b]*ONNX[^\n\x1b]*$"):
        export_onnx(build_model(TINY), tmp_path / "m.onnx", metadata={})
    assert list(tmp_path.iterdir()) == []
