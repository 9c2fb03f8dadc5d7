import tarfile
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.images.config import ImagesConfig
from hgld.images.extract import Extracted, extract_images
from hgld.images.tars import image_path
from tests.worlds.gldv2.files import image_id, images_tar, member_name, picture, tar_bytes

RULES = ImagesConfig().rules()


def extracted(tar: Path, split: str, root: Path) -> list[Extracted]:
    return list(extract_images(tar, split, root, RULES))


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return tmp_path / "images_000.tar"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep/build"


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_images_come_to_their_places_byte_for_byte(tar: Path, root: Path) -> None:
    tar.write_bytes(images_tar([1, 0x2A7]))
    found = extracted(tar, "index", root)
    assert [(image.image_id, image.path, image.error) for image in found] == [
        (image_id(1), image_path("index", image_id(1)), None),
        (image_id(0x2A7), image_path("index", image_id(0x2A7)), None),
    ]
    assert (root / f"images/index/2/a/7/{image_id(0x2A7)}.jpg").read_bytes() == picture(0x2A7)
    assert len(files_under(root)) == 2


def test_folders_and_a_leading_dot_are_no_fault(tar: Path, root: Path) -> None:
    folder = tarfile.TarInfo("./0")
    folder.type = tarfile.DIRTYPE
    tar.write_bytes(tar_bytes({f"./{member_name(1)}": picture(1)}, [folder]))
    assert [image.image_id for image in extracted(tar, "train", root)] == [image_id(1)]


def test_an_image_of_before_is_replaced(tar: Path, root: Path) -> None:
    tar.write_bytes(tar_bytes({member_name(1): picture(5)}))
    extracted(tar, "train", root)
    tar.write_bytes(tar_bytes({member_name(1): picture(6)}))
    extracted(tar, "train", root)
    assert (root / image_path("train", image_id(1))).read_bytes() == picture(6)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "../../0/0/1/0010000000000001.jpg",
        "/0/0/1/0010000000000001.jpg",
        "/tmp/evil.jpg",  # noqa: S108 - an attack, not a file that is made
        "0/0/1/../1/0010000000000001.jpg",
        "0/0/2/0010000000000001.jpg",  # not in the folders of its letters
        "0/0/1/0010000000000001.png",
        "0/0/1/001000000000001.jpg",  # 15 digits
        "0/0/1/00100000000000001.jpg",  # 17 digits
        "0/0/1/001000000000000G.jpg",
        "A/0/1/A010000000000001.jpg",
        "0/0/1/0010000000000001.jpg\n",
        "0010000000000001.jpg",
        "x/0/0/1/0010000000000001.jpg",
        "",
    ],
)
def test_a_member_that_is_no_image_at_its_place_is_refused(
    tar: Path, root: Path, name: str
) -> None:
    tar.write_bytes(tar_bytes({name: b"evil", member_name(7): picture(7)}))
    refused, image = extracted(tar, "train", root)
    assert refused.image_id == ""
    assert refused.path is None
    assert repr(name) in str(refused.error)
    assert "\n" not in str(refused.error)
    assert image.image_id == image_id(7)
    # Nothing but the one image, anywhere under the folder that holds the tar and the build.
    assert files_under(tar.parent) == [
        f"deep/build/{image_path('train', image_id(7))}",
        "images_000.tar",
    ]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_under_the_name_of_an_image_is_refused(
    tar: Path, root: Path, kind: bytes
) -> None:
    link = tarfile.TarInfo(member_name(1))
    link.type = kind
    link.linkname = "/etc/passwd"
    tar.write_bytes(tar_bytes({}, [link]))
    (refused,) = extracted(tar, "train", root)
    assert "regular file" in str(refused.error)
    assert not files_under(root)


def test_the_second_of_a_name_is_refused(tar: Path, root: Path) -> None:
    name = member_name(1)
    tar.write_bytes(tar_bytes({name: picture(5), f"./{name}": picture(6)}))
    first, second = extracted(tar, "train", root)
    assert first.error is None
    assert second.error is not None
    assert (root / image_path("train", image_id(1))).read_bytes() == picture(5)


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", 0),
        (b"<html>no such tar</html>", 0),
        (bytes(range(256)) * 40, 0),
        (images_tar([1, 2, 3])[:2500], 2),  # in the header of the third member
        (images_tar([1, 2, 3])[:2700], 2),  # in its content
        (images_tar([1, 2, 3])[:2048], 2),  # after the second
        (images_tar([1, 2, 3])[:1100], 1),  # in the header of the second
        (images_tar([1, 2, 3])[:2048] + b"?" * 512 + images_tar([1, 2, 3])[2560:], 2),
    ],
)
def test_a_damaged_tar_is_an_error_after_what_is_whole(
    tar: Path, root: Path, content: bytes, whole: int
) -> None:
    tar.write_bytes(content)
    images = extract_images(tar, "train", root, RULES)
    for number in range(1, whole + 1):
        assert next(images).image_id == image_id(number)
    with pytest.raises(tarfile.TarError):
        list(images)
    for number in range(1, whole + 1):
        path = root / image_path("train", image_id(number))
        assert path.read_bytes() == picture(number)
    assert len([name for name in files_under(root) if name.endswith(".jpg")]) == whole


def test_an_empty_tar_has_no_images(tar: Path, root: Path) -> None:
    tar.write_bytes(tar_bytes({}))
    assert not extracted(tar, "train", root)


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tar: Path, root: Path) -> None:
    tar.write_bytes(images_tar([1]))
    (root / "images").mkdir(parents=True)
    (root / "images/train").write_text("a file where a folder must be")
    with pytest.raises(InputError, match=r"0010000000000001\.jpg"):
        extracted(tar, "train", root)
