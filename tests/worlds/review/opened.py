"""A page as a user opens it: the command, typed in a folder."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HGLD = str(Path(sys.executable).with_name("hgld"))
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S*")


@contextlib.contextmanager
def page_of(command: str, folder: Path, farewell: str = "nothing was decided") -> Iterator[str]:
    """Types a command that serves the page, yields its address, and ends it with Ctrl-C.

    Instead of a browser a program is opened that does nothing.
    """
    program, *words = shlex.split(command)
    assert program == "hgld"
    served = subprocess.Popen(
        [HGLD, *words],
        cwd=folder,
        env={**os.environ, "BROWSER": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert served.stdout is not None
    said = ""
    try:
        for line in served.stdout:
            said += line
            if found := _ADDRESS.search(line):
                yield found[0]
                break
        else:
            raise AssertionError(said)
        served.send_signal(signal.SIGINT)
        said += served.communicate(timeout=60)[0]
        assert served.returncode == 0, said
        assert farewell in said
        assert "Traceback" not in said
    finally:
        served.kill()
        served.communicate()
