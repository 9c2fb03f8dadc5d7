"""Gains over the best rival, and what is said of them."""

import math

import pytest

from hgld.benchmarks.robustness.failures.part import (
    CONFIDNET,
    FAILURES,
)
from hgld.benchmarks.robustness.records import RobustnessRecord
from hgld.benchmarks.robustness.report.sections import FAILURES_SECTION
from hgld.benchmarks.robustness.report.summary import RobustnessGain, summarize_section


def records_of(
    method: str, ap_errors: list[float], aurc: list[float], **notes: float
) -> list[RobustnessRecord]:
    return [
        RobustnessRecord(
            part=FAILURES,
            data_set="digits",
            method=method,
            seed=seed,
            measures={"ap_errors": first, "auroc": 0.5, "aurc": second, **notes},
            curves={},
        )
        for seed, (first, second) in enumerate(zip(ap_errors, aurc, strict=True))
    ]


def gain_of(records: list[RobustnessRecord], measure: str) -> RobustnessGain:
    (found,) = summarize_section(FAILURES_SECTION, records)
    gain = found.gain(CONFIDNET, measure)
    assert gain is not None
    return gain


def test_gains_are_against_the_rival_of_the_best_mean_seed_by_seed() -> None:
    records = [
        *records_of(CONFIDNET, [0.6, 0.7, 0.8], [0.2, 0.1, 0.3]),
        *records_of("Entropy", [0.1, 0.9, 0.4], [0.1, 0.1, 0.1]),
        *records_of("Margin", [0.5, 0.5, 0.5], [0.3, 0.3, 0.3]),
    ]
    gain = gain_of(records, "ap_errors")
    assert gain.rival == "Margin"  # 0.5, entropy has 0.4667
    assert gain.gain.mean == pytest.approx(0.2)
    assert gain.gain.deviation == pytest.approx(0.1)
    assert (gain.wins, gain.losses) == (3, 0)
    # t of 97.5% with two degrees of freedom is 4.302653
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert gain.low == pytest.approx(0.2 - half)
    assert gain.high == pytest.approx(0.2 + half)
    assert gain.verdict == "undecided"


def test_where_less_is_better_a_gain_is_still_above_0() -> None:
    records = [
        *records_of(CONFIDNET, [0.6, 0.6], [0.10, 0.12]),
        *records_of("Margin", [0.5, 0.5], [0.3, 0.32]),
    ]
    gain = gain_of(records, "aurc")
    assert gain.gain.mean == pytest.approx(0.2)
    assert gain.verdict == "better"


def test_one_seed_decides_nothing_and_a_seed_without_errors_takes_no_part() -> None:
    one = [*records_of(CONFIDNET, [0.6], [0.1]), *records_of("Margin", [0.5], [0.3])]
    assert gain_of(one, "ap_errors").verdict == "undecided"
    missing = [
        *records_of(CONFIDNET, [0.6, math.nan, 0.6], [0.1] * 3),
        *records_of("Margin", [0.5, 0.5, math.nan], [0.3] * 3),
    ]
    assert gain_of(missing, "ap_errors").gain.seeds == 1
    alone = records_of(CONFIDNET, [0.6], [0.1])
    (found,) = summarize_section(FAILURES_SECTION, alone)
    assert found.gains == ()
