"""What the tests of the benchmark share."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from hgld.benchmarks.faults.builds import prepare_builds
from hgld.benchmarks.faults.fuzz import FinishedBuilds
from hgld.engine.workspace import Workspace
from hgld.training.index import embeddings
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel
from tests.worlds.benchmark_builds import write_build, write_run
from tests.worlds.commands.once import made_once
from tests.worlds.disk import disk

__all__ = ["disk"]  # a fixture

Prepared = tuple[FinishedBuilds, list[str]]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The builds, and the file operations of an undisturbed one."""

    def prepare(folder: Path) -> None:
        builds, operations = prepare_builds(folder)
        told = {"builds": dataclasses.asdict(builds), "operations": operations}
        (folder / "told.json").write_text(json.dumps(told, default=str), encoding="utf-8")

    folder = made_once(tmp_path_factory, "builds", prepare)
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    builds = FinishedBuilds(**{name: Path(root) for name, root in told["builds"].items()})
    return builds, told["operations"]


@pytest.fixture
def builds(prepared: Prepared) -> FinishedBuilds:
    """The builds that are damaged, made once for all tests."""
    return prepared[0]


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
