"""What goes into the archive comes out as it was."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.scrape.archive import RawAnswer, RawArchive, now

_TIME = datetime(2026, 11, 25, 10, 0, 0, 123000, tzinfo=UTC)


def _answer(*keys: str, text: str = "", time: datetime = _TIME) -> RawAnswer:
    return RawAnswer(
        endpoint="http://127.0.0.1/w/",
        request={"titles": "|".join(keys)},
        keys=keys,
        fetched_at=time,
        answer=[{"query": {"pages": [{"title": text, "missing": True}]}}],
    )


def test_answers_come_back_as_they_were_in_the_order_they_came(tmp_path: Path) -> None:
    archive = RawArchive(tmp_path / "raw")
    answers = [_answer("A", "B"), _answer("Ç — 東京")]
    for answer in answers:
        archive.append(answer)
    assert list(RawArchive(tmp_path / "raw").answers()) == answers


@pytest.mark.parametrize("text", ["\x00", "\u202e right to left", "e\u0301", "\ud800", '"\\'])
def test_odd_characters_survive(tmp_path: Path, text: str) -> None:
    archive = RawArchive(tmp_path)
    archive.append(_answer("A", text=text))
    assert next(archive.answers()).answer[0]["query"]["pages"][0]["title"] == text


def test_equal_answers_give_equal_bytes(tmp_path: Path) -> None:
    first = RawArchive(tmp_path / "a").append(_answer("A"))
    second = RawArchive(tmp_path / "b").append(_answer("A"))
    assert first.read_bytes() == second.read_bytes()


def test_an_archive_opened_again_goes_on_after_its_last_file(tmp_path: Path) -> None:
    RawArchive(tmp_path).append(_answer("A"))
    again = RawArchive(tmp_path)
    names = [again.append(_answer("B")).name, again.append(_answer("C")).name]
    assert names == ["000001.json.gz", "000002.json.gz"]


def test_the_order_is_that_of_the_files_however_the_clock_jumped(tmp_path: Path) -> None:
    archive = RawArchive(tmp_path)
    archive.append(_answer("A"))
    archive.append(_answer("B", time=_TIME - timedelta(days=400)))
    assert [answer.keys for answer in archive.answers()] == [("A",), ("B",)]


def test_what_a_killed_write_left_behind_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / ".000000.json.gz.123.tmp").write_bytes(b"half")
    assert list(RawArchive(tmp_path).answers()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        gzip.compress(b"{}"),
        gzip.compress(b"[1]"),
        gzip.compress(b'{"keys": [], "fetched_at": "yesterday"}'),
        gzip.compress(b'{"keys": ["A"]}')[:-9],
    ],
    ids=["empty", "no gzip", "no fields", "no object", "no time", "cut off"],
)
def test_a_broken_file_is_named_and_the_way_out_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "000000.json.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"000000\.json\.gz is not a whole answer.*delete it"):
        list(RawArchive(tmp_path).answers())


def test_the_time_is_kept_to_the_millisecond_it_has(tmp_path: Path) -> None:
    answer = _answer("A", time=now())
    archive = RawArchive(tmp_path)
    archive.append(answer)
    assert next(archive.answers()).fetched_at == answer.fetched_at
