"""Fits the calibration of proposals, or scores them on labels with official answers.

python -m hgld.benchmarks.labels.proposals --calibrate
python -m hgld.benchmarks.labels.proposals --official FILE --out REPORT
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.labels.proposals.fitting import (
    CALIBRATION_FILE,
    calibration_csv,
    fit,
)
from hgld.benchmarks.labels.proposals.scoring import (
    ablation,
    inputs_of_labels,
    read_official,
    score,
)
from hgld.benchmarks.labels.proposals.silver import shipped_source
from hgld.engine.files import write_text
from hgld.labels.proposing.calibration import shipped_calibration
from hgld.labels.proposing.learning import OpenProposals


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibrate", action="store_true", help="write calibration.csv again")
    parser.add_argument("--official", type=Path, help="CSV with labels and official answers")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args(arguments)
    if not options.calibrate and None in (options.official, options.out):
        parser.error("--calibrate, or --official with --out, must be given")
    source = shipped_source()
    if options.calibrate:
        when = datetime.now(UTC).date().isoformat()
        text = calibration_csv(*fit(source), f"silver set, all-MiniLM-L6-v2, {when}")
        write_text(CALIBRATION_FILE, text)
    if options.official is None:
        return
    rows = read_official(options.official)
    inputs = inputs_of_labels(source, [row.label for row in rows], shipped_calibration())
    report = {
        "published_labels": {
            "score": score(rows, OpenProposals(inputs)),
            "ablation": ablation(rows, inputs),
        },
        "environment": describe_environment(["numpy", "pyarrow", "scikit-learn"]),
    }
    write_text(options.out, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
