"""Gains over the best rival, and what is said of them."""

import math

import pytest

from hgld.benchmarks.robustness.failures.part import (
    CONFIDNET,
    CONFIDNET_NOT_HELD_OUT,
    FAILURES,
    MAX_PROBABILITY,
)
from hgld.benchmarks.robustness.records import RobustnessRecord
from hgld.benchmarks.robustness.report.conclusions import conclude, headline
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


def losing(**notes: float) -> str:
    records = [
        *records_of(CONFIDNET, [0.3, 0.31, 0.3], [0.2] * 3, **notes),
        *records_of(MAX_PROBABILITY, [0.5, 0.5, 0.5], [0.1] * 3, tcp_error=0.1),
    ]
    (found,) = summarize_section(FAILURES_SECTION, records)
    return conclude(FAILURES_SECTION, found)[0]


def test_a_loss_is_told_with_its_reason() -> None:
    few = losing(errors_seen=5, rows_seen=100, mean_tcp_seen=0.9, tcp_error=0.05)
    assert "-19.7 ± 0.6 points against Maximum class probability" in few
    assert "better on 0 and worse on 3 of 3 seeds: a loss. Why: its 100 rows hold 5 errors" in few
    wrong = losing(errors_seen=50, rows_seen=100, mean_tcp_seen=0.6, tcp_error=0.2)
    assert "mean square error of 0.200, and the maximum class probability" in wrong
    flat = losing(errors_seen=50, rows_seen=100, mean_tcp_seen=0.6, tcp_error=0.05)
    assert "the better estimate" in flat
    assert "the worse order" in flat


def test_what_is_not_held_out_is_said_to_have_nothing_to_learn_from() -> None:
    notes = {"errors_seen": 0.0, "rows_seen": 100.0, "mean_tcp_seen": 0.998, "tcp_error": 0.2}
    records = [
        *records_of(CONFIDNET_NOT_HELD_OUT, [0.3, 0.3], [0.2] * 2, **notes),
        *records_of(MAX_PROBABILITY, [0.5, 0.5], [0.1] * 2, tcp_error=0.1),
    ]
    (found,) = summarize_section(FAILURES_SECTION, records)
    (sentence,) = conclude(FAILURES_SECTION, found)
    assert "probability of 0.998 and 0 errors: nothing to learn from" in sentence


def test_the_headline_follows_the_figures() -> None:
    def said(ours: float) -> list[str]:
        records = [
            *records_of(CONFIDNET, [ours, ours + 0.01], [0.2] * 2),
            *records_of("Margin", [0.5, 0.5], [0.1] * 2),
        ]
        return headline(FAILURES_SECTION, summarize_section(FAILURES_SECTION, records))

    assert "of 1 data sets: ConfidNet on 1" in said(0.7)[0]
    assert "better on 1, worse on 0" in said(0.7)[1]
    assert "of 1 data sets: Margin on 1" in said(0.2)[0]
    assert "better on 0, worse on 1" in said(0.2)[1]
