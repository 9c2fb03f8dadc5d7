"""Each script of speed at the small size at which `python -m hgld.benchmarks.speed` asks it."""

import pytest

from hgld.benchmarks.speed.suite.asking import ask_question
from hgld.benchmarks.speed.suite.questions import QUESTIONS, Question


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_script_runs_to_its_end_and_has_an_answer(question: Question) -> None:
    entry = ask_question(question, question.small, most_s=900)
    assert entry.failed == ""
    assert entry.answer is not None
    assert entry.answer.ours.median_s > 0
