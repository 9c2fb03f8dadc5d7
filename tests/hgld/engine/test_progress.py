"""What is said of work that takes long: numbers in a line of the log, or a bar on a terminal."""

import io
import logging
import re
from functools import partialmethod

import pytest
import rich.console
import rich.progress

from hgld.engine.progress import progress, progress_in_lines
from tests.worlds.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Clock:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    clock = Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    return clock


def numbers(line: str) -> list[float]:
    return [float(one) for one in re.findall(r"nan|\d[\d.]*", line.replace("1,000", "1000"))]


def test_a_line_has_counts_and_time_left(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    # 200 in 40 s are 5 a second; the other 800 take 160 s.
    with progress("scrape: titles", 1000) as advance:
        clock.now_s = 1
        advance(0)
        assert caplog.messages == []
        clock.now_s = 10
        advance(20)
        advance(80)
        clock.now_s = 40
        advance(100, problems=3)
    # A note stands until the next.
    with progress("scrape: titles", 10) as advance:
        clock.now_s = 45
        advance(1, note="loss 0.41")
        clock.now_s = 55
        advance(1)
    # What was done before says nothing of how fast it goes.
    with progress("scrape: titles", 1000, 800) as advance:
        clock.now_s = 95
        advance(20)
    # Where nothing is done yet, nobody knows.
    with progress("scrape: titles", 10) as advance:
        clock.now_s = 125
        advance(0)
    assert all(line.startswith("scrape: titles") for line in caplog.messages)
    assert list(map(numbers, caplog.messages)) == [
        [20, 1000, 20, 0, 2],
        [200, 1000, 197, 3, 5, 160],
        *([1, 10, 0.41], [2, 10, 0.41]),
        [820, 1000, 820, 0, 0.5],
        [0, 10, 0, 0, 0],
    ]


def test_lines_come_soon_and_then_seldom(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    said_at = []
    with progress("scrape: titles", 1000) as advance:
        for second in range(1, 130):
            clock.now_s, before = second, len(caplog.messages)
            advance(1)
            said_at += [second] * (len(caplog.messages) - before)
    assert said_at == [2, 6, 14, 30, 60, 90, 120]


def test_a_terminal_shows_a_bar_and_lines_where_the_log_is_read_elsewhere(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown = io.StringIO()
    console = rich.console.Console(file=shown, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("hgld.engine.progress.terminal", lambda: console)
    # What is due is shown at once, which otherwise is done ten times a second.
    update = rich.progress.Progress.update
    monkeypatch.setattr("rich.progress.Progress.update", partialmethod(update, refresh=True))
    with progress("train: happier", 40) as advance:
        advance(10, note="loss [0.41]")
        with progress("validate", 8) as inner:
            inner(2, problems=1)
        both = shown.getvalue()
    assert re.search(r"happier .+10/40 loss \[0\.41\].*\nvalidate .+2/8 1 ok, 1 prob", both)
    assert caplog.messages == []
    with progress_in_lines(), progress("scrape: titles", 10) as advance:
        clock.now_s = 10
        advance(1)
    assert len(caplog.messages) == 1
