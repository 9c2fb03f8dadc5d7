"""Writes pictures that are not of GLDv2 in its layout, which `metadata` and `images` read.

    metadata/*.csv                 as the official bucket has them
    <split>/images_000.tar         one tar of each split
    md5sum/<split>/md5.images_000.txt

The bytes depend only on what is laid out. A folder that is up to date is left as it is. The tables
come last and replace the old ones together, so that no label is of another list than its neighbour.
"""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hgld.engine.files import atomic_file, write_text
from hgld.engine.progress import progress
from hgld.metadata.files import SOLUTION
from hgld.tables.csv_files import csv_text

_TAR = "images_000.tar"
_MTIME = 1_736_899_200  # 2025-01-15, so that the same pictures give the same tar
_VERSION = 1  # raise it if the same layout gives other files


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidPicture:
    """One picture of a split."""

    image_id: str
    """16 hex digits."""
    landmark_id: int | None
    """In the label space of its split; None: a test picture that shows no landmark of the index."""
    title: str
    credit: tuple[str, str, str] = ("", "", "")
    """The URL of its page, its author and its license."""
    is_clean: bool = True
    """Of a train picture: whether it shows its landmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Everything that the tables say."""

    categories: Mapping[str, Mapping[int, str]]
    """`train` and `index` to landmark id to category."""
    pictures: Mapping[str, Sequence[LaidPicture]]
    """`train`, `index` and `test` to pictures."""


def write_layout(
    marker: Path, layout: Layout, read: Callable[[LaidPicture], bytes], made_with: str = ""
) -> None:
    """Writes a folder in GLDv2's layout, unless it is complete and up to date.

    Args:
        marker: a file in the folder, which gets the digest of the layout once that is complete.
        layout: the tables; the pictures are sorted by id, as in GLDv2.
        read: returns the bytes of a picture, of any format that `hgld.pictures` decodes.
        made_with: what else the bytes of the pictures depend on, beside their ids.
    """
    folder = marker.parent
    digest = hashlib.sha256(f"{layout!r} {made_with} {_VERSION}".encode()).hexdigest()
    if marker.exists() and marker.read_text(encoding="utf-8") == f"{digest}\n":
        return
    write_text(marker, "not yet\n")
    pictures = {
        split: sorted(some, key=lambda one: one.image_id) for split, some in layout.pictures.items()
    }
    with progress("source: pictures", sum(map(len, pictures.values()))) as advance:
        for split, wanted in pictures.items():
            with atomic_file(folder / split / _TAR) as temporary:
                md5 = _write_tar(temporary, wanted, read)
            write_text(folder / "md5sum" / split / "md5.images_000.txt", f"{md5}  {_TAR}\n")
            advance(len(wanted))
    tables, fresh = folder / "metadata", folder / "metadata.new"
    shutil.rmtree(fresh, ignore_errors=True)
    for name, rows in _tables(layout, pictures).items():
        write_text(fresh / name, csv_text(rows))
    shutil.rmtree(tables, ignore_errors=True)
    fresh.rename(tables)
    write_text(marker, f"{digest}\n")


def _tables(
    layout: Layout, pictures: Mapping[str, Sequence[LaidPicture]]
) -> dict[str, list[Sequence[object]]]:
    """Returns file name to rows, with the header first."""
    train, index, test = pictures["train"], pictures["index"], pictures["test"]
    shown = _lists(index)
    queries = [one.image_id for one in test if one.landmark_id is not None]
    usage = {name: ("Public", "Private")[place % 2] for place, name in enumerate(queries)}
    landmarks_of_train = [(one.image_id, "", one.landmark_id) for one in train]
    # GLDv2 has no others, and none is made up.
    credited = (*train, *(one for one in (*index, *test) if one.credit[0]))
    attributions = [(one.image_id, *one.credit, one.title) for one in credited]
    landmarks_of_index = [(one.image_id, one.landmark_id) for one in index]
    solution = [
        (one.image_id, shown.get(one.landmark_id, "None"), usage.get(one.image_id, "Ignored"))
        for one in test
    ]
    categories: dict[str, list[Sequence[object]]] = {
        f"{split}_label_to_category.csv": [("landmark_id", "category"), *rows.items()]
        for split, rows in layout.categories.items()
    }
    return categories | {
        "train.csv": [("id", "url", "landmark_id"), *landmarks_of_train],
        "train_attribution.csv": [("id", "url", "author", "license", "title"), *attributions],
        "train_clean.csv": [("landmark_id", "images"), *sorted(_lists(train).items())],
        "index.csv": [("id",), *((one.image_id,) for one in index)],
        "index_image_to_landmark.csv": [("id", "landmark_id"), *landmarks_of_index],
        "test.csv": [("id",), *((one.image_id,) for one in test)],
        SOLUTION: [("id", "images", "Usage"), *solution],
    }


def _lists(pictures: Iterable[LaidPicture]) -> dict[int | None, str]:
    """Returns landmark id to the ids of its clean pictures, separated by spaces."""
    shown: dict[int | None, str] = {}
    for one in pictures:
        if one.is_clean:
            shown[one.landmark_id] = f"{shown.get(one.landmark_id, '')} {one.image_id}".strip()
    return shown


def _write_tar(
    path: Path, pictures: Iterable[LaidPicture], read: Callable[[LaidPicture], bytes]
) -> str:
    """Writes pictures into a tar and returns its MD5, as hex."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for one in pictures:
            data = read(one)
            member = tarfile.TarInfo(f"{'/'.join(one.image_id[:3])}/{one.image_id}.jpg")
            member.size, member.mtime, member.mode = len(data), _MTIME, 0o644
            tar.addfile(member, io.BytesIO(data))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
