"""The demo's source folder: tables and tars in GLDv2's layout, with drawings as pictures.

Each train landmark has 8 pictures, and each index landmark has 4, with 2 test pictures. As in
GLDv2, not everything is clean: a tenth of the train landmarks have a picture that does not show
them and is not in `train_clean.csv`, and some test pictures show no landmark.

All files are reproducible: their bytes depend only on the facts, the generator and the version of
Pillow.
"""

import hashlib
from functools import cache
from pathlib import Path

import PIL

from hgld.demo.drawing import draw_landmark, draw_view
from hgld.demo.facts import DemoLandmark, landmarks
from hgld.metadata.layout import LaidPicture, Layout, write_layout

TRAIN_VIEWS = 8
INDEX_VIEWS = 4
TEST_VIEWS = 2
DISTRACTORS = 12
"""Test pictures that show no landmark."""

MARKER = "DRAWN"
"""File that marks the demo's source folder and, once complete, has its digest."""

_GENERATOR = 3  # raise it if the drawings change
_AUTHOR = "drawn by hgld"
_LICENSE = "https://creativecommons.org/publicdomain/zero/1.0/"
_UNCLEAN_EVERY = 10


def write_source(folder: Path) -> None:
    """Writes the source folder, unless it is complete and up to date.

    Args:
        folder: the folder to write.
    """
    drawn = cache(draw_landmark)
    landmark_of = {one.landmark_id: one for one in landmarks()}

    def draw(picture: LaidPicture) -> bytes:
        shown = landmark_of.get(picture.landmark_id or 0) if picture.is_clean else None
        scene = drawn(shown.qid, shown.hierarchical_label) if shown else None
        return draw_view(scene, picture.image_id)

    made_with = f"{landmarks()!r} generator {_GENERATOR} pillow {PIL.__version__}"
    write_layout(folder / MARKER, _layout(), draw, made_with)


def _layout() -> Layout:
    pictures: dict[str, list[LaidPicture]] = {"train": [], "index": [], "test": []}
    for one in landmarks():
        views = {"train": TRAIN_VIEWS} if one.split == "train" else {}
        for split, count in (views or {"index": INDEX_VIEWS, "test": TEST_VIEWS}).items():
            pictures[split] += [_picture(one, split, number) for number in range(count)]
        if one.split == "train" and one.landmark_id % _UNCLEAN_EVERY == 0:
            pictures["train"].append(_picture(one, "train", TRAIN_VIEWS, is_clean=False))
    pictures["test"] += [_picture(None, "test", number) for number in range(DISTRACTORS)]
    categories = {
        split: {one.landmark_id: one.category for one in landmarks() if one.split == split}
        for split in ("train", "index")
    }
    return Layout(categories=categories, pictures=pictures)


def _picture(
    landmark: DemoLandmark | None, split: str, number: int, *, is_clean: bool = True
) -> LaidPicture:
    name, landmark_id = (landmark.qid, landmark.landmark_id) if landmark else ("none", None)
    image_id = hashlib.sha256(f"{name} {split} {number}".encode()).hexdigest()[:16]
    return LaidPicture(
        image_id=image_id,
        landmark_id=landmark_id,
        title=f"{image_id}.jpg",
        credit=("", _AUTHOR, _LICENSE),
        is_clean=is_clean,
    )
