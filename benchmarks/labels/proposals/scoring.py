"""Proposals against official answers: how many are right, how sure, and what each method gives."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hgld.benchmarks.labels.proposals.silver import SilverSource, knowledge_of
from hgld.engine.dataset import read_csv
from hgld.errors import InputError
from hgld.labels.proposing.calibration import Calibration
from hgld.labels.proposing.knowledge import ProposalInputs
from hgld.labels.proposing.learning import OpenProposals
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
        path: CSV with the columns label (or supercategory), hierarchical_label and
            natural_or_human_made; the last two are empty where a label was left out.

    Raises:
        InputError: a column is missing.
    """
    header = path.read_text(encoding="utf-8-sig").partition("\n")[0].strip().split(",")
    column = next((name for name in ("label", "supercategory") if name in header), None)
    if column is None:
        raise InputError(f"{path} must have a column label or supercategory, got {header}")
    names = (column, "hierarchical_label", "natural_or_human_made")
    table = read_csv(path, dict.fromkeys(names, pa.string()))
    return [Official(*row) for row in zip(*(table[n].to_pylist() for n in names), strict=True)]


def inputs_of_labels(
    source: SilverSource, labels: Sequence[str], calibration: Calibration
) -> ProposalInputs:
    """Returns labels without Q-ids, each in a cluster of its own: words and vectors are all.

    Args:
        source: what is known.
        labels: the texts; one may occur twice.
        calibration: what evidence is worth.
    """
    n = len(labels)
    return ProposalInputs(
        classes=pa.table(
            {
                "class_qid": [f"row {place}" for place in range(n)],
                "class_label": list(labels),
                "landmarks": pa.array([1] * n, pa.int64()),
                "cluster_id": pa.array(range(n), pa.int32()),
                "similarity": pa.array([1.0] * n, pa.float32()),
            }
        ),
        vectors=source.encode(labels),
        words=source.words,
        knowledge=knowledge_of(source),
        calibration=calibration,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    official: Official
    proposal: Proposal
    log_odds: float

    @property
    def is_right(self) -> bool:
        return (self.proposal.proposed_label or "") == self.official.hierarchical_label


def score(official: Sequence[Official], proposals: OpenProposals) -> Scores:
    """Scores proposals, one for each official answer.

    Args:
        official: the answers.
        proposals: of the same labels in the same order.

    Returns:
        Shares of the labelled rows that have the right super-category and side, whether asked about
        or not; mistakes in the half of all rows that is surest; proposals to accept with a
        confidence of 0.9 or more, and how many of them are right; rows that are asked about; rows
        officially left out, and those of them ignored or asked about; accuracy by tenth of the
        rows, the surest first.
    """
    rows = [
        _Row(*row)
        for row in zip(official, proposals.proposals(), proposals.log_odds().tolist(), strict=True)
    ]
    labelled = [row for row in rows if row.official.hierarchical_label]
    blank = [row for row in rows if not row.official.hierarchical_label]
    accepted = [row for row in rows if row.proposal.proposed_action == "accept"]
    sure = [row for row in accepted if row.proposal.confidence >= _SURE]
    surest = sorted(labelled, key=lambda row: (-_certainty(row), -row.log_odds))
    half = surest[: len(surest) // 2]
    asked = sum(row.proposal.proposed_action == "ask" for row in rows)
    return {
        "rows": len(rows),
        "labelled": len(labelled),
        "right": sum(row.is_right for row in labelled),
        "accuracy": _share([row.is_right for row in labelled]),
        "side_accuracy": _share([_has_side(row) for row in labelled]),
        "surest_half": len(half),
        "surest_half_wrong": [row.official.label for row in half if not row.is_right],
        "confident": len(sure),
        "confident_accuracy": _share([row.is_right for row in sure]),
        "automatic": sum(row.proposal.tier == "automatic" for row in rows),
        "automatic_wrong": [
            row.official.label
            for row in rows
            if row.proposal.tier == "automatic" and not row.is_right
        ],
        "asked": asked,
        "asked_share": round(asked / max(len(rows), 1), 4),
        "blank": len(blank),
        "blank_ignored_or_asked": sum(row.proposal.proposed_action != "accept" for row in blank),
        "accuracy_by_tenth": [
            _share([row.is_right for row in part])
            for part in _tenths(sorted(rows, key=lambda row: -_certainty(row)))
        ],
        "confidence_by_tenth": [
            round(float(np.mean([_certainty(row) for row in part])), 3) if part else None
            for part in _tenths(sorted(rows, key=lambda row: -_certainty(row)))
        ],
        "wrong": [
            {
                "label": row.official.label,
                "official": row.official.hierarchical_label,
                "proposed": row.proposal.proposed_label,
                "action": row.proposal.proposed_action,
                "confidence": row.proposal.confidence,
                "evidence": row.proposal.evidence,
            }
            for row in rows
            if not row.is_right
        ],
    }


def _certainty(row: _Row) -> float:
    return row.proposal.confidence


def _has_side(row: _Row) -> bool:
    return row.proposal.proposed_natural_or_human_made == row.official.natural_or_human_made


def _share(flags: Sequence[bool]) -> float | None:
    return round(sum(flags) / len(flags), 4) if flags else None


def _tenths(rows: Sequence[_Row]) -> list[Sequence[_Row]]:
    edges = np.linspace(0, len(rows), 11).round().astype(int)
    return [rows[start:end] for start, end in itertools.pairwise(edges)]


_SHOWN = ("accuracy", "side_accuracy", "confident", "confident_accuracy", "asked")


def ablation(
    official: Sequence[Official], source: SilverSource, calibration: Calibration
) -> dict[str, Scores]:
    """Scores each method alone, and all without each, as far as they speak of a bare list.

    A method alone counts in full, as there is no other that it could repeat.
    """
    inputs = inputs_of_labels(source, [row.label for row in official], calibration)
    alone = replace(inputs, calibration=replace(calibration, weights={}))
    methods: list[ProposalMethod] = ["classes", "wording", "prototypes"]
    found: dict[str, Scores] = {"all": score(official, OpenProposals(inputs, METHODS))}
    for method in methods:
        others = [each for each in METHODS if each != method]
        found[f"{method} alone"] = score(official, OpenProposals(alone, [method]))
        found[f"without {method}"] = score(official, OpenProposals(inputs, others))
    return {name: {key: each[key] for key in _SHOWN} for name, each in found.items()}
