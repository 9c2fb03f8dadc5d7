import dataclasses
import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed import __main__ as command
from hgld.benchmarks.speed.suite.ledger import read_entries
from hgld.benchmarks.speed.suite.questions import QUESTIONS
from tests.benchmarks.speed.suite.test_asking import ASKED


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three questions, of which the second fails."""
    cases = {"loss": "measures", "train": "fails", "scrape": "measures"}
    made = [
        dataclasses.replace(ASKED, name=name, small=("--case", case))
        for name, case in cases.items()
    ]
    monkeypatch.setattr(command, "QUESTIONS", tuple(made))
    return list(cases)


def test_what_fails_is_named_and_the_others_are_asked(
    questions: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, page = tmp_path / "speed.jsonl", tmp_path / "speed.html"
    arguments = ["--ledger", str(ledger), "--page", str(page)]
    assert command.main(arguments) == 1
    said = capsys.readouterr()
    failure = "train: it ended with 1: the package chromium is not there; install it"
    assert said.err.endswith(f"failed: {failure}\n")
    assert "0.25" in said.out
    entries, _ = read_entries(ledger)
    assert [(one.question, bool(one.answer)) for one in entries] == [
        *(("loss", True), ("train", False), ("scrape", True))
    ]
    assert "the package chromium is not there" in page.read_text()

    # The same command goes on with what has no answer yet.
    before = ledger.read_bytes()
    assert command.main(arguments) == 1
    entries, _ = read_entries(ledger)
    assert [one.question for one in entries] == [*questions, "train"]
    assert ledger.read_bytes().startswith(before)
    assert command.main([*arguments, "--only", "loss"]) == 0
    assert len(ledger.read_bytes().splitlines()) == 4
    assert command.main([*arguments, "--only", "loss", "--again"]) == 0
    assert len(ledger.read_bytes().splitlines()) == 5


def test_a_commit_that_has_no_answer_is_asked_anew(questions: list[str], tmp_path: Path) -> None:
    del questions
    ledger = tmp_path / "speed.jsonl"
    arguments = ["--ledger", str(ledger), "--only", "loss"]
    assert command.main(arguments) == 0
    (line,) = ledger.read_text().splitlines()
    content = json.loads(line)
    content["environment"]["git_commit"] = "f" * 40
    ledger.write_text(json.dumps(content) + "\n")
    assert command.main(arguments) == 0
    assert len(ledger.read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_question_is_asked_at_its_small_size(tmp_path: Path) -> None:
    ledger = tmp_path / "speed.jsonl"
    assert command.main(["--ledger", str(ledger), "--only", "review log"]) == 0
    ((entry,), _) = read_entries(ledger)
    assert entry.options == {one.name: one.small for one in QUESTIONS}["review log"]
    assert entry.answer is not None
    assert entry.answer.ours.name == "append"
