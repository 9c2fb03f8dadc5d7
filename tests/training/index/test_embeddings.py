import dataclasses
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.training.data.labels import LabelledImages, query_and_index_images
from hgld.training.index import embeddings
from hgld.training.index.embeddings import EmbeddingCache, block_damages
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from tests.training.conftest import Payload
from tests.training.model.test_embedding import TINY
from tests.training.model.test_saved import flipped


@pytest.fixture
def model() -> EmbeddingModel:
    return build_model(TINY)


@pytest.fixture
def index(tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch) -> LabelledImages:
    monkeypatch.setattr(embeddings, "BLOCK", 4)  # of 8 images
    return query_and_index_images(tiny_build)[1]


def cache_in(folder: Path) -> EmbeddingCache:
    return EmbeddingCache(folder=folder, precision="float32", batch_size=3, workers=0, device="cpu")


def test_what_is_kept_is_what_the_model_gives_in_the_same_bytes(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = embed_images(model, index.files(), batch_size=3, device="cpu")
    for name in "ab":
        made = cache_in(tmp_path / name).embed(model, index, 32)
        torch.testing.assert_close(made.embeddings, expected)
        assert made.seconds
    assert len({path.read_bytes() for path in tmp_path.glob("*/*.safetensors")}) == 2
    monkeypatch.delattr(embeddings, "embed_images")  # read back, and not embedded again
    kept = cache_in(tmp_path / "a").embed(model, index, 32)
    assert torch.equal(kept.embeddings, made.embeddings)
    assert kept.seconds is None


@pytest.mark.fault(89, "damaged or foreign embedding cache")
def test_what_changes_embeddings_has_files_of_its_own_until_they_are_pruned(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    for name in ("model.safetensors", "notes.txt"):
        (tmp_path / name).write_bytes(b"mine")
    cache = cache_in(tmp_path)
    cache.embed(model, index, 32)
    first = {path.name for path in tmp_path.iterdir()}
    renewed = dataclasses.replace(
        index, sha256s=pa.array(["0" * 64, *index.sha256s.to_pylist()[1:]])
    )
    with pytest.raises(DamagedError, match="differs"):  # looks for the other picture
        cache.embed(model, renewed, 32)
    cache.embed(model, index, 48)
    dataclasses.replace(cache, precision="bfloat16").embed(model, index, 32)
    cache.embed(build_model(TINY, seed=1), index, 32)
    assert len({path.name for path in tmp_path.iterdir()} - first) == 6
    later = dataclasses.replace(cache_in(tmp_path), batch_size=1)  # which changes nothing
    later.embed(model, index, 32)
    later.prune()
    assert {path.name for path in tmp_path.iterdir()} == first


@pytest.mark.fault(89, "damaged or foreign embedding cache")
@pytest.mark.fault(102, "malicious model or embedding cache")
@pytest.mark.fault(175, "block of embeddings cut")
def test_a_block_that_changed_is_made_again_and_code_in_it_does_not_run(
    tmp_path: Path, model: EmbeddingModel, index: LabelledImages
) -> None:
    expected = cache_in(tmp_path).embed(model, index, 32).embeddings
    path, other = sorted(tmp_path.glob("*.safetensors"))
    whole = path.read_bytes()
    torch.save({"embeddings": Payload(f"touch {tmp_path}/ran")}, tmp_path / "code.pt")
    # In the header, which is a fifth of the file, and in what follows.
    bits = (67, 1500, *range(8 * 400, 8 * len(whole), 3001))
    contents = [flipped(whole, bit) for bit in bits]
    contents += [whole[:40], other.read_bytes(), (tmp_path / "code.pt").read_bytes()]
    for content in contents:
        path.write_bytes(content)
        assert [one for one, _ in block_damages(tmp_path)] == [path]
    assert torch.equal(cache_in(tmp_path).embed(model, index, 32).embeddings, expected)
    assert path.read_bytes() == whole
    assert not (tmp_path / "ran").exists()
