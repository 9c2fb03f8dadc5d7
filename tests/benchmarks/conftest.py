"""What the tests of the benchmark share."""

import pytest
import torch

from benchmarks import embeddings
from hgld.workspace import Workspace
from tests.benchmarks.builds import write_build, write_run
from training.data import EvalImages
from training.model import EmbeddingModel, embed_images


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
        self, model: EmbeddingModel, dataset: EvalImages, **settings: object
    ) -> torch.Tensor:
        del settings
        self.images.append(len(dataset))
        return embed_images(model, dataset, device="cpu")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedEmbedding:
    counter = CountedEmbedding()
    monkeypatch.setattr(embeddings, "embed_images", counter)
    return counter
