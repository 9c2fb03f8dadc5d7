"""The stage `images` on the train tars of a small bucket, and what it recorded."""

from pathlib import Path

import pyarrow.parquet as pq

from hgld.engine.stage import StageReport, find_beside, place_beside
from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.images.tars import image_path
from hgld.tables import IMAGE_FILES
from tests.worlds.gldv2.files import image_id

RECORDS = IMAGE_FILES["train"]


def run(
    workspace: Workspace, base: Path | str, only: Path | None = None, **settings: object
) -> StageReport:
    values = {"base_url": str(base), "train_tars": 3, "parallel": 1, "split": "train", **settings}
    return run_images(workspace, ImagesConfig(only=only, **values), "train")  # type: ignore[arg-type]


def records(workspace: Workspace) -> list[dict[str, object]]:
    """Returns every record, also of a stage that is incomplete."""
    paths = {path: path for path in workspace.shards(RECORDS)}
    for name, record in find_beside(workspace, [RECORDS]).items():
        place = workspace.path(name)
        paths[place] = place_beside(place, record)
    shards = [pq.read_table(path, partitioning=None) for _, path in sorted(paths.items())]
    return [row for shard in shards for row in shard.to_pylist()]


def place_of(workspace: Workspace, number: int) -> Path:
    """Returns where the picture of an image lies."""
    return workspace.path(image_path("train", image_id(number)))
