"""How the command line ends when it is told to stop: one line, whole files, its exit status.

Only the entry point asks for this. Whoever imports the library keeps the handlers they have.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

STOPPED = "stopped; run the same command to go on"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal that is closed sends SIGHUP itself, and so does its shell: they ask once.
_SAME_WITHIN_S = 1.0


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ends the block when a signal asks for it, as Ctrl-C does, whichever of three it is.

    A signal that is ignored stays ignored: `nohup` and a shell's background jobs ask for that.

    Raises:
        SystemExit: with the status 128 + number of the signal, the line on stderr having been
            written.
    """
    received: list[int] = []
    first_at = 0.0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal first_at
        if received and time.monotonic() - first_at < _SAME_WITHIN_S:
            return
        received.append(number)
        first_at = time.monotonic()
        # Which libraries let through, asyncio as it does Ctrl-C; a fork ends with it in silence.
        raise SystemExit(128 + number)

    held = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in held}
    try:
        yield
    finally:
        # From here on a signal ends the process at once, also one that is not the first.
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if received else handler)
        # Whatever came of it: a library may have made an error of its own of it.
        if received:
            with contextlib.suppress(OSError):  # the terminal may be gone
                sys.stderr.write(f"{STOPPED}\n")
            raise SystemExit(128 + received[0]) from None
