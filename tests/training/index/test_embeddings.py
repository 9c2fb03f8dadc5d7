import dataclasses
from pathlib import Path

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.training.config import ModelConfig
from hgld.training.data.labels import LabelledImages, query_and_index_images
from hgld.training.index import embeddings
from hgld.training.index.embeddings import EmbeddingCache, model_digest
from hgld.training.model.embedding import EmbeddingModel, build_model, embed_images

MODEL = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
BLOCKS = "*.safetensors"


@pytest.fixture
def model() -> EmbeddingModel:
    return build_model(MODEL)


@pytest.fixture
def index(tiny_build: Workspace) -> LabelledImages:
    return query_and_index_images(tiny_build)[1]


def cache_in(folder: Path) -> EmbeddingCache:
    return EmbeddingCache(folder=folder, precision="float32", batch_size=3, workers=0, device="cpu")


def test_what_is_kept_is_what_the_model_gives(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = embed_images(model, index.files(), batch_size=3, device="cpu")
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32), expected)
    # Read back: nothing is embedded a second time.
    monkeypatch.delattr(embeddings, "embed_images")
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32), expected)


def test_each_thing_that_changes_embeddings_has_files_of_its_own(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    cache = cache_in(tmp_path)
    cache.embed(model, index, 32)
    cache.embed(model, index, 48)
    dataclasses.replace(cache, precision="bfloat16").embed(model, index, 32)
    cache.embed(build_model(MODEL, seed=1), index, 32)
    assert len(list(tmp_path.glob(BLOCKS))) == 4
    # The manner of work changes nothing.
    dataclasses.replace(cache, batch_size=1).embed(model, index, 32)
    assert len(list(tmp_path.glob(BLOCKS))) == 4


def test_pruning_leaves_what_was_asked_for(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    cache_in(tmp_path).embed(model, index, 32)
    kept = set(tmp_path.glob(BLOCKS))
    cache_in(tmp_path).embed(model, index, 48)
    later = cache_in(tmp_path)
    later.embed(model, index, 32)
    later.prune()
    assert set(tmp_path.glob(BLOCKS)) == kept


def test_a_model_is_told_apart_by_its_settings_and_its_weights(model: EmbeddingModel) -> None:
    digest = model_digest(model)
    assert model_digest(build_model(MODEL)) == digest
    assert model_digest(build_model(MODEL, seed=1)) != digest
    assert model_digest(build_model(dataclasses.replace(MODEL, image_size=48))) != digest
