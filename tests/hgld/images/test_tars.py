"""What of a tar becomes a picture, and what is refused: bombs, links, damage, other places."""

import tarfile
from pathlib import Path

import pytest

from hgld.images.config import ImagesConfig
from hgld.images.tars import Extracted, extract_images, image_path, read_members
from tests.worlds.gldv2.files import image_id, images_tar, member_name, picture, tar_bytes

END = bytes(1024)


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return tmp_path / "images_000.tar"


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Returns the header of a member that declares a size, whatever comes after it."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def extended(kind: bytes, content: bytes) -> bytes:
    """Returns an extended header, which says something of the member after it."""
    return header("././@LongLink", len(content), kind) + content + bytes(-len(content) % 512)


def pax(**records: str) -> bytes:
    """Returns what an extended header says; each record begins with its length, of two digits."""
    bodies = [f" {key.replace('__', '.')}={value}\n" for key, value in records.items()]
    return "".join(f"{len(body) + 2}{body}" for body in bodies).encode()


def whole(number: int) -> bytes:
    """Returns a member of a tar with its picture."""
    content = picture(number)
    return header(member_name(number), len(content)) + content + bytes(-len(content) % 512)


def ids_and_errors(tar: Path, content: bytes) -> list[str]:
    """Returns the id of each member of a tar that is a picture, and why another is none."""
    tar.write_bytes(content)
    return [member.image_id or str(member.error) for member in read_members(tar)]


@pytest.mark.fault(69, "tar bomb")
def test_a_tar_holds_no_more_members_and_a_picture_no_more_bytes_than_it_may(
    tar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.images.tars.MOST_PICTURE_BYTES", 10_000)
    monkeypatch.setattr("hgld.images.tars._MOST_MEMBERS", 2)
    files = {member_name(1): bytes(10_001), member_name(2): picture(2), member_name(3): b""}
    tar.write_bytes(tar_bytes(files))
    members = read_members(tar)
    assert "10,000 bytes" in str(next(members).error)  # it is refused alone
    assert next(members).image_id == image_id(2)
    with pytest.raises(tarfile.TarError, match="members"):
        next(members)


@pytest.mark.fault(69, "tar bomb")
@pytest.mark.parametrize(
    "bomb",
    [
        header(member_name(1), 3_000_000_000),
        header(member_name(1), 2**70),
        header(member_name(1), -512),
        header("././@PaxHeader", 4_000_000_000, tarfile.XHDTYPE),
        header("some/file", 2**62, b"Z"),
        header(member_name(1), 3_000_000_000, tarfile.GNUTYPE_SPARSE),
    ],
)
def test_a_declared_size_is_a_cap(tar: Path, bomb: bytes) -> None:
    tar.write_bytes(whole(7) + bomb + END)
    members = read_members(tar)
    assert next(members).image_id == image_id(7)
    with pytest.raises(tarfile.TarError, match=r"1,024|sparse"):
        next(members)


@pytest.mark.fault(69, "tar bomb")
@pytest.mark.parametrize(
    "before",
    [
        extended(tarfile.GNUTYPE_LONGNAME, b"../../evil.jpg\0"),
        extended(tarfile.XHDTYPE, pax(path="../../evil.jpg")),
        extended(tarfile.XHDTYPE, pax(mtime="1.5", size="3000000000")),
        extended(tarfile.XHDTYPE, pax(GNU__sparse__realsize="3000000000")),
        extended(tarfile.XHDTYPE, b"99999 path=x\n"),
        extended(tarfile.XHDTYPE, bytes(20)),
        extended(tarfile.XHDTYPE, b"6 a=1\n" * 20_000),
    ],
)
def test_an_extended_header_that_changes_an_image_refuses_it(tar: Path, before: bytes) -> None:
    refused, kept = ids_and_errors(tar, before + whole(1) + whole(2) + END)
    assert "extended header" in refused
    assert kept == image_id(2)


def test_an_extended_header_about_other_things_is_no_fault(tar: Path) -> None:
    records = pax(mtime="1736899200.25", LIBARCHIVE__xattr__user="\0x", comment="by hand")
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
        assert ids_and_errors(tar, extended(kind, records) + whole(1) + END) == [image_id(1)]
    of_all = extended(tarfile.XGLTYPE, pax(path="evil"))
    assert image_id(1) not in ids_and_errors(tar, of_all + whole(1) + END)


def extracted(tar: Path, content: bytes) -> list[Extracted]:
    """Extracts a tar into the build `deep/build` beside it."""
    tar.write_bytes(content)
    return list(extract_images(tar, "train", tar.parent / "deep/build", ImagesConfig()))


def pictures(tar: Path) -> dict[str, bytes]:
    """Returns all files but the tar in the folder that holds it and the build."""
    found = [path for path in tar.parent.rglob("*") if path.is_file() and path != tar]
    return {str(path.relative_to(tar.parent)): path.read_bytes() for path in found}


def extracts(*numbers: int) -> dict[str, bytes]:
    """Returns the files that these pictures become."""
    return {
        f"deep/build/{image_path('train', image_id(number))}": picture(number) for number in numbers
    }


@pytest.mark.fault(165, "tar member that would leave its place")
@pytest.mark.parametrize(
    "name",
    [
        *("../evil.jpg", "../../0/0/1/0010000000000001.jpg", "/0/0/1/0010000000000001.jpg"),
        *("0/0/1/../1/0010000000000001.jpg", "x/0/0/1/0010000000000001.jpg", ""),
        *("0/0/2/0010000000000001.jpg", "0010000000000001.jpg"),  # not where its letters say
        *("0/0/1/0010000000000001.png", "0/0/1/0010000000000001.jpg\n"),
        *("0/0/1/001000000000001.jpg", "0/0/1/00100000000000001.jpg"),  # 15 digits, and 17
        *("0/0/1/001000000000000G.jpg", "A/0/1/A010000000000001.jpg"),
    ],
)
def test_a_member_that_is_no_image_at_its_place_is_refused(tar: Path, name: str) -> None:
    refused, image = extracted(tar, tar_bytes({name: b"evil", member_name(7): picture(7)}))
    assert (refused.image_id, refused.path) == ("", None)
    assert repr(name) in str(refused.error)
    assert "\n" not in str(refused.error)
    assert image.image_id == image_id(7)
    assert pictures(tar) == extracts(7)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_under_the_name_of_an_image_is_refused(tar: Path, kind: bytes) -> None:
    link = tarfile.TarInfo(member_name(1))
    link.type = kind
    link.linkname = "/etc/passwd"
    (refused,) = extracted(tar, tar_bytes({}, [link]))
    assert "regular file" in str(refused.error)
    assert not [*tar.parent.rglob("*.jpg")]


def test_the_second_of_a_name_is_refused(tar: Path) -> None:
    name, folder = member_name(5), tarfile.TarInfo("./0")
    folder.type = tarfile.DIRTYPE  # which is no fault, as a leading dot is none
    content = tar_bytes({f"./{name}": picture(5), name: picture(6)}, [folder])
    first, second = extracted(tar, content)
    assert first.error is None
    assert second.error is not None
    assert pictures(tar) == extracts(5)


@pytest.mark.fault(70, "damaged tar")
@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"<html>no such tar</html>", 0),
        *((images_tar([1, 2, 3])[:size], 2) for size in (2500, 2700, 2048)),  # of 3 times 1,024
        (images_tar([1, 2, 3])[:2048] + b"?" * 512 + images_tar([1, 2, 3])[2560:], 2),
    ],
)
def test_a_damaged_tar_is_an_error_after_what_is_whole(
    tar: Path, content: bytes, whole: int
) -> None:
    tar.write_bytes(content)
    images = extract_images(tar, "train", tar.parent / "deep/build", ImagesConfig())
    for number in range(1, whole + 1):
        assert next(images).image_id == image_id(number)
    with pytest.raises(tarfile.TarError):
        list(images)
    assert pictures(tar) == extracts(*range(1, whole + 1))
