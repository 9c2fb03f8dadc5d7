"""A small build whose landmarks have pictures of plain colours, and a model that names colours."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hgld.engine.workspace import Workspace
from hgld.labels.looks.stage import LookConfig
from hgld.tables import IMAGE_FILES, PICTURE_VOTES
from tests.worlds import builders

if TYPE_CHECKING:
    import torch

CHURCH, LAKE, OCEAN, SITE = "Q16970", "Q23397", "Q9430", "Q9259"
LABELS = {CHURCH: "church building", LAKE: "lake", OCEAN: "ocean", SITE: "World Heritage Site"}
DECISIONS = {
    CHURCH: ("assigned", "church", "human-made"),
    LAKE: ("proposed", "lake", "natural"),
    OCEAN: ("assigned", "ocean area ", "natural"),  # as published, with a space at its end
}
COLOURS = {"r": (250, 0, 0), "g": (0, 250, 0), "b": (0, 0, 250), "y": (250, 250, 0)}
NAMED = {"church": "r", "lake": "g", "ocean area": "b"}

Pictures = Mapping[tuple[str, int], str]
"""By split and landmark, a letter for each picture: of COLOURS; `x` one that is bad, `-` one of
which the build has no file; a capital one that is not in train_clean.csv."""


def write_unlabelled(
    workspace: Workspace, pictures: Pictures, *, classes: Mapping[tuple[str, int], Sequence[str]]
) -> None:
    """Writes everything that the stage reads.

    Args:
        workspace: the build.
        pictures: of every landmark.
        classes: of the landmarks that have any.
    """
    # A landmark of its own for each class, so that all names are in use.
    scraped = {("train", 900 + number): [qid] for number, qid in enumerate(LABELS)}
    scraped |= {key: list(qids) for key, qids in classes.items()}
    rows = builders.class_rows(
        {key: [(qid, LABELS[qid]) for qid in qids] for key, qids in scraped.items()}
    )
    keys = dict.fromkeys([*pictures, *scraped])
    landmarks = [{"split": split, "landmark_id": id_, "category": ""} for split, id_ in keys]
    images, files = [], dict[str, list[dict[str, object]]](train=[], index=[])
    for (split, landmark), letters in pictures.items():
        for number, letter in enumerate(letters):
            image_id = f"{split[0]}{landmark:04d}{number:04d}"
            image = {"split": split, "image_id": image_id, "landmark_id": landmark}
            images.append(image | ({"in_clean": letter.islower()} if split == "train" else {}))
            if letter != "-":
                files[split].append(file_row(workspace, split, image_id, letter.lower()))
    builders.write_metadata(workspace, landmarks, images)
    builders.write_scrape(workspace, rows, [row | {"status": "ok"} for row in landmarks])
    builders.write_taxonomy(workspace, rows, DECISIONS)
    for split, of_split in files.items():
        dataset = IMAGE_FILES[split]
        builders.write_stage(workspace, [(dataset, builders.table_of(dataset, of_split))])


def file_row(workspace: Workspace, split: str, image_id: str, letter: str) -> dict[str, object]:
    if letter == "x":
        return {"image_id": image_id, "tar": "a.tar", "status": "bad", "error": "is no picture"}
    relative = f"images/{split}/{image_id}.png"
    path = workspace.path(relative)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), COLOURS[letter]).save(path)
    return builders.picture_row(workspace, image_id, relative)


class ColourModel:
    """Red is a church, green a lake, blue an ocean; cosines and scale are known by heart.

    A plain colour has cosine 1 with its own name and 0 with the other two, and yellow 1 / sqrt(2)
    with church and lake.
    """

    image_size = 4

    def __init__(self, scale: float) -> None:
        self.logit_scale = scale
        self.texts: list[str] = []
        self.batches: list[int] = []
        self._lock = threading.Lock()
        self.prepared = 0

    def encode(self, texts: Sequence[str], on_batch: object = None) -> NDArray[np.float32]:
        del on_batch
        self.texts += texts
        names = [text.removeprefix("A picture of a").strip() for text in texts]
        return np.stack([self._vector(COLOURS[NAMED[name]]) for name in names])

    def prepare(self, image: Image.Image) -> "torch.Tensor":
        import torch

        with self._lock:
            self.prepared += 1
        return torch.from_numpy(self._vector(np.asarray(image).mean(axis=(0, 1))))

    def encode_pictures(self, prepared: Sequence["torch.Tensor"]) -> NDArray[np.float32]:
        self.batches.append(len(prepared))
        return np.stack([one.numpy() for one in prepared])

    def _vector(self, colour: Sequence[float] | NDArray[Any]) -> NDArray[np.float32]:
        vector = np.asarray(colour, dtype=np.float32)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def colour_config(workspace: Workspace, split: Literal["", "index"] = "") -> LookConfig:
    """Returns settings whose weights are a file of no model, for who loads a `ColourModel`."""
    weights = workspace.root.parent / "weights.pt"
    if not weights.exists():
        weights.write_bytes(b"colours")
    return LookConfig(weights=str(weights), split=split)


def picture_votes(workspace: Workspace) -> dict[tuple[str, int], dict[str, Any]]:
    """Returns the rows of PICTURE_VOTES by split and landmark."""
    rows = workspace.read(PICTURE_VOTES).to_pylist()
    return {(row["split"], row["landmark_id"]): row for row in rows}
