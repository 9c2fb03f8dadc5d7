from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.fills import Guessed, figures, read_labelled_names


def test_figures_are_those_of_the_surest_guesses(labelled: Path) -> None:
    names = read_labelled_names(labelled)
    guess = np.where(np.arange(140) < 90, "church", "lake")  # 30 lakes are wrong
    confidence = np.where(np.arange(140) < 60, 0.9, 0.5)
    found = figures(names, Guessed(guess=guess, confidence=confidence))
    # 120 labelled: 60 churches and 30 lakes are right; the surest half are the churches.
    assert (found["all"], found["surest_30"], found["surest_50"]) == (75.0, 100.0, 100.0)
    assert found["sides"] == 75.0
    assert found["sides_surest_70"] == round(100 * 60 / 84, 1)  # then 24 lakes that are wrong
    assert found["covered_at_95"] == 50.0
    assert found["ece"] == pytest.approx((60 * 0.1 + 60 * 0.0) / 120, abs=1e-4)
    blanks = figures(names, Guessed(guess=guess, confidence=confidence), blanks=True)
    assert blanks["all"] == round(100 * 90 / 140, 1)
