"""The published figures of proposals and of fills, on the official labels, with the real models."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.labels.fills import expected_calibration_error
from hgld.benchmarks.labels.proposals.scoring import inputs_of_labels, read_official, score
from hgld.benchmarks.labels.proposals.silver import shipped_source
from hgld.labels.fills.guessing import Document, KnownLandmarks, guess
from hgld.labels.fills.lexicon import name_of_category, read_lexicon
from hgld.labels.proposing.calibration import shipped_calibration
from hgld.labels.proposing.learning import OpenProposals


def test_proposals_are_right_as_often_as_is_published(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    official = read_official(shared / "labels/supercategory_to_label.csv")
    inputs = inputs_of_labels(
        shipped_source(), [row.label for row in official], shipped_calibration()
    )
    proposals = OpenProposals(inputs)
    said = dict(zip(official, proposals.proposals(), strict=True))
    labelled = [row for row in official if row.hierarchical_label]
    assert sum(said[row].proposed_label == row.hierarchical_label for row in labelled) >= 71
    assert score(official, proposals)


def test_on_official_names_held_back_guesses_are_right_as_often_as_they_should(
    shared: Path,
) -> None:
    with (shared / "labels/train_landmarks_sample.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    learned = [row for place, row in enumerate(rows) if place % 10]
    held_back = [row for row in rows[::10] if row["hierarchical_label"]]
    side = {row["hierarchical_label"]: row["natural_or_human_made"] for row in rows}
    known = KnownLandmarks(
        documents=[Document((name_of_category(row["category"]),)) for row in learned],
        truth=[row["hierarchical_label"] for row in learned],
        labels=sorted(side.keys() - {""}),
    )
    asked = [Document((name_of_category(row["category"]),)) for row in held_back]
    guesses = guess(known, asked, {}, lexicon=read_lexicon(), precision=0.95)
    found = np.array(known.labels)[guesses.front]
    truth = np.array([row["hierarchical_label"] for row in held_back])
    order = np.argsort(-guesses.confidence, kind="stable")
    is_right = (found == truth)[order]
    sides = np.array([side[one] == side[other] for one, other in zip(found, truth, strict=True)])
    # Of 570 rows or so: the bars with two points for chance.
    assert is_right.mean() > 0.68
    assert is_right[: int(0.3 * len(truth))].mean() > 0.93
    assert is_right[: len(truth) // 2].mean() > 0.89
    assert sides[order][: int(0.7 * len(truth))].mean() > 0.95
    assert expected_calibration_error(guesses.confidence, found == truth) < 0.06
