import io
import re
from pathlib import Path

from rich.console import Console

from hgld.benchmarks.speed.suite.ledger import Entry, read_entries
from hgld.benchmarks.speed.suite.page import (
    format_speed_table,
    latest_entries,
    render_speed_page,
)
from hgld.benchmarks.speed.suite.questions import QUESTIONS
from tests.benchmarks.speed.suite.test_ledger import entry_of

HISTORY = [
    entry_of(commit="a" * 40, ours_s=1.0),
    entry_of("browse", commit="a" * 40, plain_s=None),
    entry_of(commit="b" * 40, ours_s=0.5),
    entry_of("scrape", commit="b" * 40, failed="it ended with 1: <no> server"),
    entry_of(commit="c" * 40, ours_s=4.0, cpu="two"),
]


def test_the_last_answer_of_each_question_stands_and_a_failure_where_there_is_none() -> None:
    later = entry_of(failed="it took longer than 900 s")
    found = latest_entries([*HISTORY, later])
    assert [one.question for one in found] == ["loss", "browse", "scrape"]
    assert found[0] is HISTORY[4]
    assert found[2].failed


def test_the_table_has_the_ratio_to_the_baseline() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(format_speed_table(HISTORY[:4], ["loss", "scrape"]))
    text = console.export_text()
    assert re.search(r"loss +ours +500\.0 ms +125\.0 ms +100 MB +plain +2\.0 s +0\.25", text)
    assert "failed: it ended" in text
    assert "browse" not in text


def test_the_page_asks_nobody_and_escapes_what_it_shows() -> None:
    html = render_speed_page(HISTORY)
    assert html.count("<svg viewBox") == 2 + 2  # the plots, and the key of the machines
    assert "it ended with 1: &lt;no&gt; server" in html
    assert "<script" not in html
    empty: list[Entry] = []
    assert "0 answers and failures" in render_speed_page(empty)


def test_the_committed_page_is_of_the_committed_ledger_which_answers_every_question() -> None:
    folder = Path(__file__).parents[4] / "benchmarks/results/speed"
    entries, damaged = read_entries(folder / "ledger.jsonl")
    assert damaged == 0
    assert (folder / "speed.html").read_text(encoding="utf-8") == render_speed_page(entries)
    answered = {one.question for one in entries if one.answer}
    assert answered == {question.name for question in QUESTIONS}
