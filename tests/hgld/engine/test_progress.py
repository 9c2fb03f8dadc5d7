"""What is said of work that takes long, where there is no terminal."""

import io
import logging
import re

import pytest
import rich.console

from hgld.engine.progress import _shown, progress, progress_in_lines


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


def test_what_was_done_before_says_nothing_of_how_fast_it_goes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    clock = _Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    with progress("train: mine", 1000, 800) as advance:
        clock.now_s = 40
        advance(20)
    assert caplog.messages == [
        "train: mine: 820 of 1000: 820 ok, 0 problems, 0.5 a second, about 360 s left"
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


def test_a_note_stands_instead_of_the_counts_until_there_is_another(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.engine.progress")
    clock = _Clock()
    monkeypatch.setattr("hgld.engine.progress.time", clock)
    with progress("train: happier", 10) as advance:
        clock.now_s = 5
        advance(1, note="loss 0.41")
        clock.now_s = 15
        advance(1)
    assert caplog.messages == [
        "train: happier: 1 of 10: loss 0.41, about 45 s left",
        "train: happier: 2 of 10: loss 0.41, about 60 s left",
    ]


def test_work_within_work_has_a_bar_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal takes one live display; two would overwrite each other, or fail."""
    shown = io.StringIO()
    console = rich.console.Console(
        file=shown, force_terminal=True, width=100, color_system=None, legacy_windows=False
    )
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)

    def refresh() -> None:
        """Shows what is due, which otherwise is done ten times a second."""
        bars = _shown.get()
        assert bars is not None
        bars.refresh()

    with progress("train: happier", 40) as advance:
        advance(10, note="loss [0.41]")
        for number in range(2):
            with progress(f"validate: {number}", 8) as inner:
                inner(2, problems=1)
                refresh()
                console.print("between")
        with pytest.raises(ValueError, match="inner"), progress("fails", 1):
            raise ValueError("inner")
        advance(10)
        refresh()
    first, second, rest = shown.getvalue().split("between")
    assert re.search(
        r"train: happier .+10/40 loss \[0\.41\].+\nvalidate: 0 .+2/8 +1 ok, 1 problems", first
    )
    assert re.search(r"10/40 .+\nvalidate: 1 .+ 2/8 +1 ok", second)
    last = rest.rpartition("train: happier")[2]
    assert "20/40 loss [0.41]" in last
    assert "validate" not in last
    assert "fails" not in last
    # Afterwards a bar of its own is started again.
    with progress("train: later", 4) as advance:
        advance(1)
        refresh()
    assert "1/4" in shown.getvalue()
