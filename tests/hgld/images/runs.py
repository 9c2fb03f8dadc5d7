"""The stage `images` on the train tars of a small bucket, and what it recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.stage import StageReport, find_beside, place_beside
from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.images.tars import image_path
from hgld.tables import IMAGE_FILES
from tests.worlds.gldv2.files import image_id
from tests.worlds.gldv2.folder_server import FolderServer

RECORDS = IMAGE_FILES["train"]
TARS = tuple(f"train/images_00{number}.tar" for number in range(3))


@dataclass(frozen=True)
class Train:
    """The stage of split train on a build, and the server of a bucket."""

    workspace: Workspace
    server: FolderServer
    bucket: Path
    """The server's folder."""
    tars: int
    """So many the bucket has."""

    def run(self, base: Path | str = "", /, **settings: object) -> StageReport:
        """Runs the stage on the server, where no other base is named."""
        values = {"train_tars": self.tars, "parallel": 1, "split": "train", **settings}
        config = ImagesConfig(base_url=str(base or self.server.url), **values)  # type: ignore[arg-type]
        return run_images(self.workspace, config, "train")

    def clean(self, **settings: object) -> dict[str, str]:
        """Returns the digests that a run in a new build gives of the bucket's folder."""
        fresh = replace(self, workspace=Workspace(Path(mkdtemp(dir=self.workspace.root.parent))))
        return fresh.run(self.bucket, **settings).manifest.outputs

    def place(self, number: int) -> Path:
        """Returns where the picture of an image lies."""
        return self.workspace.path(image_path("train", image_id(number)))

    def hits(self) -> list[int]:
        """Returns how often each tar was asked for."""
        return [self.server.hits[tar] for tar in TARS]


def records(workspace: Workspace) -> list[dict[str, object]]:
    """Returns every record, also of a stage that is incomplete."""
    paths = {path: path for path in workspace.shards(RECORDS)}
    for name, record in find_beside(workspace, [RECORDS]).items():
        place = workspace.path(name)
        paths[place] = place_beside(place, record)
    shards = [pq.read_table(path, partitioning=None) for _, path in sorted(paths.items())]
    return [row for shard in shards for row in shard.to_pylist()]


def write_labels(workspace: Workspace, shards: Sequence[Mapping[str, tuple[int, str]]]) -> None:
    """Writes annotations of train: image to landmark and label; each shard has its dictionary."""
    folder = workspace.path("annotations/data")
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(shards):
        landmarks, labels = zip(*rows.values(), strict=True)
        table = pa.table({"image_id": [*rows], "landmark_id": pa.array(landmarks, pa.int64())})
        table = table.append_column("hierarchical_label", pa.array(labels).dictionary_encode())
        table = table.append_column("natural_or_human_made", pa.repeat("natural", len(rows)))
        pq.write_table(table, folder / f"train-{number:05d}-of-{len(shards):05d}.parquet")
