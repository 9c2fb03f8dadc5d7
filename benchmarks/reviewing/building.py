"""`hgld` in a process of its own: benchmarks know no flow."""

import subprocess
import sys

from hgld.errors import InputError


def hgld_command(*arguments: str) -> list[str]:
    """Returns the words that start `hgld` with arguments."""
    return [sys.executable, "-c", "from hgld.flows.cli.commands import main; main()", *arguments]


def call_hgld(*arguments: str) -> None:
    """Runs `hgld` with arguments; what it says is told only where it fails.

    Raises:
        InputError: it failed; the text is what it said.
    """
    done = subprocess.run(  # noqa: S603 - our own code
        hgld_command(*arguments), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError(f"{' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
