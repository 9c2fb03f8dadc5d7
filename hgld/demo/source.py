"""The demo's source folder: tables and tars in GLDv2's layout, with drawings for photographs.

    source/metadata/*.csv      as the official bucket has them
    source/<split>/images_000.tar
    source/md5sum/<split>/md5.images_000.txt

Of each train landmark there are 8 pictures, of each index landmark 4 and with them 2 test pictures.
As in GLDv2 not everything is clean: a tenth of the train landmarks have a picture that does not
show them and is not in `train_clean.csv`, and some test pictures show no landmark at all.

The bytes of every file are the same each time: they depend on the facts, the generator and the
version of Pillow alone.
"""

import csv
import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import PIL
from PIL import Image

from hgld.demo.facts import DemoLandmark, hierarchical_labels, landmarks
from hgld.demo.pictures.drawing import draw_landmark, draw_view
from hgld.engine.files import atomic_file, write_text
from hgld.engine.progress import progress

TRAIN_VIEWS = 8
INDEX_VIEWS = 4
TEST_VIEWS = 2
DISTRACTORS = 12
"""Test pictures that show no landmark."""

MARKER = "DRAWN"
"""Says that a source folder is the demo's, and once it is whole, what it was made from."""

_TAR = "images_000.tar"
_MTIME = 1_736_899_200  # 2025-01-15, so that the same pictures give the same tar
_GENERATOR = 2  # raise it when the drawings or tables change
_AUTHOR = "drawn by hgld"
_LICENSE = "https://creativecommons.org/publicdomain/zero/1.0/"
_UNCLEAN_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    image_id: str
    landmark: DemoLandmark | None
    """Whose picture it counts as; None for a distractor."""
    is_shown: bool = True
    """The landmark is in the picture."""


@dataclass(slots=True)
class _Pictures:
    """The pictures of each split, in the order of their ids, as in GLDv2's tables."""

    train: list[_Picture] = field(default_factory=list)
    index: list[_Picture] = field(default_factory=list)
    test: list[_Picture] = field(default_factory=list)


def write_source(folder: Path) -> None:
    """Writes the source folder, or does nothing where it is whole and up to date.

    Args:
        folder: where to.
    """
    marker = folder / MARKER
    made_with = _fingerprint()
    if marker.exists() and marker.read_text(encoding="utf-8") == made_with:
        return
    write_text(marker, "not yet\n")  # from here on one sees whose folder it is
    pictures = _pictures()
    splits = {"train": pictures.train, "index": pictures.index, "test": pictures.test}
    for name, rows in _tables(pictures).items():
        _write_csv(folder / "metadata" / name, rows)
    with progress("demo: pictures", sum(map(len, splits.values()))) as advance:
        for split, wanted in splits.items():
            tar = folder / split / _TAR
            with atomic_file(tar) as temporary:
                md5 = _write_tar(temporary, wanted)
            write_text(folder / "md5sum" / split / "md5.images_000.txt", f"{md5}  {_TAR}\n")
            advance(len(wanted))
    write_text(marker, made_with)


def _fingerprint() -> str:
    facts = repr((landmarks(), sorted(hierarchical_labels().items())))
    counts = (TRAIN_VIEWS, INDEX_VIEWS, TEST_VIEWS, DISTRACTORS)
    parts = f"{facts} {counts} generator {_GENERATOR} pillow {PIL.__version__}"
    return f"{hashlib.sha256(parts.encode()).hexdigest()}\n"


def _pictures() -> _Pictures:
    pictures = _Pictures()
    for landmark in landmarks():
        if landmark.split == "train":
            pictures.train += _views(landmark, "train", TRAIN_VIEWS)
            if landmark.landmark_id % _UNCLEAN_EVERY == 0:
                image_id = _image_id(landmark.qid, "train", TRAIN_VIEWS)
                pictures.train.append(
                    _Picture(image_id=image_id, landmark=landmark, is_shown=False)
                )
        else:
            pictures.index += _views(landmark, "index", INDEX_VIEWS)
            pictures.test += _views(landmark, "test", TEST_VIEWS)
    for number in range(DISTRACTORS):
        pictures.test.append(_Picture(image_id=_image_id("none", "test", number), landmark=None))
    for split in (pictures.train, pictures.index, pictures.test):
        split.sort(key=lambda picture: picture.image_id)
    return pictures


def _views(landmark: DemoLandmark, split: str, count: int) -> list[_Picture]:
    return [
        _Picture(image_id=_image_id(landmark.qid, split, number), landmark=landmark)
        for number in range(count)
    ]


def _image_id(qid: str, split: str, number: int) -> str:
    return hashlib.sha256(f"{qid} {split} {number}".encode()).hexdigest()[:16]


def _tables(pictures: _Pictures) -> dict[str, Iterator[Sequence[object]]]:
    """Returns file name to rows, the header first."""
    train, index, test = pictures.train, pictures.index, pictures.test
    return {
        "train.csv": _table(
            ("id", "url", "landmark_id"), ((one.image_id, "", _landmark_id(one)) for one in train)
        ),
        "train_attribution.csv": _table(
            ("id", "url", "author", "license", "title"),
            ((one.image_id, "", _AUTHOR, _LICENSE, f"{one.image_id}.jpg") for one in train),
        ),
        "train_clean.csv": _table(("landmark_id", "images"), _lists(train)),
        "train_label_to_category.csv": _table(("landmark_id", "category"), _categories("train")),
        "index.csv": _table(("id",), ((one.image_id,) for one in index)),
        "index_image_to_landmark.csv": _table(
            ("id", "landmark_id"), ((one.image_id, _landmark_id(one)) for one in index)
        ),
        "index_label_to_category.csv": _table(("landmark_id", "category"), _categories("index")),
        "test.csv": _table(("id",), ((one.image_id,) for one in test)),
        "retrieval_solution_v2.1.csv": _table(
            ("id", "images", "Usage"), _solution(test, dict(_lists(index)))
        ),
    }


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    yield header
    yield from rows


def _landmark_id(picture: _Picture) -> int | None:
    return picture.landmark.landmark_id if picture.landmark else None


def _lists(pictures: Iterable[_Picture]) -> Iterator[tuple[int, str]]:
    """Yields each landmark with the pictures that show it, separated by spaces."""
    shown: dict[int, list[str]] = {}
    for picture in pictures:
        if picture.landmark is not None and picture.is_shown:
            shown.setdefault(picture.landmark.landmark_id, []).append(picture.image_id)
    for landmark_id in sorted(shown):
        yield landmark_id, " ".join(shown[landmark_id])


def _categories(split: str) -> Iterator[tuple[int, str]]:
    for landmark in landmarks():
        if landmark.split == split:
            yield landmark.landmark_id, landmark.category


def _solution(test: Iterable[_Picture], index: dict[int, str]) -> Iterator[tuple[str, str, str]]:
    number = 0
    for picture in test:
        if picture.landmark is None:
            yield picture.image_id, "None", "Ignored"
        else:
            usage = "Private" if number % 2 else "Public"
            yield picture.image_id, index[picture.landmark.landmark_id], usage
            number += 1


def _write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def _write_tar(path: Path, pictures: Iterable[_Picture]) -> str:
    """Draws pictures into a tar and returns its MD5, as hex."""
    labels = hierarchical_labels()
    drawn: dict[str, Image.Image] = {}
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for picture in pictures:
            scene = None
            if picture.landmark is not None and picture.is_shown:
                qid = picture.landmark.qid
                if qid not in drawn:
                    drawn[qid] = draw_landmark(qid, labels[qid])
                scene = drawn[qid]
            data = draw_view(scene, picture.image_id)
            folder = "/".join(picture.image_id[:3])
            member = tarfile.TarInfo(f"{folder}/{picture.image_id}.jpg")
            member.size, member.mtime, member.mode = len(data), _MTIME, 0o644
            tar.addfile(member, io.BytesIO(data))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
