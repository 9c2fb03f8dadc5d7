"""What is said of work that takes long, where there is no terminal."""

import logging

import pytest

from hgld.engine.progress import progress


class _Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


def test_a_line_now_and_then_says_counts_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    clock = _Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    with progress("scrape: titles", 1000) as advance:
        clock.now_s = 10
        advance(150)
        assert caplog.messages == []
        clock.now_s = 40
        advance(50, problems=3)
    # 200 in 40 s are 5 a second; the other 800 take 160 s.
    assert caplog.messages == [
        "scrape: titles: 200 of 1000: 197 ok, 3 problems, 5 a second, about 160 s left"
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
