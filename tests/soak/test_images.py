"""Tars damaged in thousands of ways."""

import os
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.images.config import ImagesConfig
from hgld.images.tars import Extracted, extract_images
from tests.worlds.gldv2.files import image_id, images_tar, picture
from tests.worlds.pictures import damaged


def damaged_tars(content: bytes, seed: int) -> Iterator[bytes]:
    """Yields damaged tars, and as many with a header whose checksum is right all the same."""
    chance = random.Random(seed)
    for damage in damaged(content, seed, 40):
        yield damage
        odd = bytearray(content)
        block = 512 * chance.randrange(0, len(odd) // 512, 2)
        odd[block + chance.choice((100, 124, 125, 130, 156, 157, 345))] = chance.randrange(256)
        odd[block + 148 : block + 156] = b" " * 8
        odd[block + 148 : block + 156] = b"%06o\0 " % sum(odd[block : block + 512])
        yield bytes(odd)


@pytest.mark.fault(70, "damaged tar")
@pytest.mark.parametrize("seed", range(100, 150))
def test_damaged_tars_write_nothing_out_of_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)  # a minute of it
    monkeypatch.setattr("hgld.images.tars.MOST_PICTURE_BYTES", 10_000)
    tar, content = tmp_path / "images_000.tar", images_tar(range(1, 8))
    right = {f"{image_id(number)}.jpg": picture(number) for number in range(1, 8)}
    root = tmp_path / "deep/build"
    errors = altered = 0
    for copy in damaged_tars(content, seed):
        tar.write_bytes(copy)
        rows: list[Extracted] = []
        try:
            rows.extend(extract_images(tar, "train", root, ImagesConfig()))
        except tarfile.TarError as error:
            errors += 1
            assert "\n" not in str(error)  # noqa: PT017 - most damages raise, and some do not
        written = [path for path in tmp_path.rglob("*") if path.is_file() and path != tar]
        assert all(path.is_relative_to(root / "images/train") for path in written)
        assert all(path.suffix == ".jpg" for path in written)
        assert sum(path.stat().st_size for path in written) <= len(content)
        altered += any(row.status != "ok" for row in rows) or any(
            path.read_bytes() != right.get(path.name) for path in written
        )
        for path in written:
            path.unlink()
    assert errors > 20
    assert altered > 2
