"""Pictures as people take and keep them, from the tar through training."""

import dataclasses
from pathlib import Path

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.tables import ANNOTATIONS
from hgld.training.data.images import AugmentedImages, EvalImages
from hgld.training.data.labels import training_images
from hgld.training.data.loading import run_batches
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.saved import load_model
from hgld.training.run.loop import run_train
from tests.worlds import training_runs
from tests.worlds.builders import table_of, write_stage
from tests.worlds.gldv2.files import add_tar, image_id, member_name, tar_bytes
from tests.worlds.pictures import drawing, encoded, every_kind, exif, png_claiming

UPRIGHT = encoded(drawing(), "PNG")
GOOD = [
    *every_kind().values(),
    UPRIGHT,
    encoded(drawing().rotate(90, expand=True), "PNG", exif=exif(6)),
]
BAD = [b"", b"<html>not found</html>", GOOD[0][:300], png_claiming(12_000, 12_000)]
PICTURES = [*GOOD, *BAD]
TINY = dataclasses.replace(training_runs.TINY, batch_size=4, max_per_landmark=8, epochs=1)


@pytest.fixture
def images_config(tmp_path: Path) -> ImagesConfig:
    """A bucket whose one tar has a picture of every kind, and some that are none."""
    files = {member_name(number): content for number, content in enumerate(PICTURES)}
    add_tar(tmp_path / "bucket", "train", 0, tar_bytes(files))
    return ImagesConfig(base_url=str(tmp_path / "bucket"), train_tars=1)


@pytest.fixture
def build(workspace: Workspace, images_config: ImagesConfig) -> Workspace:
    """A build with those pictures, of two landmarks in turn."""
    run_images(workspace, images_config, "train")
    dataset = ANNOTATIONS["train"]
    rows = [
        {
            "image_id": image_id(number),
            "landmark_id": number % 2,
            "hierarchical_label": ("church", "lake")[number % 2],
            "natural_or_human_made": ("human-made", "natural")[number % 2],
            "provenance": {"status": "ok"},
        }
        for number in range(len(PICTURES))
    ]
    write_stage(workspace, [(dataset, table_of(dataset, rows))])
    return workspace


@pytest.mark.fault(67, "zero-byte, HTML or truncated picture")
def test_pictures_that_are_none_stop_no_training(build: Workspace) -> None:
    run_train(build, TINY)
    assert load_model(build.path("runs/happier")).config.image_size == 32
    images = training_images(build)
    assert (len(images), images.bad) == (len(GOOD), len(BAD))


@pytest.mark.fault(68, "picture of an unusual kind")
def test_pictures_of_every_kind_are_trained_on(build: Workspace) -> None:
    # Each of them is in an epoch.
    training = training_images(build)
    order = LandmarkSampler(
        training.labels[:, 0], batch_size=3, samples_per_landmark=1, max_per_landmark=99
    )
    batches = list(run_batches(AugmentedImages(training, 32), order, epochs=1))
    assert 3 * len(batches) == len(GOOD)
    assert {batch.shape for batch, _ in batches} == {(3, 3, 32, 32)}
    images = EvalImages(training.files(), 32)
    pixels = [images[number] for number in range(len(images))]
    assert {(item.shape, item.dtype) for item in pixels} == {((3, 32, 32), torch.uint8)}
    # The last two are one picture, stored upright and on its side.
    assert torch.equal(pixels[-1], pixels[-2])


@pytest.mark.fault(81, "picture missing when training starts")
def test_a_missing_picture_is_found_before_the_first_step_and_fetched_again(
    build: Workspace, images_config: ImagesConfig
) -> None:
    run_train(build, TINY)
    expected = build.manifest("train")
    build.manifest_path("train").unlink()
    images = training_images(build)
    images.path(2).unlink()
    images.path(5).write_bytes(b"cut")
    metrics = build.path("runs/happier/metrics.jsonl")
    before = metrics.read_bytes()
    with pytest.raises(DamagedError, match=f"2 of {len(GOOD)} .*{images.path(2)}"):
        run_train(build, TINY)
    assert metrics.read_bytes() == before

    assert run_images(build, images_config, "train").skipped
    run_train(build, TINY)
    mended = build.manifest("train")
    assert mended is not None
    assert expected is not None
    assert mended.outputs == expected.outputs
