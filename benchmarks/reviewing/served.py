"""`hgld` in a process of its own, and the review page in one that can be killed."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from hgld.errors import InputError

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_START_S = 90.0
_END_S = 20.0
_LOOK_S = 0.02
_MOST_SAID = 1 << 16
_HGLD = [sys.executable, "-c", "from hgld.flows.cli.commands import main; main()"]


def call_hgld(*arguments: str) -> None:
    """Runs `hgld` with arguments; what it says is told only where it fails.

    Raises:
        InputError: it failed; the text is what it said.
    """
    command = [*_HGLD, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise InputError(f"{' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")


class ServedPage:
    """The page of a build, on a port that is free; `with` starts the server and ends it."""

    def __init__(self, root: Path) -> None:
        """Names the build."""
        self.root, self._port = root, 0

    def __enter__(self) -> Self:
        """Starts the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the server as Ctrl-C does, if it still runs."""
        self._end(signal.SIGINT)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Starts the server, on the port that it had, and waits for its address.

        Raises:
            RuntimeError: it ended, or did not print its address in time; the text says what it did.
        """
        arguments = ["review", "--root", str(self.root), "--no-open", "--port", str(self._port)]
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                [*_HGLD, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
            end, found = time.monotonic() + _START_S, None
            while found is None:
                has_ended = self._process.poll() is not None or time.monotonic() > end
                said = os.pread(log.fileno(), _MOST_SAID, 0).decode(errors="replace")
                found = _ADDRESS.search(said)
                if found is None and has_ended:
                    self.kill()
                    raise RuntimeError(f"the server did not start: {said or 'it said nothing'}")
                time.sleep(_LOOK_S)
            self._port = int(found[1])

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)  # which does nothing where it has ended
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
