"""Builds that are made up, of any size, whose rows name a few drawn pictures again and again."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from hgld.engine.dataset import Dataset
from hgld.engine.stage import Stage, run_stage
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, IMAGE_FILES

SUPERCATEGORIES = 78
_FILES = 64


def write_build(
    workspace: Workspace, images: int, landmarks: int, size: tuple[int, int], seed: int
) -> None:
    """Writes annotations and records of images, in which a few files come again and again."""
    random = np.random.default_rng(seed)
    files = [draw(workspace, number, size, random) for number in range(min(_FILES, images))]
    weight = random.random(landmarks) ** 2
    extra = random.choice(landmarks, images - landmarks, p=weight / weight.sum())
    even = images == 8 * landmarks
    landmark = np.arange(images) // 8 if even else np.concatenate([np.arange(landmarks), extra])
    coarse = random.integers(0, SUPERCATEGORIES, landmarks)[landmark]
    which = np.arange(images) % len(files)
    paths, sizes, digests = (np.array(column)[which] for column in zip(*files, strict=True))
    ids = [f"{number:016x}" for number in range(images)]
    labels = {
        "image_id": ids,
        "landmark_id": landmark,
        "hierarchical_label": np.char.add("label ", coarse.astype(str)),
        "natural_or_human_made": np.where(coarse < SUPERCATEGORIES // 4, "natural", "human-made"),
    }
    records = {"image_id": ids, "path": paths, "size_bytes": sizes, "sha256": digests}
    write_table(workspace, ANNOTATIONS["train"], {"provenance": {"status": "ok"}}, labels)
    write_table(workspace, IMAGE_FILES["train"], {"tar": "images_000.tar", "status": "ok"}, records)


def draw(
    workspace: Workspace, number: int, size: tuple[int, int], random: np.random.Generator
) -> tuple[str, int, str]:
    """Draws a picture about as rough as a photograph; returns its path, size and SHA-256."""
    relative = f"images/train/{number}.jpg"
    path = workspace.path(relative)
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = random.integers(0, 255, (size[1] // 6, size[0] // 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
    content = path.read_bytes()
    return relative, len(content), hashlib.sha256(content).hexdigest()


def write_table(
    workspace: Workspace, table: Dataset, same: dict[str, Any], columns: dict[str, Any]
) -> None:
    """Writes a data set whose rows differ in some columns, as its stage would."""
    count = len(columns["image_id"])
    row = pa.Table.from_pylist([dict.fromkeys(table.schema.names) | same], table.schema)
    rows = row.take(np.zeros(count, dtype=np.int64))
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        array = pa.array(values).cast(table.schema.field(name).type)
        rows = rows.set_column(place, table.schema.field(name), array)
    stage = Stage(name=table.stage, version=1, outputs=(table,))
    run_stage(workspace, stage, {}, lambda writer: writer.write(table, "rows", rows))
