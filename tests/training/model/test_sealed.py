from pathlib import Path

import pytest
import torch

from hgld.errors import DamagedError, HgldError, InputError
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import build_model, load_model, save_model
from hgld.training.model.sealed import load_sealed, save_sealed
from tests.training.conftest import Payload

TINY = ModelConfig(backbone="test_resnet", weights="random", image_size=32)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_what_is_saved_is_read_by_torch_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    content = {"step": 3, "weights": [torch.arange(5.0)], "name": "a"}
    for name in ("one.pt", "another name.pt"):
        save_sealed(content, tmp_path / name)
        for found in (load_sealed(tmp_path / name), torch.load(tmp_path / name)):
            assert found["step"] == 3
            assert torch.equal(found["weights"][0], torch.arange(5.0))
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes()


@pytest.mark.fault(100, "damaged model")
def test_every_bit_that_flips_in_a_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_model(build_model(TINY), path)
    whole = path.read_bytes()
    random = torch.Generator().manual_seed(3)
    for bit in torch.randint(8 * len(whole), (200,), generator=random).tolist():
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(DamagedError, match=r"model\.pt is damaged: .*train it again"):
            load_model(path)
    path.write_bytes(whole)
    assert load_model(path).config == TINY


def test_every_bit_of_the_digest_and_of_what_surrounds_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    save_sealed({"x": torch.ones(3)}, path)
    whole = path.read_bytes()
    for bit in (*range(64), *range(8 * (len(whole) - 100), 8 * len(whole))):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(HgldError, match=r"x\.pt is "):
            load_sealed(path)


@pytest.mark.fault(100, "damaged model")
def test_a_model_that_is_cut_or_has_more_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_model(build_model(TINY), path)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:-76], whole[: len(whole) // 2], whole[:40], whole + b"\0"):
        path.write_bytes(content)
        with pytest.raises(DamagedError, match=r"model\.pt is damaged"):
            load_model(path)


def test_a_model_of_an_earlier_version_without_a_digest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    model = build_model(TINY)
    save_model(model, path)
    with path.open("wb") as file:
        content = {"config": {"backbone": "test_resnet", "weights": "random", "image_size": 32}}
        torch.save({**content, "state": model.state_dict()}, file)
    loaded = load_model(path).state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())


@pytest.mark.fault(102, "malicious model or embedding cache")
@pytest.mark.parametrize("is_sealed", [True, False])
@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_model_does_not_run(tmp_path: Path, is_sealed: bool, is_zip: bool) -> None:
    path = tmp_path / "model.pt"
    content = {"config": {}, "state": Payload(f"touch {tmp_path}/ran")}
    if is_sealed and is_zip:
        save_sealed(content, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(InputError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path} is no model of this program; train it again")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
    # The payload works where it is let.
    torch.load(path, weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"backbone": "test_resnet", "image_size": 10**9}, "image_size must be at most 4,096"),
        ({"backbone": "test_resnet", "embedding_dim": 10**9}, "embedding_dim must be at most"),
        ({"backbone": 3}, "backbone must be str"),
        ([], "list"),
        ({"backbone": "test_resnet", "image_size": 32, "weights": "random"}, "RuntimeError"),
    ],
)
def test_a_sealed_file_of_another_content_is_one_line(
    tmp_path: Path, config: object, text: str
) -> None:
    save_sealed({"config": config, "state": {1: "x"}}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="is no model of this program") as caught:
        load_model(tmp_path)
    assert text in str(caught.value) or "AttributeError" in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_read(
    tmp_path: Path, value: float
) -> None:
    model = build_model(TINY)
    content = {"config": {"backbone": "test_resnet", "weights": "random", "image_size": 32}}
    state = model.state_dict()
    name = next(iter(state))
    state[name].view(-1)[0] = value
    save_sealed({**content, "state": state}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="every weight must be finite, and "):
        load_model(tmp_path)
    with pytest.raises(HgldError, match="every weight must be finite, and "):
        save_model(model, tmp_path / "other.pt")
    assert not (tmp_path / "other.pt").exists()
