"""Proposals against official answers: how many are right, how sure, what a method gives.

    python -m hgld.benchmarks.labels.proposals --official FILE --out REPORT
    python -m hgld.benchmarks.labels.proposals --calibrate

The second fits the calibration of proposals and writes it anew.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.labels import fitting
from hgld.benchmarks.labels.silver import SilverClass, SilverSource, inputs_of, shipped_source
from hgld.engine.dataset import read_csv
from hgld.engine.files import write_text
from hgld.labels.proposing.calibration import Calibration, shipped_calibration
from hgld.labels.proposing.knowledge import ProposalInputs
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import METHODS, Proposal, ProposalMethod

Scores = dict[str, object]
_SURE = 0.9


class Official(NamedTuple):
    """A label with the official answer; both empty where it was officially left out."""

    label: str
    hierarchical_label: str
    natural_or_human_made: str


def read_official(path: Path) -> list[Official]:
    """Reads labels with official answers.

    Args:
        path: CSV with the columns supercategory (the label), hierarchical_label and
            natural_or_human_made; the last two are empty where a label was left out.

    Raises:
        InputError: a column is missing.
    """
    names = ("supercategory", "hierarchical_label", "natural_or_human_made")
    table = read_csv(path, dict.fromkeys(names, pa.string()))
    return [Official(*row) for row in zip(*(each.to_pylist() for each in table), strict=True)]


def inputs_of_labels(
    source: SilverSource, labels: Sequence[str], calibration: Calibration
) -> ProposalInputs:
    """Returns labels without Q-ids, each in a cluster of its own: words and vectors are all."""
    classes = [SilverClass(f"row {place}", label, "") for place, label in enumerate(labels)]
    return inputs_of(source, classes, calibration)


def score(official: Sequence[Official], proposals: OpenProposals) -> Scores:
    """Scores proposals, one for each official answer.

    Args:
        official: the answers.
        proposals: of the same labels in the same order.

    Returns:
        Shares of the labelled rows that have the right super-category and side, whether asked about
        or not (of a question, the likeliest super-category counts, which a reviewer sees even if
        ignoring is likelier); proposals to accept with a confidence of 0.9 or more, and how many of
        them are right; those that nobody need look at, and the wrong ones of them; rows that are
        asked about; rows officially left out, and those of them ignored or asked about; and what is
        wrong.
    """
    shown = proposals.proposals()
    rows = list(zip(official, shown, strict=True))
    is_right = np.array([_label_shown(one) == row.hierarchical_label for row, one in rows])
    has_side = np.array(
        [one.proposed_natural_or_human_made == row.natural_or_human_made for row, one in rows]
    )
    is_labelled = np.array([bool(row.hierarchical_label) for row in official])
    actions = np.array([one.proposed_action for one in shown])
    confidence = np.array([one.confidence for one in shown])
    is_sure = (actions == "accept") & (confidence >= _SURE)
    is_automatic = np.array([one.tier == "automatic" for one in shown])
    return {
        "rows": len(rows),
        "labelled": int(is_labelled.sum()),
        "right": int(is_right[is_labelled].sum()),
        "accuracy": _share(is_right[is_labelled]),
        "side_accuracy": _share(has_side[is_labelled]),
        "confident": int(is_sure.sum()),
        "confident_accuracy": _share(is_right[is_sure]),
        "automatic": int(is_automatic.sum()),
        "automatic_wrong": int((~is_right[is_automatic]).sum()),
        "asked": int((actions == "ask").sum()),
        "blank": int((~is_labelled).sum()),
        "blank_ignored_or_asked": int((actions[~is_labelled] != "accept").sum()),
        "wrong": [
            {"official": row.hierarchical_label, **one._asdict()}
            for (row, one), right in zip(rows, is_right, strict=True)
            if not right
        ],
    }


def ablation(official: Sequence[Official], inputs: ProposalInputs) -> dict[str, Scores]:
    """Scores each method by itself, and all without each, as far as they speak of a bare list.

    A method by itself counts in full, as there is no other that it could repeat.

    Args:
        official: the answers.
        inputs: of the same labels in the same order.
    """
    single = replace(inputs, calibration=replace(inputs.calibration, weights={}))
    methods: list[ProposalMethod] = ["classes", "wording", "prototypes"]
    found = {"all": score(official, OpenProposals(inputs))}
    for method in methods:
        others = [each for each in METHODS if each != method]
        found[f"{method} alone"] = score(official, OpenProposals(single, [method]))
        found[f"without {method}"] = score(official, OpenProposals(inputs, others))
    shown = ("accuracy", "side_accuracy", "confident", "confident_accuracy", "asked")
    return {name: {key: each[key] for key in shown} for name, each in found.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Scores, or fits, and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calibrate", action="store_true", help="write calibration.csv again")
    parser.add_argument("--official", type=Path, help="CSV with labels and official answers")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args(arguments)
    if not options.calibrate and None in (options.official, options.out):
        parser.error("--calibrate, or --official with --out, must be given")
    source = shipped_source()
    if options.calibrate:
        where = f"silver set, all-MiniLM-L6-v2, {datetime.now(UTC).date().isoformat()}"
        text = fitting.calibration_csv(*fitting.fit(source), where)
        write_text(fitting.CALIBRATION_FILE, text)
        return
    rows = read_official(options.official)
    inputs = inputs_of_labels(source, [row.label for row in rows], shipped_calibration())
    found = {"score": score(rows, OpenProposals(inputs)), "ablation": ablation(rows, inputs)}
    environment = describe_environment(["numpy", "pyarrow", "scikit-learn"])
    report = {"published_labels": found, "environment": environment}
    write_text(options.out, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def _label_shown(one: Proposal) -> str:
    second = one.runner_up if one.proposed_action == "ask" else None
    return one.proposed_label or second or IGNORE


def _share(values: NDArray[np.bool_]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


if __name__ == "__main__":
    main()
