from importlib import resources
from typing import get_args

import numpy as np
import pytest

from hgld.labels.proposing.calibration import Calibration, shipped_calibration
from hgld.labels.proposing.learning import pool
from hgld.labels.proposing.opinions import DOUBT
from hgld.labels.proposing.proposals import METHODS
from hgld.labels.taxonomy.wording import EvidenceKind


def test_the_shipped_calibration_can_be_used_and_tells_where_each_figure_is_from() -> None:
    known = shipped_calibration()
    for numbers in zip(*known.confidence, strict=True):
        assert list(numbers) == sorted(numbers)
    assert {method for method, _ in known.accuracy} <= set(METHODS)
    assert all(0 < accuracy < 1 for accuracy in known.accuracy.values())
    assert all(0 <= weight <= 1 for weight in known.weights.values())
    file = resources.files("hgld.labels.proposing") / "calibration.csv"
    assert all(line.rpartition(",")[2] for line in file.read_text(encoding="utf-8").splitlines())
    for tier in get_args(EvidenceKind):  # each kind that words can give
        assert 0 < known.of("wording", tier) < 1
        assert 0 < known.of("wording", f"{DOUBT} {tier}") < 1


def test_evidence_of_an_unknown_kind_says_what_to_run() -> None:
    with pytest.raises(ValueError, match="guess"):
        Calibration().of("wording", "guess")
    # And none is certain.
    assert Calibration(accuracy={("classes", "qid"): 1.0}).of("classes", "qid") < 1


def test_a_pool_adds_and_tells_the_two_best() -> None:
    tiers = Calibration(confidence=((0.0, 0.5), (2.0, 0.9)))
    # scores: 4 x 0.25, 2 x 0.25, 1 x 0.5: the odds of the first are 1 to 1
    verdicts = pool(np.log([[4.0, 2.0, 1.0]]), np.array([0.25, 0.25, 0.5]), tiers)
    assert (verdicts.best[0], verdicts.second[0]) == (0, 1)
    assert verdicts.log_odds[0] == pytest.approx(0)
    assert verdicts.confidence[0] == pytest.approx(0.5)
    assert verdicts.second_confidence[0] == pytest.approx(0.25)


def test_a_temper_moves_confidence_towards_one_half_and_1_leaves_it() -> None:
    # 0.9: odds 9, whose square root is 3: 3 / 4.
    line = ((0.0, 0.5), (1.0, 0.9))
    halved = Calibration(confidence=line, temper=0.5).confident(np.array([0.0, 1.0]))
    assert halved.tolist() == pytest.approx([0.5, 0.75])
