import dataclasses
import os
import tempfile
from pathlib import Path

import pytest

from hgld.benchmarks.speed.suite.asking import ask_question
from hgld.benchmarks.speed.suite.questions import Answer, Question, Report, Way


def read(report: Report) -> Answer:
    rows = report["results"]
    ways = [
        Way(
            name=row["method"],
            median_s=row["median_s"],
            spread_s=row["spread_s"],
            memory_mb=row["peak_mb"],
        )
        for row in (rows[0], rows[1])
    ]
    return Answer(ours=ways[0], baseline=ways[1])


ASKED = Question(
    name="loss",
    asks="does it end?",
    module="tests.benchmarks.speed.suite.scripts",
    small=("--case", "measures"),
    read=read,
)


def test_a_question_is_answered_with_its_baseline_and_the_machine() -> None:
    entry = ask_question(ASKED, ASKED.small, most_s=60, note="nothing else ran")
    assert entry.answer is not None
    assert (entry.answer.ours.median_s, entry.answer.ratio) == (0.5, 0.25)
    assert entry.answer.baseline is not None
    assert entry.answer.baseline.memory_mb == 300
    assert (entry.failed, entry.over_the_bar, entry.note) == ("", (), "nothing else ran")
    assert entry.options == ("--case", "measures")
    assert entry.environment["cpu_cores"] == os.cpu_count()
    assert entry.environment["git_commit"] is None or entry.commit
    assert entry.seconds > 0


def test_a_bar_that_is_missed_is_said_beside_the_answer() -> None:
    entry = ask_question(ASKED, ("--case", "misses"), most_s=60)
    assert entry.answer is not None
    assert entry.failed == ""
    assert entry.over_the_bar == ("ours: median_s",)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("fails", "it ended with 1: the package chromium is not there; install it"),
        ("other", "its report has no answer (IndexError: list index out of range)"),
        ("cut", "its report has no answer (JSONDecodeError: "),
        ("nothing", "it wrote no report"),
    ],
)
def test_what_fails_is_named(case: str, says: str) -> None:
    entry = ask_question(ASKED, ("--case", case), most_s=60)
    assert entry.answer is None
    assert entry.failed.startswith(says)


def test_what_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    entry = ask_question(ASKED, ("--case", "hangs"), most_s=5)
    assert entry.failed == "it took longer than 5 s"
    child = int((tmp_path / "child").read_text())  # it was started
    status = Path(f"/proc/{child}/stat")
    # Gone, or dead and not yet taken note of by whoever has inherited it.
    assert not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_script_that_is_not_there_fails_as_one() -> None:
    entry = ask_question(dataclasses.replace(ASKED, module="hgld.nothing"), (), most_s=60)
    assert "No module named hgld.nothing" in entry.failed
