from pathlib import Path

import pytest

from hgld.benchmarks.speed.suite.ledger import Entry, append_entry, read_entries
from hgld.benchmarks.speed.suite.questions import QUESTIONS, Answer, Way
from hgld.errors import InputError

SMALL = {question.name: question.small for question in QUESTIONS}


def entry_of(
    question: str = "loss",
    *,
    commit: str = "a" * 40,
    ours_s: float = 0.5,
    plain_s: float | None = 2.0,
    failed: str = "",
    cpu: str = "one",
) -> Entry:
    ours = Way(name="ours", median_s=ours_s, spread_s=0.125, memory_mb=100.0)
    plain = plain_s and Way(name="plain", median_s=plain_s, spread_s=None, memory_mb=None)
    return Entry(
        question=question,
        options=SMALL[question],
        answer=None if failed else Answer(ours=ours, baseline=plain or None),
        failed=failed,
        over_the_bar=(),
        seconds=3.0,
        environment={
            "date": "2026-01-02T03:04:05+00:00",
            "git_commit": commit,
            "hgld": "0.1.0",
            "cpu": cpu,
            "cpu_cores": 2,
            "gpu": None,
        },
        note="",
    )


def test_lines_are_appended_and_read_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "results/speed.jsonl"
    assert read_entries(path) == ([], 0)
    written = [entry_of(), entry_of("browse", plain_s=None), entry_of(failed="it ended with 1: no")]
    for entry in written:
        before = path.read_bytes() if path.exists() else b""
        append_entry(path, entry)
        assert path.read_bytes().startswith(before)
    assert read_entries(path) == (written, 0)


def test_a_line_that_was_cut_short_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "speed.jsonl"
    append_entry(path, entry_of())
    append_entry(path, entry_of("train"))
    cut = path.read_bytes()[:-20]
    path.write_bytes(cut)
    append_entry(path, entry_of("scrape"))
    assert path.read_bytes().startswith(cut)
    entries, damaged = read_entries(path)
    assert [entry.question for entry in entries] == ["loss", "scrape"]
    assert damaged == 1


def test_a_ledger_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="read"):
        read_entries(tmp_path)
    with pytest.raises(InputError, match="write"):
        append_entry(tmp_path, entry_of())
