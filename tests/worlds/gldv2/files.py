"""Makes tables, tars and buckets like GLDv2's, small and wrong in ways a test names."""

import hashlib
import io
import struct
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

_BMP_HEADER_BYTES = 54
SOLUTION = "retrieval_solution_v2.1.csv"
ATTRIBUTION = "train_attribution.csv"


def image(number: int) -> str:
    """Returns an id of 16 hex digits."""
    return f"{number:016x}"


TABLES = {
    "train.csv": f"id,url,landmark_id\n{image(3)},http://x/3,20\n{image(1)},http://x/1,10\n"
    f'{image(2)},"http://x/2,b",10\n',
    "train_clean.csv": f"landmark_id,images\n10,{image(1)}\n20,{image(3)}\n",
    "train_label_to_category.csv": "landmark_id,category\n20,http://c/Twenty\n10,http://c/Ten\n",
    "index_label_to_category.csv": "landmark_id,category\n10,http://c/Other_ten\n",
    "index_image_to_landmark.csv": f"id,landmark_id\n{image(11)},10\n{image(12)},30\n"
    f"{image(13)},30\n",
    "test.csv": f"id\n{image(21)}\n{image(22)}\n{image(23)}\n{image(24)}\n",
    SOLUTION: f"id,images,Usage\n{image(22)},None,Ignored\n"
    f"{image(21)},{image(11)} {image(12)} {image(13)},Private\n{image(23)},{image(13)} {image(11)}"
    ",Public\n",
    ATTRIBUTION: "id,url,author,license,title\n"
    f'{image(1)},http://c/1,"Ann, B.",https://creativecommons.org/licenses/by/2.0/,File:One.jpg\n'
    f'{image(3)},http://c/3,"Zo\u00eb\nand others",,"File:""Three"".jpg"\n',
}
"""Small, right tables: file name to text."""


def write_tables(folder: Path) -> Path:
    """Writes `TABLES` into a new folder."""
    folder.mkdir()
    for name, text in TABLES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def image_id(number: int) -> str:
    """Returns an id whose first letters differ from one number to the next."""
    return f"{number:03x}{number:013x}"


def member_name(number: int) -> str:
    """Returns where an image lies in a tar."""
    name = image_id(number)
    return f"{name[0]}/{name[1]}/{name[2]}/{name}.jpg"


def picture(number: int, size: int = 300) -> bytes:
    """Returns a picture of one colour, of about so many bytes: a BMP, which needs no encoder."""
    width, height = 8, (size - _BMP_HEADER_BYTES) // 24
    pixels = bytes([number % 256, 90, 200]) * (width * height)
    head = struct.pack("<2sIHHI", b"BM", _BMP_HEADER_BYTES + len(pixels), 0, 0, _BMP_HEADER_BYTES)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + pixels


def tar_bytes(files: Mapping[str, bytes], others: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """Returns a tar with regular files, then with members that carry no content.

    Args:
        files: name to content.
        others: links, folders, devices.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in others:
            archive.addfile(member)
    return buffer.getvalue()


def images_tar(numbers: Iterable[int], size: int = 300) -> bytes:
    """Returns a right tar of the images with these numbers."""
    return tar_bytes({member_name(number): picture(number, size) for number in numbers})


def add_tar(bucket: Path, split: str, number: int, content: bytes) -> None:
    """Puts a tar into a bucket, with its MD5."""
    (bucket / split).mkdir(parents=True, exist_ok=True)
    (bucket / f"md5sum/{split}").mkdir(parents=True, exist_ok=True)
    name = f"images_{number:03d}"
    (bucket / f"{split}/{name}.tar").write_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    (bucket / f"md5sum/{split}/md5.{name}.txt").write_text(f"{md5}  {name}.tar\n")
