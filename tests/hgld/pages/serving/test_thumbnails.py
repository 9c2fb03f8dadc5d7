import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from hgld.errors import DamagedError
from hgld.pages.serving.thumbnails import SIDE, Thumbnails
from hgld.pictures import PictureFile
from tests.worlds.pictures import encoded


@pytest.fixture
def picture(tmp_path: Path) -> PictureFile:
    """A picture larger than a thumbnail, in a folder of its own."""
    content = encoded(Image.new("RGB", (600, 300), "red"), "PNG")
    path = tmp_path / "build/a.png"
    path.parent.mkdir()
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return PictureFile(path=path, size_bytes=len(content), sha256=digest, mend="fetch it")


def test_a_picture_is_made_small_once(picture: PictureFile, tmp_path: Path) -> None:
    asked: list[str] = []

    def file_of(name: str) -> PictureFile | None:
        asked.append(name)
        return picture if name == "a" else None

    thumbnails = Thumbnails(file_of, tmp_path / "build")
    small = thumbnails.of("a")
    assert small is not None
    with Image.open(io.BytesIO(small.content)) as image:
        assert (image.size, image.format) == ((SIDE, SIDE // 2), "JPEG")
    picture.path.unlink()  # it is kept
    assert thumbnails.of("a") == small
    assert thumbnails.of("b") is None
    assert asked == ["a", "a", "b"]


def test_what_leads_out_of_the_folder_is_not_shown(picture: PictureFile, tmp_path: Path) -> None:
    assert Thumbnails(lambda _: picture, tmp_path / "other").of("a") is None


def test_an_altered_picture_is_refused(picture: PictureFile, tmp_path: Path) -> None:
    picture.path.write_bytes(b"altered")
    with pytest.raises(DamagedError, match="fetch it"):
        Thumbnails(lambda _: picture, tmp_path).of("a")
