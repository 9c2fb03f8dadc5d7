import itertools
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from hgld.training.run.interrupts import held_interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Handlers of the program's own, which note what reaches them and stop."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    hours = itertools.count(step=3600)  # between one look at the clock and the next
    monkeypatch.setattr("hgld.training.run.interrupts.time.monotonic", lambda: float(next(hours)))
    yield received
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_held_back_and_then_given_to_whoever_handled_it(
    told: list[int], number: int
) -> None:
    handler = signal.getsignal(number)
    seen: list[object] = []

    def work() -> None:
        with held_interrupts() as interrupted:
            seen.append(interrupted())
            os.kill(os.getpid(), number)
            seen.extend([interrupted(), *told])

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == [False, True]
    assert told == [number]
    assert signal.getsignal(number) is handler


def test_a_second_signal_stops_at_once(told: list[int]) -> None:
    def work() -> None:
        with held_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert told == [signal.SIGTERM]


def test_the_two_signals_of_a_terminal_that_is_closed_are_one(
    told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.training.run.interrupts.time.monotonic", lambda: 1.0)
    seen: list[int] = []

    def work() -> None:
        with held_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            seen.extend(told)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == []
    assert told == [signal.SIGHUP]


def test_what_is_ignored_stays_ignored(told: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with held_interrupts() as interrupted:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not interrupted()
    assert told == []


def test_a_program_that_takes_no_notice_is_stopped_all_the_same() -> None:
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    with pytest.raises(KeyboardInterrupt), held_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)


def test_outside_the_main_thread_nothing_is_held() -> None:
    expected = [signal.getsignal(number) for number in SIGNALS]
    seen: list[object] = []

    def look() -> None:
        with held_interrupts() as interrupted:
            seen.extend([*(signal.getsignal(number) for number in SIGNALS), interrupted()])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [*expected, False]
