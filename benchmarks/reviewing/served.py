"""The review page as a process of its own, which can be killed."""

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from hgld.benchmarks.reviewing.building import hgld_command

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_START_S = 90.0
_END_S = 20.0
_LOOK_S = 0.02
_MOST_SAID = 1 << 16


class ServedPage:
    """The page of a build, on a port that is free; `with` starts the server and ends it."""

    def __init__(self, root: Path) -> None:
        """Names the build."""
        self.root = root
        self.pid = 0
        """Of the process."""
        self._port = 0

    def __enter__(self) -> Self:
        """Starts the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the server as Ctrl-C does, if it still runs."""
        self._end(signal.SIGINT)

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Starts the server, on the port that it had, and waits for its address.

        Raises:
            RuntimeError: it ended, or did not print its address in time; the text says what it did.
        """
        command = hgld_command("review", "--root", str(self.root), "--no-open")
        command += ["--port", str(self._port)]
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
            self.pid, end, found = self._process.pid, time.monotonic() + _START_S, None
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
        if self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
