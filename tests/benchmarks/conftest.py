"""What the tests of the benchmark share."""

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.training.index import embeddings
from hgld.training.model.embed import embed_images
from tests.worlds.benchmark_builds import write_build, write_run


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    """A build with pictures, labels and one run."""
    write_build(workspace)
    write_run(workspace)
    return workspace


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images are embedded, call by call."""
    counts: list[int] = []

    def embed(model: object, images: list[object], **settings: object) -> torch.Tensor:
        counts.append(len(images))
        return embed_images(model, images, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(embeddings, "embed_images", embed)
    return counts
