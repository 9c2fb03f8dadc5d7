"""The page of robustness, with a name wherever another's text comes in."""

from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.robustness.out_of_distribution.measuring import METHOD_TITLES, OUT_PART
from hgld.benchmarks.robustness.records import RobustnessRecord
from hgld.benchmarks.robustness.report.page import render_robustness
from hgld.benchmarks.robustness.report.sections import (
    SECTIONS,
)
from hgld.benchmarks.robustness.self_labelling.adapting import CHOICE_TITLES, LabelChoice
from hgld.benchmarks.robustness.self_labelling.part import SELF_LABELLING

METADATA: dict[str, Json] = {
    "done": 1,
    "planned": 1,
    "seeds": [0],
    "cpu": "a",
    "cpu_cores": 1,
    "date": "2026-01-01T00:00",
    "note": "",
    "git_commit": "c",
    "versions": {},
    "system": "s",
    "threads": 1,
}


def out_records(**auroc: float) -> list[RobustnessRecord]:
    return [
        RobustnessRecord(
            part=OUT_PART,
            data_set="mine: far",
            method=METHOD_TITLES[name],
            seed=0,
            measures={"auroc": value, "fpr_at_95tpr": 0.5},
            curves={},
        )
        for name, value in auroc.items()
    ]


def adapted(choice: LabelChoice, kept: float, **chosen: float) -> RobustnessRecord:
    return RobustnessRecord(
        part=SELF_LABELLING,
        data_set="mine",
        method=CHOICE_TITLES[choice],
        seed=0,
        measures={"accuracy": 0.5, "precision_kept": kept, "validation_accuracy": 0.9},
        curves={},
        chosen=chosen,
    )


def test_the_page_tells_models_apart_and_says_what_it_does_not_have() -> None:
    records = [
        *out_records(heat=0.9, energy=0.8),
        adapted("none", 0.0),
        adapted("conda", 0.6, share=0.5, rounds=2, adversary_weight=0.01),
    ]
    metadata: dict[str, Json] = {
        **METADATA,
        "models": {"mine": "A run <b>."},
        "not_measured": ["mine: queries of no landmark."],
    }
    page = render_robustness(metadata, SECTIONS, records)
    assert "A run &lt;b&gt;." in page
    assert "mine: queries of no landmark." in page
