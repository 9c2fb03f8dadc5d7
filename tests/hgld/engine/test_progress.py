"""What is said of work that takes long, where there is no terminal."""

import logging

import pytest

from hgld.engine.progress import progress, progress_in_lines


class _Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


def test_a_line_says_counts_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    clock = _Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    with progress("scrape: titles", 1000) as advance:
        clock.now_s = 1
        advance(150)
        assert caplog.messages == []
        clock.now_s = 40
        advance(50, problems=3)
    # 200 in 40 s are 5 a second; the other 800 take 160 s.
    assert caplog.messages == [
        "scrape: titles: 200 of 1000: 197 ok, 3 problems, 5 a second, about 160 s left"
    ]


def test_the_first_line_comes_soon_and_later_ones_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    clock = _Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    said_at = []
    with progress("scrape: titles", 1000) as advance:
        for second in range(1, 130):
            clock.now_s, before = second, len(caplog.messages)
            advance(1)
            said_at += [second] * (len(caplog.messages) - before)
    assert said_at == [2, 6, 14, 30, 60, 90, 120]


def test_a_terminal_shows_a_bar_and_lines_where_the_log_is_read_elsewhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    clock = _Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    with progress("scrape: titles", 10) as advance:
        clock.now_s = 5
        advance(1)
    assert caplog.messages == []
    with progress_in_lines(), progress("scrape: titles", 10) as advance:
        clock.now_s = 10
        advance(1)
    assert caplog.messages == [
        "scrape: titles: 1 of 10: 1 ok, 0 problems, 0.2 a second, about 45 s left"
    ]


def test_nothing_done_is_no_division_by_zero(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    clock = _Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    with progress("scrape: titles", 10) as advance:
        clock.now_s = 30
        advance(0)
    assert "0 of 10: 0 ok, 0 problems, 0 a second, about nan s left" in caplog.text
