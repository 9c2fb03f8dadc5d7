"""End the command line on a signal: one line, no partial files, and the right exit status.

Only the entry point uses this; importing the library changes no signal handlers.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

STOPPED = "stopped; run the same command to resume"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A closed terminal and its shell both send SIGHUP: count them as one.
_SAME_WITHIN_S = 1.0


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ends the block on SIGINT, SIGTERM or SIGHUP.

    A signal that is ignored stays ignored, because `nohup` and background jobs of a shell need it.

    Raises:
        SystemExit: with the status 128 + signal number, after a line on stderr.
    """
    received: list[int] = []
    first_at = 0.0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal first_at
        if received and time.monotonic() - first_at < _SAME_WITHIN_S:
            return
        received.append(number)
        first_at = time.monotonic()
        # Libraries let SystemExit through, and asyncio handles it like Ctrl-C; forks end silently.
        raise SystemExit(128 + number)

    held = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in held}
    try:
        yield
    finally:
        # From here on, a further signal ends the process at once.
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if received else handler)
        # Even if a library turned the SystemExit into an error of its own.
        if received:
            with contextlib.suppress(OSError):  # the terminal may be gone
                sys.stderr.write(f"{STOPPED}\n")
            raise SystemExit(128 + received[0]) from None
