import os

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


def test_a_bar_that_is_missed_is_said_beside_the_answer() -> None:
    entry = ask_question(ASKED, ("--case", "misses"), most_s=60)
    assert entry.answer is not None
    assert entry.failed == ""
    assert entry.over_the_bar == ("ours: median_s",)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("fails", "chromium"),
        ("other", "no answer"),
    ],
)
def test_what_fails_is_named(case: str, says: str) -> None:
    entry = ask_question(ASKED, ("--case", case), most_s=60)
    assert entry.answer is None
    assert says in entry.failed
