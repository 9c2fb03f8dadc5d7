"""Pictures in a folder, and a model that embeds them in no time."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hgld.training.index import making
from hgld.training.index.folder import IndexConfig, PictureSource
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import build_model
from tests.worlds.training_runs import save_model

QUICK = IndexConfig(workers=0, batch_size=3, device="cpu")
TINY_MODEL = ModelConfig(
    backbone="test_resnet", weights="random", image_size=32, resize="longest", embedding_dim=8
)


def draw_noise(path: Path, seed: int) -> None:
    """Draws a picture that differs from every other, one of two wide and the others tall."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sides = (30, 40) if seed % 2 else (40, 30)
    pixels = np.random.default_rng(seed).integers(0, 255, (*sides, 3))
    Image.fromarray(pixels.astype("uint8")).save(path)


def write_tiny_run(folder: Path, seed: int = 1) -> Path:
    """Writes a model as a run of training would."""
    save_model(build_model(TINY_MODEL, seed=seed), folder)
    return folder


@pytest.fixture(scope="session")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    for number in range(10):
        draw_noise(folder / f"photos/{'ab'[number % 2]}/{number}.png", number)
    write_tiny_run(folder / "run")
    return folder


@pytest.fixture
def source(drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PictureSource:
    """A folder of ten pictures, a/0.png to b/9.png, in four shards."""
    monkeypatch.setattr(making, "SHARD_PICTURES", 4)
    return PictureSource(folder=shutil.copytree(drawn_once / "photos", tmp_path / "photos"))


@pytest.fixture
def run(drawn_once: Path, tmp_path: Path) -> Path:
    """A run that embeds in 8 numbers."""
    return shutil.copytree(drawn_once / "run", tmp_path / "run")
