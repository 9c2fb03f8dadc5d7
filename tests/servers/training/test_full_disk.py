"""Training and its index on a disk that is full: one line, and with room it goes on."""

from collections.abc import Callable

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.labels import query_and_index_images
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from tests.worlds.disk import Disk
from tests.worlds.training_runs import TINY


def refused_until_there_is_room(disk: Disk, act: Callable[[], object]) -> None:
    """Does something on a full disk, where it leaves nothing, and again with room."""
    disk.fill()
    with pytest.raises(InputError, match="No space left on device"):
        act()
    disk.empty()
    disk.resize(60)
    act()


@pytest.mark.fault(101, "full disk in a benchmark")
def test_kept_embeddings_find_no_room_and_with_room_it_goes_on(
    disk: Disk, tiny_build: Workspace
) -> None:
    model, index = build_model(TINY.model), query_and_index_images(tiny_build)[1]
    cache = EmbeddingCache(
        folder=disk.folder, precision="float32", batch_size=3, workers=0, device="cpu"
    )
    refused_until_there_is_room(disk, lambda: cache.embed(model, index, 32))
    assert len([*disk.folder.iterdir()]) == 1
    expected = embed_images(model, index.files(), batch_size=3, device="cpu")
    assert torch.equal(cache.embed(model, index, 32).embeddings, expected)
