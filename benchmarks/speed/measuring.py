"""What the speed benchmarks share: peak memory, and a report with the bars that it has to meet."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Starts counting the peak of the process's memory anew, where the system can."""
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5", encoding="ascii")


def peak_memory_mb() -> float | None:
    """Returns the peak since then, libraries included; None where the system does not tell.

    Not `getrusage`, which keeps the parent's peak over the start of a process.
    """
    lines = _STATUS.read_text(encoding="ascii").splitlines() if _STATUS.exists() else []
    peaks_kb = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return round(peaks_kb[0] / 1024, 1) if peaks_kb else None


def write_report(
    parser: argparse.ArgumentParser,
    out: Path,
    report: Mapping[str, Any],
    bars: Mapping[str, tuple[float, float]],
) -> None:
    """Writes a report with its bars, prints those, and ends the program where one is not met.

    Args:
        parser: of the program's arguments.
        out: the JSON file to write.
        report: what was measured, and with what.
        bars: name to what was got, and the most that it may be.
    """
    told = {name: {"got": got, "at_most": most} for name, (got, most) in bars.items()}
    out.write_text(json.dumps({**report, "bars": told}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=2))
    if missed := [name for name, (got, most) in bars.items() if not got <= most]:
        parser.exit(1, f"over the bar: {', '.join(missed)}\n")
