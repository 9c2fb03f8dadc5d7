"""A model on the disk: what is written is read again, and nothing else is."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch.nn import functional

from hgld.errors import DamagedError, DivergedError, InputError
from hgld.training.model.config import ModelConfig, Resize
from hgld.training.model.embedding import build_model
from hgld.training.model.exporting import ModelCard, model_card_text
from hgld.training.model.files import read_model_settings
from hgld.training.model.saved import load_model, model_digest
from hgld.training.recipes import over_recipe
from tests.training.conftest import Payload
from tests.training.model.test_embedding import TINY, VIT, pictures
from tests.worlds.training_runs import save_model

FILES = ("model.safetensors", "config.json")


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run with a model."""
    save_model(build_model(TINY), tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    "config",
    [
        dataclasses.replace(TINY, backbone="test_efficientnet", image_size=48, embedding_dim=24),
        dataclasses.replace(VIT, embedding_dim=8, whitening=True, image_size=96),
        dataclasses.replace(TINY, centring=True, scales=(1.0, 1.5)),
        dataclasses.replace(TINY, frozen=True, hidden_dim=5, scales=(1.0, 1.5)),
    ],
)
def test_a_saved_model_needs_nothing_else_and_has_stable_bytes(
    tmp_path: Path, config: ModelConfig
) -> None:
    model = build_model(config, seed=3)
    model.mean.fill_(0.25)
    save_model(model, tmp_path / "one")
    loaded = load_model(tmp_path / "one")
    assert loaded.config == config
    assert loaded.embedding_dim == model.embedding_dim
    assert not loaded.training
    images = pictures(2, config.image_size)
    assert torch.equal(loaded(images), model(images))
    save_model(loaded, tmp_path / "another name")
    for name in FILES:
        assert len({(folder / name).read_bytes() for folder in tmp_path.iterdir()}) == 1
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(FILES)


def test_any_program_can_read_the_weights_and_what_they_mean(run: Path) -> None:
    model = build_model(TINY)
    state = safetensors.torch.load_file(run / "model.safetensors")
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    content = json.loads((run / "config.json").read_text())
    digest = hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()
    assert content.pop("config_sha256")
    assert content.pop("digest") == model_digest(model)
    assert content == {
        "kind": "hgld embedding model",
        "format": 1,
        "image_size": 32,
        "embedding_dim": 96,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "model": dataclasses.asdict(TINY) | {"scales": [1.0]},  # JSON has no tuples
        "weights_sha256": digest,
    }
    assert read_model_settings(run / "config.json")["weights_sha256"] == digest


def test_a_vision_transformer_is_fitted_to_another_size(tmp_path: Path) -> None:
    model = build_model(VIT)
    places: Any = model.backbone.pos_embed
    with torch.no_grad():
        places.normal_(generator=torch.Generator().manual_seed(1))
    save_model(model, tmp_path)

    loaded = load_model(tmp_path, image_size=96)

    assert loaded.config == dataclasses.replace(VIT, image_size=96)
    found: Any = loaded.backbone.pos_embed
    assert found.shape == (1, 1 + 6 * 6, 64)
    # The class token keeps its own; the others are those of a grid of 10 x 10, made one of 6 x 6.
    assert torch.equal(found[:, :1], places[:, :1])
    grid = places[:, 1:].reshape(1, 10, 10, 64).permute(0, 3, 1, 2)
    smaller = functional.interpolate(grid, (6, 6), mode="bicubic", antialias=True)
    torch.testing.assert_close(found[:, 1:], smaller.flatten(2).mT)
    others = loaded.backbone.state_dict()
    for name, value in model.backbone.state_dict().items():
        assert name == "pos_embed" or torch.equal(value, others[name])
    with pytest.raises(InputError, match=r"^[^\n]*image_size 15[^\n]*$"):
        load_model(tmp_path, image_size=15)
    # So are the weights that a run starts from.
    path, images = tmp_path / "weights.safetensors", pictures(2, 96)
    safetensors.torch.save_file(model.backbone.state_dict(), path)
    started = build_model(dataclasses.replace(VIT, weights=str(path), image_size=96))
    assert torch.equal(started(images), loaded(images))


def test_the_folder_of_a_run_is_as_good_as_its_file_and_what_is_missing_is_named(run: Path) -> None:
    for path in (run, str(run / "model.safetensors")):
        assert load_model(path).config == TINY
    for name in FILES:
        aside = (run / name).rename(run.parent / name)
        with pytest.raises(InputError, match=name):
            load_model(run)
        aside.rename(run / name)
    with pytest.raises(InputError, match="nowhere"):
        load_model(run.parent / "nowhere")


@pytest.mark.fault(100, "damaged model")
@pytest.mark.parametrize("name", FILES)
def test_a_model_with_other_bytes_than_were_written_is_named(run: Path, name: str) -> None:
    path = run / name
    whole = path.read_bytes()
    bits = range(3, 8 * len(whole), 8 * len(whole) // 20)
    for content in (whole[:-1], whole[:40], whole + b"\0", *(flipped(whole, bit) for bit in bits)):
        path.write_bytes(content)
        with pytest.raises(DamagedError, match=name):
            load_model(run)


@pytest.mark.parametrize("content", ["", "[1]", '{"architectures": ["BertModel"]}'])
def test_settings_of_something_else_are_no_model(run: Path, content: str) -> None:
    (run / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json"):
        load_model(run)


def rewrite(run: Path, changes: dict[str, object]) -> None:
    """Writes settings as another version, or a person with time, would: with the right digests."""
    path = run / "config.json"
    content = json.loads(path.read_text()) | changes
    del content["config_sha256"]
    text = json.dumps(content, indent=2).removesuffix("\n}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(f'{text},\n  "config_sha256": "{digest}"\n}}\n')


def test_settings_that_say_nothing_of_the_resize_are_of_the_middle_square(run: Path) -> None:
    stated = read_model_settings(run / "config.json")["model"]
    rewrite(run, {"model": {key: stated[key] for key in stated if key not in OF_RESIZE}})
    assert load_model(run).config == TINY


OF_RESIZE = ("resize", "interpolation")
RANDOM = {"backbone": "test_resnet", "weights": "random"}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": 2}, "format"),
        ({"model": RANDOM | {"depth": 3}}, "depth"),
        ({"model": RANDOM | {"image_size": 10**9}}, "image_size"),
        ({"model": RANDOM | {"image_size": 32, "embedding_dim": 8}}, "state_dict"),
    ],
)
def test_a_model_of_another_content_is_one_line(
    run: Path, changes: dict[str, object], word: str
) -> None:
    rewrite(run, {})
    assert load_model(run).config == TINY
    rewrite(run, changes)
    with pytest.raises(InputError, match=rf"^[^\n]*{word}[^\n]*$"):
        load_model(run)


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    model = build_model(TINY)
    model.mean[0] = torch.inf
    with pytest.raises(DivergedError, match="finite"):
        save_model(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(102, "malicious model or embedding cache")
@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_model_does_not_run(run: Path, tmp_path: Path, is_zip: bool) -> None:
    weights = run / "model.safetensors"
    payload = Payload(f"touch {tmp_path}/ran")
    torch.save({"x": payload}, weights, _use_new_zipfile_serialization=is_zip)
    rewrite(run, {"weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()})
    with pytest.raises(InputError, match=r"^[^\n]*model\.safetensors[^\n]*$"):
        load_model(run)
    assert not (tmp_path / "ran").exists()
    # The payload works where it is let.
    torch.load(weights.rename(run / "model.pt"), weights_only=False)
    assert (tmp_path / "ran").exists()


CARD = ModelCard(
    run="seed-1",
    model={
        "embedding_dim": 8,
        "image_size": 32,
        "weights_sha256": "ab",
        "model": {"backbone": "resnet18", "crop_pct": 0.875, "scales": [1.0, 1.4142]},
    },
    settings={"weights": "/home/me/secret/w.pth", "odd|name": "a`b\nc"},
    finished_at="",
    data={},
    release="",
    hours=None,
    measured=[],
    measured_on="",
)


def test_a_card_keeps_its_tables_whole_and_ones_folders_to_oneself() -> None:
    text = model_card_text(CARD)
    assert {"| `odd\\|name` | `a'b c` |", "| `weights` | `w.pth` |"} <= {*text.splitlines()}
    assert "secret" not in text
    assert "1 and 1.4142 times" in text
    assert "shorter side is resized to 256 px" in text  # 224 / 0.875


@pytest.mark.parametrize(
    ("resize", "words"),
    [
        ("squash", "both of its sides are resized to 32 px"),
        ("crop", "shorter side is resized to 37 px"),  # 32 / 0.875
        ("longest", "longer side is resized to 32 px"),
        ("pad", "black square"),
    ],
)
def test_a_rule_is_told_in_words_with_its_filter(resize: Resize, words: str) -> None:
    config = dataclasses.replace(TINY, resize=resize, interpolation="bicubic")
    assert words in config.resize_words
    assert "(bicubic, antialiased)" in config.resize_words


def test_a_card_names_the_weights_that_training_began_with_and_their_licence() -> None:
    licences = {"pe-b16": "apache-2.0", "dinov3-b16": "dinov3-license"}
    for recipe, licence in licences.items():
        backbone = str(over_recipe({"recipe": recipe})["backbone"])
        model = dataclasses.asdict(ModelConfig(backbone=backbone))
        text = model_card_text(dataclasses.replace(CARD, model={**CARD.model, "model": model}))
        repository = f"https://huggingface.co/timm/{model['backbone']}"
        assert f"{repository}), which timm lists under `{licence}`" in text
        model["weights"] = "my.safetensors"
        text = model_card_text(dataclasses.replace(CARD, model={**CARD.model, "model": model}))
        assert repository not in text
