"""What the speed benchmarks share: a report with the bars that it has to meet."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
