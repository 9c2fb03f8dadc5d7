"""The review page as a process of its own, which can be killed."""

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hgld.benchmarks.reviewing.building import hgld_command

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_START_S = 90.0
_END_S = 20.0
_LOOK_S = 0.02


class ServedPage:
    """The page of a build, on a port that is free."""

    def __init__(self, root: Path, *options: str) -> None:
        """Names the build; `with` starts the server and ends it.

        Args:
            root: the build.
            options: of `hgld review`.
        """
        self.root = root
        self._options: Sequence[str] = options
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        """Starts the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the server, if it still runs."""
        self.stop()
        self._said.close()

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self._port}/"

    @property
    def pid(self) -> int:
        """Of the process.

        Raises:
            RuntimeError: it does not run.
        """
        if self._process is None:
            raise RuntimeError("the server does not run; start it")
        return self._process.pid

    @property
    def said(self) -> str:
        """What the server has printed."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def start(self) -> None:
        """Starts the server, on the port that it had, and waits for its address.

        Raises:
            RuntimeError: it ended, or did not print its address in time; the text says what it did.
        """
        self._said.seek(0)
        self._said.truncate()
        command = hgld_command("review", "--root", str(self.root), "--port", str(self._port))
        command += ["--no-open", *self._options]
        process = subprocess.Popen(  # noqa: S603 - our own code
            command, stdout=self._said, stderr=self._said, stdin=subprocess.DEVNULL
        )
        self._process = process
        end = time.monotonic() + _START_S
        while (found := _ADDRESS.search(self.said)) is None:
            if process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the server did not start: {self.said or 'it said nothing'}")
            time.sleep(_LOOK_S)
        self._port = int(found[1])

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it as Ctrl-C does."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
