"""The published figures of proposals and of fills, on the official labels, with the real models."""

from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.labels.fills import Names, by_fills, figures, read_labelled_names
from hgld.benchmarks.labels.proposals import inputs_of_labels, read_official, score
from hgld.benchmarks.labels.silver import shipped_source
from hgld.labels.fills.lexicon import read_lexicon
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
    names = read_labelled_names(shared / "labels/train_landmarks_sample.csv")
    rows = np.arange(len(names.names))
    learned, asked = rows[rows % 10 > 0], rows[::10]
    found = by_fills(read_lexicon(), names, learned, asked)
    measured = figures(Names(names.names[asked], names.truth[asked], names.sides), found)
    # Of 570 rows or so: the bars with two points for chance.
    bars = {"all": 68, "surest_30": 93, "surest_50": 89, "sides_surest_70": 95}
    assert {name: measured[name] for name, bar in bars.items() if measured[name] <= bar} == {}
    assert measured["ece"] < 0.06
