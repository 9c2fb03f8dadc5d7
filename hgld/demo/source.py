"""The demo's source folder: tables and tars in GLDv2's layout, with drawings as pictures.

    source/metadata/*.csv      as the official bucket has them
    source/<split>/images_000.tar
    source/md5sum/<split>/md5.images_000.txt

Each train landmark has 8 pictures, and each index landmark has 4, with 2 test pictures. As in
GLDv2, not everything is clean: a tenth of the train landmarks have a picture that does not show
them and is not in `train_clean.csv`, and some test pictures show no landmark.

All files are reproducible: their bytes depend only on the facts, the generator and the version of
Pillow.
"""

import csv
import hashlib
import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import PIL

from hgld.demo.drawing import draw_landmark, draw_view
from hgld.demo.facts import DemoLandmark, landmarks
from hgld.engine.files import atomic_file, write_text
from hgld.engine.progress import progress

TRAIN_VIEWS = 8
INDEX_VIEWS = 4
TEST_VIEWS = 2
DISTRACTORS = 12
"""Test pictures that show no landmark."""

MARKER = "DRAWN"
"""File that marks the demo's source folder and, once complete, has its fingerprint."""

_TAR = "images_000.tar"
_MTIME = 1_736_899_200  # 2025-01-15, so that the same pictures give the same tar
_GENERATOR = 3  # raise it if the drawings or tables change
_AUTHOR = "drawn by hgld"
_LICENSE = "https://creativecommons.org/publicdomain/zero/1.0/"
_UNCLEAN_EVERY = 10


@dataclass(frozen=True, slots=True)
class _Picture:
    image_id: str
    landmark: DemoLandmark | None
    """The landmark it is listed under; None for a distractor."""
    is_shown: bool = True
    """Whether the picture shows the landmark."""

    @property
    def landmark_id(self) -> int:
        return self.landmark.landmark_id if self.landmark else 0


def write_source(folder: Path) -> None:
    """Writes the source folder, unless it is complete and up to date.

    Args:
        folder: the folder to write.
    """
    marker = folder / MARKER
    made_with = _fingerprint()
    if marker.exists() and marker.read_text(encoding="utf-8") == made_with:
        return
    write_text(marker, "not yet\n")  # marks the folder as the demo's
    pictures = _pictures()
    for name, rows in _tables(pictures).items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        write_text(folder / "metadata" / name, text.getvalue())
    with progress("demo: pictures", sum(map(len, pictures.values()))) as advance:
        for split, wanted in pictures.items():
            with atomic_file(folder / split / _TAR) as temporary:
                md5 = _write_tar(temporary, wanted)
            write_text(folder / "md5sum" / split / "md5.images_000.txt", f"{md5}  {_TAR}\n")
            advance(len(wanted))
    write_text(marker, made_with)


def _fingerprint() -> str:
    counts = (TRAIN_VIEWS, INDEX_VIEWS, TEST_VIEWS, DISTRACTORS)
    parts = f"{landmarks()!r} {counts} generator {_GENERATOR} pillow {PIL.__version__}"
    return f"{hashlib.sha256(parts.encode()).hexdigest()}\n"


def _pictures() -> dict[str, list[_Picture]]:
    """Returns the pictures of each split, sorted by id as in GLDv2's tables."""
    found: dict[str, list[_Picture]] = {"train": [], "index": [], "test": []}
    for one in landmarks():
        views = {"train": TRAIN_VIEWS} if one.split == "train" else {}
        for split, count in (views or {"index": INDEX_VIEWS, "test": TEST_VIEWS}).items():
            found[split] += [_Picture(_image_id(one.qid, split, n), one) for n in range(count)]
        if one.split == "train" and one.landmark_id % _UNCLEAN_EVERY == 0:
            image_id = _image_id(one.qid, "train", TRAIN_VIEWS)
            found["train"].append(_Picture(image_id, one, is_shown=False))
    found["test"] += [_Picture(_image_id("none", "test", n), None) for n in range(DISTRACTORS)]
    return {
        split: sorted(pictures, key=lambda one: one.image_id) for split, pictures in found.items()
    }


def _image_id(qid: str, split: str, number: int) -> str:
    return hashlib.sha256(f"{qid} {split} {number}".encode()).hexdigest()[:16]


def _tables(pictures: dict[str, list[_Picture]]) -> dict[str, list[Sequence[object]]]:
    """Returns file name to rows, with the header first."""
    train, index, test = pictures["train"], pictures["index"], pictures["test"]
    shown = _lists(index)
    queries = [one.image_id for one in test if one.landmark]
    usage = {name: ("Public", "Private")[place % 2] for place, name in enumerate(queries)}
    landmarks_of_train = [(one.image_id, "", one.landmark_id) for one in train]
    attributions = [(one.image_id, "", _AUTHOR, _LICENSE, f"{one.image_id}.jpg") for one in train]
    landmarks_of_index = [(one.image_id, one.landmark_id) for one in index]
    solution = [
        (one.image_id, shown.get(one.landmark_id, "None"), usage.get(one.image_id, "Ignored"))
        for one in test
    ]
    return {
        "train.csv": [("id", "url", "landmark_id"), *landmarks_of_train],
        "train_attribution.csv": [("id", "url", "author", "license", "title"), *attributions],
        "train_clean.csv": [("landmark_id", "images"), *sorted(_lists(train).items())],
        "train_label_to_category.csv": _categories("train"),
        "index.csv": [("id",), *((one.image_id,) for one in index)],
        "index_image_to_landmark.csv": [("id", "landmark_id"), *landmarks_of_index],
        "index_label_to_category.csv": _categories("index"),
        "test.csv": [("id",), *((one.image_id,) for one in test)],
        "retrieval_solution_v2.1.csv": [("id", "images", "Usage"), *solution],
    }


def _lists(pictures: Iterable[_Picture]) -> dict[int, str]:
    """Returns landmark id to the ids of the pictures that show it, separated by spaces."""
    shown: dict[int, str] = {}
    for one in pictures:
        if one.is_shown:
            shown[one.landmark_id] = f"{shown.get(one.landmark_id, '')} {one.image_id}".strip()
    return shown


def _categories(split: str) -> list[Sequence[object]]:
    rows = [(one.landmark_id, one.category) for one in landmarks() if one.split == split]
    return [("landmark_id", "category"), *rows]


def _write_tar(path: Path, pictures: Iterable[_Picture]) -> str:
    """Draws pictures into a tar and returns its MD5, as hex."""
    drawn = cache(draw_landmark)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for one in pictures:
            shown = one.landmark if one.is_shown else None
            scene = drawn(shown.qid, shown.hierarchical_label) if shown else None
            data = draw_view(scene, one.image_id)
            member = tarfile.TarInfo(f"{'/'.join(one.image_id[:3])}/{one.image_id}.jpg")
            member.size, member.mtime, member.mode = len(data), _MTIME, 0o644
            tar.addfile(member, io.BytesIO(data))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
