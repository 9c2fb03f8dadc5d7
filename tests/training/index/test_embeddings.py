import dataclasses
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.training.data.labels import LabelledImages, query_and_index_images
from hgld.training.index import embeddings
from hgld.training.index.embeddings import EmbeddingCache, model_digest
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from tests.training.conftest import Payload

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
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected)
    # Read back: nothing is embedded a second time.
    monkeypatch.delattr(embeddings, "embed_images")
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected)


def test_how_long_it_took_is_told_by_the_run_that_embedded(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "BLOCK", 4)  # of 8 images
    clock = iter([0.0, 1.5, 10.0, 12.25])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert cache_in(tmp_path).embed(model, index, 32).seconds == 3.75
    assert cache_in(tmp_path).embed(model, index, 32).seconds is None


def test_two_runs_write_the_same_bytes(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    folders = [tmp_path / str(number) for number in range(6)]
    for folder in folders:
        cache_in(folder).embed(model, index, 32)
    assert len({path.read_bytes() for one in folders for path in one.glob(BLOCKS)}) == 1


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


@pytest.mark.fault(89, "damaged or foreign embedding cache")
def test_a_block_that_is_not_as_it_was_written_is_made_again(
    tmp_path: Path,
    model: EmbeddingModel,
    index: LabelledImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = cache_in(tmp_path).embed(model, index, 32).embeddings
    (path,) = tmp_path.glob(BLOCKS)
    whole = path.read_bytes()
    calls: list[int] = []

    def again(*_args: object, **_settings: object) -> torch.Tensor:
        calls.append(1)
        return expected

    monkeypatch.setattr(embeddings, "embed_images", again)
    # In the header, which is a tenth of the file, and in what follows.
    bits = [*range(67, 8 * 300, 311), *range(8 * 320, 8 * len(whole), 8 * len(whole) // 12)]
    for bit in bits:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected), bit
        path.write_bytes(whole)
    # A flip may leave the same content, such as another kind of space between two fields.
    assert len(calls) > 0.9 * len(bits)


@pytest.mark.fault(89, "damaged or foreign embedding cache")
def test_blocks_that_are_swapped_are_made_again(
    tmp_path: Path,
    model: EmbeddingModel,
    index: LabelledImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embeddings, "BLOCK", 4)  # of 8 images
    expected = cache_in(tmp_path).embed(model, index, 32).embeddings
    one, other = sorted(tmp_path.glob(BLOCKS))
    before = one.read_bytes(), other.read_bytes()
    one.write_bytes(before[1])
    other.write_bytes(before[0])
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected)
    assert (one.read_bytes(), other.read_bytes()) != (before[1], before[0])
    monkeypatch.delattr(embeddings, "embed_images")
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected)


def write_block(path: Path, values: torch.Tensor) -> None:
    """Writes other values into a block, as a program that knows the format would."""
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()["hgld"])
    metadata["sha256"] = hashlib.sha256(values.numpy().tobytes()).hexdigest()
    path.write_bytes(save({"embeddings": values}, {"hgld": json.dumps(metadata)}))


@pytest.mark.parametrize(
    "values",
    [
        torch.full((8, 96), torch.nan),
        torch.ones(8, 96),
        torch.ones(8, 95),
        torch.ones(8, 96).double(),
    ],
)
def test_values_that_no_model_gives_are_made_again(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages, values: torch.Tensor
) -> None:
    expected = cache_in(tmp_path).embed(model, index, 32).embeddings
    (path,) = tmp_path.glob(BLOCKS)
    write_block(path, values)
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected)


@pytest.mark.fault(102, "malicious model or embedding cache")
def test_code_in_a_block_does_not_run(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    expected = cache_in(tmp_path).embed(model, index, 32).embeddings
    (path,) = tmp_path.glob(BLOCKS)
    torch.save({"embeddings": Payload(f"touch {tmp_path}/ran")}, path)
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected)
    assert not (tmp_path / "ran").exists()


@pytest.mark.fault(89, "damaged or foreign embedding cache")
def test_another_picture_under_the_same_id_is_embedded_again(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    cache = cache_in(tmp_path)
    first = cache.embed(model, index, 32).embeddings
    path = index.path(3)
    Image.new("RGB", (40, 40), "red").save(path)
    # As the images stage records it once it is there.
    sizes, digests = index.sizes.to_pylist(), index.sha256s.to_pylist()
    sizes[3], digests[3] = path.stat().st_size, file_digest(path)
    renewed = dataclasses.replace(index, sizes=pa.array(sizes), sha256s=pa.array(digests))
    second = cache.embed(model, renewed, 32).embeddings
    assert [row for row in range(8) if not torch.equal(first[row], second[row])] == [3]
    assert len(list(tmp_path.glob(BLOCKS))) == 2


def test_pruning_leaves_what_is_somebody_elses(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    others = ["model.safetensors", "0123.safetensors", "notes.txt"]
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    cache_in(tmp_path).embed(model, index, 32)
    cache_in(tmp_path).prune()
    there = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert there == set(others)
