"""Signals that ask for the end, held back until a step is done and its checkpoint written."""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

logger = logging.getLogger(__name__)

_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal that is closed sends SIGHUP itself, and so does its shell: they ask once.
_SAME_WITHIN_S = 1.0


@contextlib.contextmanager
def held_interrupts() -> Iterator[Callable[[], bool]]:
    """Holds Ctrl-C, SIGTERM and SIGHUP back, so that no step is cut in half.

    A second one is not held, unless it comes at once. One that is ignored stays ignored. Outside
    the main thread, where no handler can be set, nothing is held.

    Yields:
        A function that says whether there was one. When the block is left after one, it is
        delivered again, to whoever handled it before.

    Raises:
        KeyboardInterrupt: one was held back, and whoever handled it before let the program go on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    hold = _Hold()
    try:
        yield lambda: bool(hold.received)
    finally:
        hold.give_back()
    if hold.received:
        signal.raise_signal(hold.received)
        raise KeyboardInterrupt


class _Hold:
    """The handlers that were there before, and the signal that came meanwhile."""

    def __init__(self) -> None:
        self.received = 0
        self._received_at = 0.0
        # A handler that is not of Python (None) could not be given back, so it stays.
        self._before = {
            number: handler
            for number in _HELD
            if (handler := signal.getsignal(number)) is not None and handler is not signal.SIG_IGN
        }
        for number in self._before:
            signal.signal(number, self._hold)

    def give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hold(self, number: int, _frame: FrameType | None) -> None:
        if not self.received:
            self.received, self._received_at = number, time.monotonic()
            logger.warning("stopping after this step; once more stops at once and loses more")
        elif time.monotonic() - self._received_at > _SAME_WITHIN_S:
            self.give_back()
            signal.raise_signal(number)
