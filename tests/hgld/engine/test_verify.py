"""A release is compared with its list of sums, and the list with what a list may name."""

import hashlib
import os
from pathlib import Path

import pytest

from hgld.engine.verify import RELEASE_SUMS, read_sums, verify_sums
from hgld.errors import DamagedError

FILES = {"card.md": b"a card", "data/train-0.parquet": b"rows", "data/test-0.parquet": b"more"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    lines = [f"{digest(content)}  {name}\n" for name, content in FILES.items()]
    (tmp_path / RELEASE_SUMS).write_text("".join(lines))
    return tmp_path


def wrong(folder: Path) -> list[str]:
    return [damage.path for damage in verify_sums(folder) if damage.what]


def test_a_whole_release_has_every_file_and_no_damage(release: Path) -> None:
    assert [damage.path for damage in verify_sums(release)] == [*FILES]
    assert wrong(release) == []
    assert read_sums(release / RELEASE_SUMS) == {
        name: digest(content) for name, content in FILES.items()
    }


def test_what_is_altered_gone_or_added_is_named(release: Path) -> None:
    (release / "card.md").write_bytes(b"b card")
    (release / "data/train-0.parquet").unlink()
    (release / "data/train-1.parquet").write_bytes(b"of another release")
    (release / "data/.train-2.parquet").write_bytes(b"hidden, which no reader takes")
    assert wrong(release) == ["card.md", "data/train-0.parquet", "data/train-1.parquet"]


def test_a_file_that_cannot_be_read_is_named_and_hides_no_other(release: Path) -> None:
    (release / "card.md").unlink()
    os.mkfifo(release / "card.md")
    (release / "data/train-0.parquet").unlink()
    (release / "data/train-0.parquet").mkdir()
    (release / "data/test-0.parquet").write_bytes(b"other")
    assert wrong(release) == [*FILES]


@pytest.mark.parametrize(
    "name",
    ["card.md", "../outside", "/etc/passwd", "data/../../outside", ".git/config", ".", "a\0b", ""],
)
def test_a_line_that_leads_out_or_lists_a_file_again_is_refused(release: Path, name: str) -> None:
    with (release / RELEASE_SUMS).open("a") as sums:
        sums.write(f"{digest(b'x')}  {name}\n")
    with pytest.raises(DamagedError, match="line 4"):
        read_sums(release / RELEASE_SUMS)
    assert wrong(release) == [RELEASE_SUMS]


def test_a_list_of_nothing_or_that_cannot_be_read_is_refused(release: Path) -> None:
    sums = release / RELEASE_SUMS
    sums.write_text("")
    assert RELEASE_SUMS in wrong(release)
    for _ in range(2):
        with pytest.raises(DamagedError, match=RELEASE_SUMS):
            read_sums(sums)
        sums.unlink(missing_ok=True)


def test_a_name_may_begin_as_sha256sum_writes_it(release: Path) -> None:
    sums = release / RELEASE_SUMS
    sums.write_text(sums.read_text().replace("  ", "  ./"))
    assert wrong(release) == []
