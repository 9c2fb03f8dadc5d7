"""A build small enough to train on in a moment, runs on it, and ways in which they end."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from hgld import losses
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, IMAGE_FILES
from hgld.training.config import TrainConfig, model_files
from hgld.training.data.labels import LabelledImages
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import write_model
from hgld.training.run.stage import run_train
from tests.worlds.builders import picture_row, table_of, write_stage
from tests.worlds.commands.once import made_once
from tests.worlds.stopped import acting_at, stopped_at

TREE = {
    7: ("church", "human-made"),
    70: ("church", "human-made"),
    8: ("bridge", "human-made"),
    80: ("lake", "natural"),
    9: ("lake", "natural"),
    100: ("waterfall", "natural"),
}
"""Landmark id to its labels."""
PLACED = {
    7: ("Rome", "Italy", "Europe"),
    70: ("Rome", "Italy", "Europe"),
    8: (None, "Italy", "Europe"),
    80: (None, None, None),
    9: ("Cusco", "Peru", "South America"),
    100: (None, "Peru", "South America"),
}
"""Landmark id to its place, country and continent."""
COUNTS = {
    "train": {7: 12, 70: 8, 8: 4, 80: 9, 9: 4, 100: 3},
    "index": {7: 3, 8: 2, 80: 3},
    "test": {7: 1, 80: 1, 100: 1},
}
"""Split to landmark id to images."""
TINY = TrainConfig(
    backbone="test_resnet",
    weights="random",
    image_size=32,
    batch_size=8,
    samples_per_landmark=2,
    max_per_landmark=4,
    epochs=3,
    learning_rate=1e-3,
    precision="float32",
    device="cpu",
    workers=0,
    log_every_steps=1,
    checkpoint_every_s=1e-9,  # after each step
)
"""Six steps: an epoch has 2 + 2 + 2 + 2 + 2 + 1 groups of two, and a batch four of them."""
STEPS = 6
(MODEL, SETTINGS), METRICS = model_files("happier"), "runs/happier/metrics.jsonl"
CHECKPOINT = "runs/happier/checkpoint.pt"

Log = list[dict[str, Any]]


def save_model(model: EmbeddingModel, folder: Path) -> None:
    """Writes the two files of a model into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(model, *(folder / Path(file).name for file in (MODEL, SETTINGS)))


def write_tiny_build(workspace: Workspace, counts: Mapping[str, Mapping[int, int]]) -> None:
    """Writes annotations and pictures: split to landmark id to images."""
    tables = []
    for split, dataset in ANNOTATIONS.items():
        rows = [
            _annotation(split, landmark, number)
            for landmark, images in counts.get(split, {}).items()
            for number in range(images)
        ]
        tables.append((dataset, table_of(dataset, rows)))
    write_stage(workspace, tables)
    for split, images in counts.items():
        _draw(workspace, split, images)


def _image_id(split: str, landmark: int, number: int) -> str:
    return f"{split}-{landmark}-{number}"


def _annotation(split: str, landmark: int, number: int) -> dict[str, object]:
    label, top = TREE[landmark]
    place, country, continent = PLACED[landmark]
    return {
        "image_id": _image_id(split, landmark, number),
        "landmark_id": landmark,
        "hierarchical_label": label,
        "natural_or_human_made": top,
        "place": place,
        "country": country,
        "continent": continent,
        "provenance": {"status": "ok"},
    }


def _draw(workspace: Workspace, split: str, images: Mapping[int, int]) -> None:
    """Draws one colour a landmark, with noise, as PNG files, and records them as fetched."""
    dataset = IMAGE_FILES[split]
    rows = []
    for landmark, count in images.items():
        for number in range(count):
            name = _image_id(split, landmark, number)
            path = workspace.path(f"images/{split}/{name}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            random = np.random.default_rng([landmark, number])
            colour = np.random.default_rng(landmark).integers(50, 200, 3)
            pixels = colour + random.integers(-40, 40, (40, 48, 3))
            Image.fromarray(pixels.astype("uint8")).save(path)
            rows.append(picture_row(workspace, name, str(path.relative_to(workspace.root))))
    # Known to the bucket, annotated nowhere.
    rows.append({"image_id": "stray", "tar": "a.tar", "status": "ok", "path": "images/stray.png"})
    write_stage(workspace, [(dataset, table_of(dataset, rows))])


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """What a run leaves that nothing stopped."""

    root: Path
    """Its build, to be copied."""
    digest: str
    """Of its model."""
    log: Log

    def is_that_of(self, workspace: Workspace) -> bool:
        """Says whether a run has left the same, to the last bit."""
        return (file_digest(workspace.path(MODEL)), log_of(workspace)) == (self.digest, self.log)


def trained_once(factory: pytest.TempPathFactory, name: str, config: TrainConfig) -> Undisturbed:
    """Returns what a run leaves that nothing stops; it is made once for all tests."""

    def train(folder: Path) -> None:
        workspace = Workspace(folder / "build")
        write_tiny_build(workspace, COUNTS)
        run_train(workspace, config)

    workspace = Workspace(made_once(factory, name, train) / "build")
    return Undisturbed(workspace.root, file_digest(workspace.path(MODEL)), log_of(workspace))


def log_of(workspace: Workspace, metrics: str = METRICS) -> Log:
    """Returns the lines of a log, without what they say of the machine."""
    lines: Log = [json.loads(line) for line in workspace.path(metrics).read_text().splitlines()]
    for line in lines:
        if "validation" not in line:
            assert line.pop("images_per_s") > 0
            assert line.pop("peak_memory_mb") > 0
    return lines


def in_step(number: int, act: Callable[[], object]) -> Callable[..., Tensor]:
    """Returns the loss of HAPPIER, which does something in the step of that number, from 1."""
    return acting_at(number, losses.sup_hap_loss, act)


def batches_of(images: LabelledImages) -> Tensor:
    """Returns the pictures of each step of a run of `TINY`."""
    sampler = LandmarkSampler(
        images.labels[:, 0], batch_size=8, samples_per_landmark=2, max_per_landmark=4
    )
    return torch.cat([sampler.epoch(epoch) for epoch in range(TINY.epochs)])


def stop_in_step(workspace: Workspace, number: int, config: TrainConfig = TINY) -> None:
    """Trains, and stops as suddenly as a kill in the step of that number."""
    with stopped_at(losses, "sup_hap_loss", number):
        run_train(workspace, config)
