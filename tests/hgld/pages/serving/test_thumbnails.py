import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from hgld.errors import DamagedError
from hgld.pages.serving.thumbnails import SIDE, Thumbnails
from hgld.pictures import PictureFile
from tests.worlds.pictures import encoded


def test_a_picture_is_made_small_once_and_one_that_is_altered_or_elsewhere_is_not_shown(
    tmp_path: Path,
) -> None:
    content = encoded(Image.new("RGB", (600, 300), "red"), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    picture = PictureFile(path=path, size_bytes=len(content), sha256=digest, mend="fetch it")
    thumbnails = Thumbnails({"a": picture}.get, tmp_path)
    assert Thumbnails({"a": picture}.get, tmp_path / "other").of("a") is None
    small = thumbnails.of("a")
    assert small is not None
    with Image.open(io.BytesIO(small.content)) as image:
        assert (image.size, image.format) == ((SIDE, SIDE // 2), "JPEG")
    path.write_bytes(b"altered")
    assert thumbnails.of("a") == small  # it is kept
    assert thumbnails.of("b") is None
    with pytest.raises(DamagedError, match="fetch it"):
        Thumbnails({"a": picture}.get, tmp_path).of("a")
