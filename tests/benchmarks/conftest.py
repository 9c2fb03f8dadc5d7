"""What the tests of the benchmark share."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.training.index import embeddings
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel
from tests.worlds.benchmark_builds import write_build, write_run


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    """A build with pictures, labels and one run."""
    write_build(workspace)
    write_run(workspace)
    return workspace


class CountedEmbedding:
    """Counts the images that are embedded."""

    def __init__(self) -> None:
        self.images: list[int] = []

    def __call__(
        self, model: EmbeddingModel, images: Sequence[Path], *, image_size: int, **settings: object
    ) -> torch.Tensor:
        del settings
        self.images.append(len(images))
        return embed_images(model, images, image_size=image_size, device="cpu")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedEmbedding:
    counter = CountedEmbedding()
    monkeypatch.setattr(embeddings, "embed_images", counter)
    return counter
