"""Which changes to the published algorithm are worth it, and how do the methods compare?

    python -m hgld.benchmarks.training --root BUILD --out training.json --page training.html

Changes are tried on landmarks held out of the training split; the methods, all under the settings
of one recipe, are measured on the test queries, by the labels of the build or, with
--test-labels, by those that Google published. Each run is one of `hgld train`'s in the build.
What was stopped goes on with the same command, and what is done is not done again.
"""

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.retrieval.results import nan_to_null
from hgld.benchmarks.training.measured_on import QueriesAndIndex, with_official_labels
from hgld.benchmarks.training.page import render_training_page
from hgld.benchmarks.training.plan import (
    METHOD_NAMES,
    UNTRAINED,
    planned_changes,
    planned_methods,
)
from hgld.benchmarks.training.summary import sum_up_runs
from hgld.benchmarks.training.trials import PACKAGES, TrialRecord, run_trial
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError

logger = logging.getLogger(__name__)

_REFERENCES = {"change": "plain", "method": UNTRAINED}


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the runs that are not there yet, and writes what they came to after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True, help="folder of a build")
    parser.add_argument(
        "--test-labels",
        type=Path,
        help="folder of Google's CSV files, to measure on the pictures of --root by these labels",
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--page", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--recipe", default="gldv2-mini-cpu", help="settings of all methods")
    parser.add_argument(
        "--methods", nargs="*", default=[UNTRAINED, *METHOD_NAMES], help="none: no method"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the methods")
    parser.add_argument("--change-seeds", type=int, nargs="*", default=[0, 1], help="none: none")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    workspace = Workspace(options.root)
    try:
        # Before the first run, so that no training is wasted on labels that cannot be read.
        measured_on = (
            with_official_labels(workspace, options.test_labels)
            if options.test_labels
            else QueriesAndIndex(build=workspace)
        )
        trials = [
            *planned_changes(options.recipe, options.change_seeds),
            *planned_methods({"recipe": options.recipe}, options.methods, options.seeds),
        ]
        records: list[TrialRecord] = []
        for number, trial in enumerate(trials, start=1):
            logger.info("run %d of %d: %s", number, len(trials), trial.config.name)
            records.append(run_trial(workspace, trial, measured_on))
            _write(options, records, len(trials))
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _write(options: argparse.Namespace, records: Sequence[TrialRecord], planned: int) -> None:
    summaries = {
        part: sum_up_runs([record for record in records if record.part == part], reference)
        for part, reference in _REFERENCES.items()
    }
    metadata = {
        **describe_environment(PACKAGES),
        "recipe": options.recipe,
        "runs": len(records),
        "planned": planned,
        "test_labels": "" if options.test_labels is None else str(options.test_labels),
        "note": options.note,
    }
    report = {
        "metadata": metadata,
        "changes": [dataclasses.asdict(one) for one in summaries["change"]],
        "methods": [dataclasses.asdict(one) for one in summaries["method"]],
        "runs": [dataclasses.asdict(one) for one in records],
    }
    text = json.dumps(nan_to_null(report), indent=1, allow_nan=False) + "\n"
    write_text(options.out, text)
    page = render_training_page(metadata, summaries["change"], summaries["method"], records)
    write_text(options.page, page)


if __name__ == "__main__":
    sys.exit(main())
