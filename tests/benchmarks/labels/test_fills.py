import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.fills import (
    Guessed,
    expected_calibration_error,
    figures,
    read_labelled_names,
)


def test_figures_are_those_of_the_surest_guesses(labelled: Path) -> None:
    names = read_labelled_names(labelled)
    guess = np.where(np.arange(140) < 90, "church", "lake")  # 30 lakes are wrong
    confidence = np.where(np.arange(140) < 60, 0.9, 0.5)
    found = figures(names, Guessed(guess, confidence))
    # 120 labelled: 60 churches and 30 lakes are right; the surest half are the churches.
    assert (found["all"], found["surest_30"], found["surest_50"]) == (75.0, 100.0, 100.0)
    assert found["sides"] == 75.0
    assert found["sides_surest_70"] == round(100 * 60 / 84, 1)  # then 24 lakes that are wrong
    assert found["covered_at_95"] == 50.0


def test_the_error_of_confidences_is_the_mean_gap_of_the_bins() -> None:
    # Bin .2-.3: mean .25 and none right; bin .9-1: mean .95 and one of two right.
    confidence = np.array([0.2, 0.3 - 1e-9, 0.9, 1.0])
    is_right = np.array([False, False, False, True])
    expected = (2 * 0.25 + 2 * (0.95 - 0.5)) / 4
    assert expected_calibration_error(confidence, is_right) == pytest.approx(expected)
    assert math.isnan(expected_calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_the_figures_of_the_page_are_those_that_were_measured() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs/labels.md").read_text(encoding="utf-8")
    proposals, fills = (
        json.loads((root / f"benchmarks/results/labels/{name}.json").read_text(encoding="utf-8"))
        for name in ("proposals", "fills")
    )
    score = proposals["published_labels"]["score"]
    assert f"{score['right']} of {score['labelled']}" in page
    assert f"{score['blank_ignored_or_asked']} of {score['blank']}" in page
    columns = ("all", "surest_30", "surest_50", "sides_surest_70", "covered_at_95")
    for way in fills["results"].values():
        told = [f"{way[column]:.1f}" for column in columns] + [f"{way['ece']:.3f}"]
        assert " / ".join(told) in page
