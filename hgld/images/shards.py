"""Stage `shards`: packs the pictures of a split into a few large tars for WebDataset.

`images/shards/<split>-000000.tar` and so on have `<id>.jpg` for each picture and, if the build has
labels, `<id>.json`; members with the same name before the dot are one sample. Samples are sorted by
id, which is as good as shuffled. No header has a date or owner, so the same pictures and labels
give the same bytes.

Source of the convention: https://github.com/webdataset/webdataset (README).
"""

import io
import json
import math
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.dataset import rows_digest
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.images.bucket import require_room
from hgld.images.chosen import image_labels
from hgld.pictures import PictureFile
from hgld.tables import ANNOTATIONS, IMAGE_FILES

IMAGES_PER_SHARD = 5000
"""Of 800 pixels, about 1 GB: few enough files for any disk, and small enough to shuffle."""
_FOLDER = "images/shards"
_LABELS = ["landmark_id", "hierarchical_label", "natural_or_human_made"]
_BLOCK_BYTES = 512


def shards_stage(split: str, count: int = 0, *, is_annotated: bool = True) -> Stage:
    """Returns the stage of a split.

    Args:
        split: `train`, `index` or `test`.
        count: the number of tars, which is known once the pictures are.
        is_annotated: whether the build has its own annotations, which are optional.
    """
    labels = (ANNOTATIONS[split],) if is_annotated else ()
    return Stage(
        name=f"shards-{split}",
        version=1,
        inputs=(IMAGE_FILES[split], *labels),
        output_files=tuple(f"{_FOLDER}/{split}-{number:06d}.tar" for number in range(count)),
        result=_FOLDER,
    )


def run_shards(workspace: Workspace, split: str) -> StageReport:
    """Packs the pictures of a split that are on the disk.

    Args:
        workspace: the build.
        split: `train`, `index` or `test`.

    Raises:
        MissingInputError: some pictures have not been fetched.
        DamagedError: a picture does not match its record.
        InputError: too little space.
    """
    columns = ["image_id", "status", "path", "size_bytes", "sha256"]
    table = workspace.read(IMAGE_FILES[split], columns)
    table = table.filter(pc.equal(table["status"], "ok")).sort_by("image_id")
    labels = _labels_of(workspace, split, table)
    count = math.ceil(len(table) / IMAGES_PER_SHARD)
    is_annotated = workspace.manifest(ANNOTATIONS[split].stage) is not None
    stage = shards_stage(split, count, is_annotated=is_annotated)

    def produce(writer: StageWriter) -> None:
        needed = (pc.sum(table["size_bytes"]).as_py() or 0) + 4 * _BLOCK_BYTES * len(table)
        require_room(workspace, needed, f"the shards of {split}")
        with progress(f"images: {split} shards", len(table)) as advance:
            for number, name in enumerate(stage.output_files):
                rows = table.slice(number * IMAGES_PER_SHARD, IMAGES_PER_SHARD).to_pylist()
                with writer.file(name) as path:
                    _write_shard(workspace, path, rows, labels)
                advance(len(rows))

    # Labels of a release are not an input of the stage, and are optional.
    digest = rows_digest(labels) if labels is not None else None
    settings = {"images_per_shard": IMAGES_PER_SHARD, "labels": digest}
    report = run_stage(workspace, stage, settings, produce)
    for path in workspace.path(_FOLDER).glob(f"{split}-[0-9]*.tar"):
        if f"{_FOLDER}/{path.name}" not in stage.output_files:  # of an earlier run with more
            path.unlink()
    return report


def _labels_of(workspace: Workspace, split: str, pictures: pa.Table) -> pa.Table | None:
    """Returns the labels of pictures, sorted by id; None if the build has no labels."""
    try:
        table = image_labels(workspace, split, _LABELS)
    except MissingInputError:
        return None
    return table.filter(pc.is_in(table["image_id"], pictures["image_id"])).sort_by("image_id")


def _write_shard(
    workspace: Workspace, path: Path, rows: Sequence[dict[str, Any]], labels: pa.Table | None
) -> None:
    ids = pa.array([row["image_id"] for row in rows], pa.string())
    of_these = (
        [] if labels is None else labels.filter(pc.is_in(labels["image_id"], ids)).to_pylist()
    )
    known = {row["image_id"]: row for row in of_these}
    mend = f"run {workspace.command('images')} again"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for row in rows:
            image_id, place = row["image_id"], workspace.path(row["path"])
            recorded = {"size_bytes": row["size_bytes"], "sha256": row["sha256"]}
            file = PictureFile(path=place, mend=mend, **recorded)
            _add(archive, f"{image_id}.jpg", file.read())
            if image_id in known:
                text = json.dumps(known[image_id], sort_keys=True, ensure_ascii=False)
                _add(archive, f"{image_id}.json", text.encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))
