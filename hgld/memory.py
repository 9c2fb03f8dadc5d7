"""Peak memory of this process, as Linux counts it."""

import contextlib
from pathlib import Path

_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Resets the peak memory of the process, if the system can."""
    if _CLEAR_REFS.exists():
        with contextlib.suppress(OSError):  # a container may forbid it
            _CLEAR_REFS.write_text("5", encoding="ascii")


def peak_memory_mb() -> float | None:
    """Returns the peak in MB since the reset, with libraries; None if the system does not say.

    It avoids `getrusage`, which inherits the peak of the parent process.
    """
    lines = _STATUS.read_text(encoding="ascii").splitlines() if _STATUS.exists() else []
    peaks_kb = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return round(peaks_kb[0] / 1024, 1) if peaks_kb else None
