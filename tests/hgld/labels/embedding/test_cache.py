import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.labels.embedding.cache import CACHE_FOLDER, VectorCache, cache_damages, cache_key


def unit(*numbers: float) -> NDArray[np.float32]:
    vectors = np.array(numbers, np.float32).reshape(-1, 2)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def cache(workspace: Workspace) -> VectorCache:
    return VectorCache(workspace.path(CACHE_FOLDER), cache_key({"prompt": "{label}"}))


def test_what_was_added_is_there_bit_by_bit_and_nothing_else(cache: VectorCache) -> None:
    cache.add(["lake", "church"], unit(1, 3, 2, 1))
    cache.add(["hill"], unit(5, 7))
    found = cache.read(["church", "hill", "dam"])
    assert sorted(found) == ["church", "hill"]
    np.testing.assert_array_equal(found["church"], unit(2, 1)[0])
    np.testing.assert_array_equal(found["hill"], unit(5, 7)[0])
    assert not VectorCache(cache.folder, cache_key({"prompt": "a {label}"})).read(["hill"])


def test_a_damaged_file_is_named_and_removed_unread_and_the_others_count(
    cache: VectorCache, workspace: Workspace
) -> None:
    cache.add(["lake"], unit(1, 3))
    (path,) = cache.folder.iterdir()
    cache.add(["hill"], unit(5, 7))
    (cache.folder / "notes.parquet").write_text("mine")  # of somebody else
    assert list(cache_damages(workspace)) == []
    pq.write_table(pa.table({"label": ["lake"], "embedding": [[1.0, 0.0]]}), path)
    assert [name for name, _ in cache_damages(workspace)] == [f"labels/cache/{path.name}"]
    assert list(cache.read(["lake", "hill"])) == ["hill"]
    assert not path.exists()
    assert (cache.folder / "notes.parquet").exists()
