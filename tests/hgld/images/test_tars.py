import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.images.config import ImagesConfig
from hgld.images.tars import Extracted, extract_images, image_path, read_members
from tests.worlds.gldv2.files import image_id, images_tar, member_name, picture, tar_bytes


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
    lines = b""
    for key, value in records.items():
        body = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(body) + 1
        length += len(str(length + len(str(length)) - 1)) - 1
        lines += str(length).encode() + body
    return lines


def whole(number: int) -> bytes:
    """Returns a member of a tar with its picture."""
    content = picture(number)
    return header(member_name(number), len(content)) + content + bytes(-len(content) % 512)


END = bytes(1024)


def ids_and_errors(tar: Path) -> list[str]:
    return [member.image_id or str(member.error) for member in read_members(tar)]


@pytest.mark.fault(69, "tar bomb")
def test_a_tar_holds_no_more_members_than_it_may(
    tar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.images.tars._MOST_MEMBERS", 2)
    tar.write_bytes(images_tar([1, 2, 3]))
    members = read_members(tar)
    assert [next(members).image_id, next(members).image_id] == [image_id(1), image_id(2)]
    with pytest.raises(tarfile.TarError, match="members"):
        next(members)


@pytest.mark.fault(69, "tar bomb")
def test_a_picture_that_is_too_large_is_refused_alone(
    tar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.images.tars.MOST_PICTURE_BYTES", 10_000)
    tar.write_bytes(tar_bytes({member_name(1): bytes(10_001), member_name(2): picture(2)}))
    refused, kept = ids_and_errors(tar)
    assert "10,000 bytes" in refused
    assert kept == image_id(2)


@pytest.mark.fault(69, "tar bomb")
@pytest.mark.parametrize(
    "bomb",
    [
        header(member_name(1), 3_000_000_000),
        header(member_name(1), 2**70),
        header(member_name(1), -512),
        header("././@PaxHeader", 4_000_000_000, tarfile.XHDTYPE),
        header("././@LongLink", 4_000_000_000, tarfile.GNUTYPE_LONGNAME),
        header("some/file", 2**62, b"Z"),
    ],
)
def test_a_declared_size_is_a_cap(tar: Path, bomb: bytes) -> None:
    tar.write_bytes(whole(7) + bomb + END)
    members = read_members(tar)
    assert next(members).image_id == image_id(7)
    with pytest.raises(tarfile.TarError, match="1,024"):
        next(members)


@pytest.mark.fault(69, "tar bomb")
def test_a_sparse_file_is_no_image(tar: Path, tmp_path: Path) -> None:
    """10 KB of tar that stand for 3 GB of zeros, in both ways that GNU tar writes them."""
    (tmp_path / "0/0/1").mkdir(parents=True)
    with (tmp_path / member_name(1)).open("wb") as file:
        file.truncate(3_000_000_000)
    for way in ("gnu", "posix"):
        command = ["tar", "--sparse", f"--format={way}", "-C", str(tmp_path), "-cf", str(tar)]
        subprocess.run([*command, member_name(1)], check=True)
        assert tar.stat().st_size < 20_000
        if way == "gnu":
            with pytest.raises(tarfile.TarError, match="sparse"):
                list(read_members(tar))
        else:
            (refused,) = read_members(tar)
            assert refused.image_id == ""


@pytest.mark.fault(69, "tar bomb")
@pytest.mark.parametrize(
    "before",
    [
        extended(tarfile.GNUTYPE_LONGNAME, b"../../evil.jpg\0"),
        extended(tarfile.XHDTYPE, pax(path="../../evil.jpg")),
        extended(tarfile.XHDTYPE, pax(mtime="1.5", size="3000000000")),
        extended(tarfile.XHDTYPE, pax(GNU__sparse__realsize="3000000000")),
        extended(tarfile.XHDTYPE, b"99999 path=x\n"),
        extended(tarfile.XHDTYPE, b"9" * 5000 + b" path=x\n"),
        extended(tarfile.XHDTYPE, bytes(20)),
        extended(tarfile.XHDTYPE, b"6 a=1\n" * 20_000),
    ],
)
def test_an_extended_header_that_changes_an_image_refuses_it(tar: Path, before: bytes) -> None:
    tar.write_bytes(before + whole(1) + whole(2) + END)
    refused, kept = ids_and_errors(tar)
    assert "extended header" in refused
    assert kept == image_id(2)


def test_a_global_header_that_changes_images_refuses_all_of_them(tar: Path) -> None:
    tar.write_bytes(extended(tarfile.XGLTYPE, pax(path="evil")) + whole(1) + whole(2) + END)
    assert len([error for error in ids_and_errors(tar) if "regular file" in error]) == 2


def test_an_extended_header_about_other_things_is_no_fault(tar: Path) -> None:
    records = pax(mtime="1736899200.25", LIBARCHIVE__xattr__user="\0x", comment="by hand")
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
        tar.write_bytes(extended(kind, records) + whole(1) + END)
        assert ids_and_errors(tar) == [image_id(1)]
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo(member_name(1))
        member.size, member.mtime = len(picture(1)), 1.5
        archive.addfile(member, io.BytesIO(picture(1)))
    assert ids_and_errors(tar) == [image_id(1)]


def extracted(tar: Path, root: Path) -> list[Extracted]:
    return list(extract_images(tar, "train", root, ImagesConfig()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep/build"


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_folders_and_a_leading_dot_are_no_fault(tar: Path, root: Path) -> None:
    folder = tarfile.TarInfo("./0")
    folder.type = tarfile.DIRTYPE
    tar.write_bytes(tar_bytes({f"./{member_name(1)}": picture(1)}, [folder]))
    assert [image.image_id for image in extracted(tar, root)] == [image_id(1)]


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
def test_a_member_that_is_no_image_at_its_place_is_refused(
    tar: Path, root: Path, name: str
) -> None:
    tar.write_bytes(tar_bytes({name: b"evil", member_name(7): picture(7)}))
    refused, image = extracted(tar, root)
    assert (refused.image_id, refused.path) == ("", None)
    assert repr(name) in str(refused.error)
    assert "\n" not in str(refused.error)
    assert image.image_id == image_id(7)
    # Nothing but the one image, anywhere under the folder that holds the tar and the build.
    there = f"deep/build/{image_path('train', image_id(7))}"
    assert files_under(tar.parent) == [there, "images_000.tar"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_under_the_name_of_an_image_is_refused(
    tar: Path, root: Path, kind: bytes
) -> None:
    link = tarfile.TarInfo(member_name(1))
    link.type = kind
    link.linkname = "/etc/passwd"
    tar.write_bytes(tar_bytes({}, [link]))
    (refused,) = extracted(tar, root)
    assert "regular file" in str(refused.error)
    assert not files_under(root)


def test_the_second_of_a_name_is_refused(tar: Path, root: Path) -> None:
    name = member_name(1)
    tar.write_bytes(tar_bytes({name: picture(5), f"./{name}": picture(6)}))
    first, second = extracted(tar, root)
    assert first.error is None
    assert second.error is not None
    assert (root / image_path("train", image_id(1))).read_bytes() == picture(5)


@pytest.mark.fault(70, "damaged tar")
@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", 0),
        (b"<html>no such tar</html>", 0),
        (images_tar([1, 2, 3])[:2500], 2),  # in the header of the third member
        (images_tar([1, 2, 3])[:2700], 2),  # in its content
        (images_tar([1, 2, 3])[:2048], 2),  # after the second
        (images_tar([1, 2, 3])[:2048] + b"?" * 512 + images_tar([1, 2, 3])[2560:], 2),
    ],
)
def test_a_damaged_tar_is_an_error_after_what_is_whole(
    tar: Path, root: Path, content: bytes, whole: int
) -> None:
    tar.write_bytes(content)
    images = extract_images(tar, "train", root, ImagesConfig())
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
    assert not extracted(tar, root)


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tar: Path, root: Path) -> None:
    tar.write_bytes(images_tar([1]))
    (root / "images").mkdir(parents=True)
    (root / "images/train").write_text("a file where a folder must be")
    with pytest.raises(InputError, match=r"0010000000000001\.jpg"):
        extracted(tar, root)
