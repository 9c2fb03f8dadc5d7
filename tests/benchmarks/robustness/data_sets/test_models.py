"""Models of a build: embedded once, told apart, and refused where there is none."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from torch import Tensor

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.data_sets import embedding
from hgld.benchmarks.robustness.data_sets.embedding import embed_run
from hgld.benchmarks.robustness.data_sets.models import given_models, run_models
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS, IMAGE_FILES
from hgld.training.data.images import AnyImage
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import save_model
from tests.worlds.builders import table_of, write_stage

SPLITS = ("train", "index", "test")


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    """A build with three pictures a split, of which one has no label, and a run `mine`."""
    annotations, files = [], []
    workspace.root.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(SPLITS):
        labelled: list[dict[str, object]] = [
            {
                "image_id": f"{split}{image}",
                "landmark_id": image,
                "hierarchical_label": "lake",
                "natural_or_human_made": "natural",
                "provenance": {"status": "ok"},
            }
            for image in range(2)
        ]
        annotations.append((ANNOTATIONS[split], table_of(ANNOTATIONS[split], labelled)))
        pictures: list[dict[str, object]] = []
        for image in range(3):
            path = workspace.root / f"{split}{image}.png"
            Image.new("RGB", (40, 30), (80 * image, 60 * number, 90)).save(path)
            pictures.append(
                {"image_id": f"{split}{image}", "tar": "a", "status": "ok", "path": path.name}
            )
        files.append((IMAGE_FILES[split], table_of(IMAGE_FILES[split], pictures)))
    write_stage(workspace, annotations)
    for one in files:
        write_stage(workspace, [one])
    config = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
    save_model(build_model(config), workspace.path("runs/mine"))
    return workspace


def test_a_run_is_embedded_once_and_again_where_its_model_is_another(
    build: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def watched(model: EmbeddingModel, images: Sequence[AnyImage]) -> Tensor:
        asked.append(len(images))
        return embed_images(model, images)

    monkeypatch.setattr(embedding, "embed_images", watched)
    folder = tmp_path / "out"
    files = embed_run(build, "mine", folder, pictures=2)
    ids = {split: pq.read_table(path)["image_id"].to_pylist() for split, path in files.items()}
    # Of the test images all: some are of no landmark, and that is what is to be found out.
    assert ids == {
        "train": ["train0", "train1"],
        "index": ["index0", "index1"],
        "test": ["test0", "test1", "test2"],
    }
    assert len(pq.read_table(folder / "other.parquet")) == 4
    assert len(pq.read_table(folder / "spread-test.parquet")) == 3
    assert sorted(asked) == [2, 2, 3, 4]
    embed_run(build, "mine", folder, pictures=2)
    assert len(asked) == 4
    (folder / "spread-test.parquet").unlink()
    embed_run(build, "mine", folder, pictures=2)
    assert len(asked) == 8
    config = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
    save_model(build_model(config, seed=1), build.path("runs/mine"))
    embed_run(build, "mine", folder, pictures=2)
    assert len(asked) == 12


def test_a_run_that_there_is_not_is_refused_before_anything_is_written(
    build: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="other"):
        embed_run(build, "other", tmp_path / "out", pictures=1)
    assert not (tmp_path / "out").exists()


def test_the_reader_is_told_what_a_model_has_seen(
    build: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "hgld.benchmarks.robustness.data_sets.models.embed_run", lambda *_: {"train": tmp_path}
    )
    before, after = run_models(build, ["untrained", "mine"], tmp_path)
    assert (before.has_seen_training, after.has_seen_training) == (False, True)
    assert "has not seen an image of the build" in before.about
    assert "was trained on the training images" in after.about
    (given,) = given_models([["a/train.parquet", "q.parquet", "i.parquet"]], [])
    assert given.name == "a"
    assert "is not known here" in given.about
