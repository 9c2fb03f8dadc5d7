"""What goes into the archive comes out as it was, or is named and left out."""

import dataclasses
import gzip
import math
import os
import random
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hgld.engine.files import file_digest
from hgld.scrape.archive import SUMS, RawAnswer, RawArchive
from tests.worlds.damage import Way, copy, cut, flip, remove, swap, zero
from tests.worlds.wikimedia.answers import answer_of
from tests.worlds.wikimedia.scraping import kept_answers


def _archive(folder: Path, keys: str = "ABC") -> RawArchive:
    archive = RawArchive(folder)
    for key in keys:
        archive.append(answer_of(key))
    return archive


def _loaded(folder: Path, *, mend: bool = False) -> tuple[str, list[str]]:
    """Returns the keys that are there, and the names of the misfits."""
    kept: list[RawAnswer] = []
    misfits = RawArchive(folder).load(kept.append, mend=mend)
    keys = "".join(key for answer in kept for key in answer.keys)
    return keys, [path.name for path in misfits]


@pytest.mark.parametrize("text", ["\x00", "\u202e right to left", "e\u0301", "\U0010ffff", '"\\'])
def test_answers_come_back_as_they_were_in_the_order_they_came(tmp_path: Path, text: str) -> None:
    # However the clock jumped.
    early = datetime(2025, 11, 25, 10, 0, 0, 123000, tzinfo=UTC)
    odd = RawAnswer("http://127.0.0.1/w/", {"titles": text}, ("Ç — 東京",), early, {"title": text})
    answers = [answer_of("AB"), odd, answer_of("C")]
    for answer in answers:
        RawArchive(tmp_path / "raw").append(answer)
    assert kept_answers(tmp_path / "raw") == answers


_NESTED: list[object] = []
for _ in range(100_000):
    _NESTED = [_NESTED]


@pytest.mark.fault(50, "odd answer at the door of the archive")
@pytest.mark.parametrize("part", ["half \ud800", math.nan, -math.inf, _NESTED], ids=range(4))
def test_what_could_not_be_given_back_is_not_taken(tmp_path: Path, part: object) -> None:
    archive = _archive(tmp_path, "A")
    answer = dataclasses.replace(answer_of("B"), answer=part)
    with pytest.raises(ValueError):  # noqa: PT011 - whichever says so
        archive.append(answer)
    archive.append(answer_of("C"))
    assert _loaded(tmp_path) == ("AC", [])


def test_the_list_is_one_that_sha256sum_reads(tmp_path: Path) -> None:
    _archive(tmp_path)
    command = ["sha256sum", "--strict", "-c", SUMS]
    assert subprocess.check_output(command, cwd=tmp_path).count(b": OK\n") == 3


def test_a_killed_write_is_completed_if_its_line_is_there(tmp_path: Path) -> None:
    last = _archive(tmp_path).files()[-1]
    last.rename(last.with_name(f".{last.name}.tmp"))
    (tmp_path / ".000003.json.gz.tmp").write_bytes(b"half")
    assert _loaded(tmp_path) == ("ABC", [])
    assert last.exists()


def test_a_write_killed_within_its_line_leaves_no_trace(tmp_path: Path) -> None:
    _archive(tmp_path).files()[-1].unlink()
    os.truncate(tmp_path / SUMS, (tmp_path / SUMS).stat().st_size - 20)
    assert _loaded(tmp_path) == ("AB", [])
    assert RawArchive(tmp_path).append(answer_of("D")).name == "000002.json.gz"
    assert _loaded(tmp_path) == ("ABD", [])


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("way", "there"),
    [(flip, "AC"), (cut, "AC"), (zero, "AC"), (remove, "AC"), (swap, "AC"), (copy, "ABC")],
)
@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_what_was_not_written_is_set_aside(tmp_path: Path, way: Way, there: str) -> None:
    folder = tmp_path / "raw" / "pages"
    _archive(folder)
    before = _files(folder)
    way(folder / "000001.json.gz", random.Random(3))
    damaged = _files(folder)
    names = sorted({*before, *damaged})
    misfits = [name for name in names if before.get(name) != damaged.get(name)]
    assert misfits
    assert _loaded(folder) == (there, misfits)
    assert _files(folder) == damaged  # looking changes nothing
    assert _loaded(folder, mend=True) == (there, misfits)
    assert _loaded(folder) == (there, [])
    # What was set aside is all there still.
    aside = {name: (folder / f"{name}.damaged").read_bytes() for name in misfits}
    assert aside == {name: damaged.get(name, b"") for name in misfits}


def test_of_two_files_set_aside_under_one_name_none_is_lost(tmp_path: Path) -> None:
    for content in (b"one", b"two", b"three"):
        _archive(tmp_path, "A").files()[-1].write_bytes(content)
        _loaded(tmp_path, mend=True)
    kept = {path.read_bytes() for path in tmp_path.glob("*.damaged*")}
    assert kept == {b"one", b"two", b"three"}


@pytest.mark.fault(52, "list of the archive damaged")
@pytest.mark.parametrize(("size", "there"), [(0, ""), (1, ""), (40, ""), (100, "A")])
def test_a_cut_list_costs_answers_and_never_trust(tmp_path: Path, size: int, there: str) -> None:
    _archive(tmp_path)
    os.truncate(tmp_path / SUMS, size)
    assert _loaded(tmp_path, mend=True)[0] == there
    assert _loaded(tmp_path) == (there, [])


@pytest.mark.fault(52, "list of the archive damaged")
@pytest.mark.parametrize("line", ["0" * 20, "something else\n"], ids=["cut", "other"])
def test_a_line_that_was_not_written_so_is_named_and_goes(tmp_path: Path, line: str) -> None:
    archive, path = _archive(tmp_path), tmp_path / SUMS
    whole = path.read_text()
    path.write_text(whole + line)
    assert archive.list_damage()
    assert _loaded(tmp_path) == ("ABC", [])  # which changes nothing
    assert path.read_text() == whole + line
    RawArchive(tmp_path).append(answer_of("D"))
    assert path.read_text().startswith(whole)
    assert not archive.list_damage()


_TEXT = (
    '{"endpoint":"x","request":{},"keys":["A"],"fetched_at":"2026-11-25T10:00:00+00:00","answer":0}'
)
_ODD = [
    *(('"x"', "[]"), ("{}", "7"), ('"A"', "[]"), ('"A"', "7"), ("+00:00", "+01:00")),
    *(("2026", "yester"), (":0}", f":{'[' * 200_000}}}"), (":0}", f":{'9' * 5_000}}}")),
    *((_TEXT, "{}"), (_TEXT, "[1]")),
]
"""What of an answer is replaced by what."""


@pytest.mark.fault(53, "archived answer that cannot be read")
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"no gzip", gzip.compress(_TEXT.encode(), mtime=0)[:-9]),
        *(gzip.compress(_TEXT.replace(*odd).encode(), mtime=0) for odd in _ODD),
    ],
    ids=range(13),
)
def test_a_file_that_is_no_answer_is_named_though_listed(tmp_path: Path, content: bytes) -> None:
    path = _archive(tmp_path, "AB").files()[0]
    before, lines = file_digest(path), (tmp_path / SUMS).read_text()
    path.write_bytes(content)
    (tmp_path / SUMS).write_text(lines.replace(before, file_digest(path)))
    assert _loaded(tmp_path) == ("B", [path.name])


@pytest.mark.fault(64, "archive lost, or altered with its list")
def test_a_list_goes_on_from_what_it_was_as_long_as_lines_are_only_added(tmp_path: Path) -> None:
    archive = _archive(tmp_path)
    ended = file_digest(tmp_path / SUMS)
    archive.append(answer_of("D"))
    archive.files()[1].write_bytes(b"damaged")
    assert _loaded(tmp_path, mend=True) == ("ACD", ["000001.json.gz"])
    archive.append(answer_of("B"))
    assert archive.continues(ended)
    lines = (tmp_path / SUMS).read_text().splitlines(keepends=True)
    (tmp_path / SUMS).write_text("".join([*lines[:1], *lines[2:]]))
    assert not archive.continues(ended)


@pytest.mark.fault(52, "list of the archive damaged")
def test_a_lost_list_is_written_again_where_its_files_are_all_there(tmp_path: Path) -> None:
    archive = _archive(tmp_path)
    ended, whole = file_digest(tmp_path / SUMS), (tmp_path / SUMS).read_bytes()
    (tmp_path / SUMS).unlink()
    assert not archive.continues(ended)
    assert archive.list_again(ended)
    assert (tmp_path / SUMS).read_bytes() == whole
    archive.files()[0].unlink()
    (tmp_path / SUMS).unlink()
    assert not archive.list_again(ended)
    assert not (tmp_path / SUMS).exists()


@pytest.mark.fault(64, "archive lost, or altered with its list")
def test_an_answer_to_what_was_answered_already_is_none_that_a_run_kept(tmp_path: Path) -> None:
    archive = _archive(tmp_path)
    archive.append(answer_of("DB"))
    assert _loaded(tmp_path) == ("ABC", ["000003.json.gz"])
    archive.append(dataclasses.replace(answer_of("B"), endpoint="another"))
    assert _loaded(tmp_path, mend=True) == ("ABCB", ["000003.json.gz"])
