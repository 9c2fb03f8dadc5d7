import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from hgld.benchmarks.speed import __main__ as command
from hgld.benchmarks.speed.suite.ledger import Entry, read_entries
from hgld.benchmarks.speed.suite.questions import Question
from tests.benchmarks.speed.suite.test_asking import ASKED
from tests.benchmarks.speed.suite.test_ledger import entry_of

COMMIT = "c" * 40


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three questions, of which the second fails; which of them were asked."""
    asked: list[str] = []
    made = [dataclasses.replace(ASKED, name=name) for name in ("loss", "train", "scrape")]

    def answer(question: Question, size: Sequence[str], **_: object) -> Entry:
        del size
        asked.append(question.name)
        failed = "the package chromium is not there" if question.name == "train" else ""
        return entry_of(question.name, commit=COMMIT, failed=failed)

    monkeypatch.setattr(command, "QUESTIONS", tuple(made))
    monkeypatch.setattr(command, "ask_question", answer)
    monkeypatch.setattr(command, "unasked_entry", lambda one, _: entry_of(one.name, commit=COMMIT))
    return asked


def test_what_fails_is_named_and_asked_again_and_what_is_answered_is_not(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, page = tmp_path / "speed.jsonl", tmp_path / "speed.html"
    arguments = ["--ledger", str(ledger), "--page", str(page)]
    assert command.main(arguments) == 1
    assert "train: the package chromium" in capsys.readouterr().err
    entries, _ = read_entries(ledger)
    assert [(one.question, bool(one.answer)) for one in entries] == [
        *(("loss", True), ("train", False), ("scrape", True))
    ]
    assert "chromium" in page.read_text()

    before = ledger.read_bytes()
    assert command.main(arguments) == 1
    assert asked == ["loss", "train", "scrape", "train"]
    assert ledger.read_bytes().startswith(before)
    assert command.main([*arguments, "--only", "loss"]) == 0
    assert command.main([*arguments, "--only", "loss", "--again"]) == 0
    assert asked[4:] == ["loss"]
