"""What a result was measured with: versions, processor, graphics card, commit, date."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from hgld import __version__

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_CPUINFO = Path("/proc/cpuinfo")


def describe_environment(packages: Sequence[str]) -> dict[str, Json]:
    """Describes the program and the machine it runs on, without a name or a path of it.

    Args:
        packages: distributions whose versions bear on the result.

    Returns:
        JSON values, in the order in which a reader wants them.
    """
    import torch  # late: what measures its own memory asks for this only afterwards

    versions: dict[str, Json] = {name: importlib.metadata.version(name) for name in packages}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hgld": __version__,
        "git_commit": git_commit(Path(__file__).resolve().parents[1]),
        "versions": {"python": platform.python_version(), **versions},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cpu_cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
    }


def git_commit(checkout: Path) -> str | None:
    """Returns the commit that is checked out in a folder.

    Returns:
        Its hash, or None where the folder is no top of a checkout (an installed package may well
        lie inside somebody else's) or git is not there.
    """
    git = shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return None
    command = [git, "-C", str(checkout), "rev-parse", "--verify", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no input of a user's
    return done.stdout.strip() if done.returncode == 0 else None


def cpu_name() -> str:
    """Returns the processor's name, as far as the system tells it."""
    text = _CPUINFO.read_text(encoding="utf-8") if _CPUINFO.exists() else ""
    found = re.search(r"^model name\s*:\s*(.*\S)", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()
