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
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import training_images
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
@pytest.mark.fault(68, "picture of an unusual kind")
@pytest.mark.fault(81, "picture missing when training starts")
def test_training_takes_good_pictures_only_and_finds_a_missing_one_before_its_first_step(
    build: Workspace, images_config: ImagesConfig
) -> None:
    run_train(build, TINY)
    trained = training_images(build)
    assert (len(trained), trained.bad) == (len(GOOD), len(BAD))
    # The last two are one picture, stored upright and on its side.
    seen = EvalImages(trained.files()[-2:], 32)
    assert torch.equal(seen[0], seen[1])
    expected = build.manifest("train")
    build.manifest_path("train").unlink()
    trained.path(2).unlink()
    trained.path(5).write_bytes(b"cut")
    metrics = build.path("runs/happier/metrics.jsonl")
    before = metrics.read_bytes()
    with pytest.raises(DamagedError, match=f"2 of {len(GOOD)} .*{trained.path(2)}"):
        run_train(build, TINY)
    assert metrics.read_bytes() == before

    assert run_images(build, images_config, "train").skipped
    run_train(build, TINY)
    mended = build.manifest("train")
    assert mended is not None
    assert expected is not None
    assert mended.outputs == expected.outputs
