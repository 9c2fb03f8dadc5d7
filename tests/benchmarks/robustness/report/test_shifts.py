"""What is said of HEAT's parts and of ConDA follows the figures."""

from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.robustness.out_of_distribution.measuring import METHOD_TITLES, OUT_PART
from hgld.benchmarks.robustness.records import RobustnessRecord
from hgld.benchmarks.robustness.report.page import render_robustness
from hgld.benchmarks.robustness.report.sections import (
    OUT_SECTION,
    SECTIONS,
    SELF_LABELLING_SECTION,
)
from hgld.benchmarks.robustness.report.shifts import what_adds_up, what_was_learned
from hgld.benchmarks.robustness.report.summary import SetSummary, summarize_section
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


def found(**auroc: float) -> SetSummary:
    (summary,) = summarize_section(OUT_SECTION, out_records(**auroc))
    return summary


def test_a_gain_is_put_down_to_the_std_the_correction_or_the_sum() -> None:
    said = what_adds_up(
        found(
            heat=0.9,
            heat_gmm=0.8,
            heat_logits=0.95,
            heat_std=0.7,
            heat_gmm_logits=0.85,
            priors=0.88,
        )
    )
    assert said == [
        (
            "HEAT's AUROC of 90.0 is that of a sum: by themselves GMM 80.0, logits 95.0, std 70.0. "
            "The sum costs -5.0 points against HEAT, logits: its worst part counts."
        ),
        "The same priors without a correction have 88.0: what is trained is worth +2.0 points.",
        (
            "Without the std of the feature map, which the rivals do not see, HEAT has 85.0: the "
            "std is worth +5.0 points."
        ),
    ]


def test_without_std_nothing_is_said_of_it_and_without_heat_nothing_at_all() -> None:
    said = what_adds_up(found(heat=0.9, heat_gmm=0.8, heat_logits=0.85))
    assert said == ["HEAT's AUROC of 90.0 is that of a sum: by themselves GMM 80.0, logits 85.0."]
    assert what_adds_up(found(msp=0.5)) == []


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


def test_conda_is_told_beside_the_plain_choice_with_what_the_source_chose() -> None:
    records = [
        adapted("none", 0.0),
        adapted("probability", 0.8, share=0.5),
        adapted("conda", 0.6, share=0.5, rounds=2, adversary_weight=0.01),
    ]
    (summary,) = summarize_section(SELF_LABELLING_SECTION, records)
    said = " ".join(what_was_learned(summary))
    assert "ConDA keeps 60.0% are right, of those of the greatest probability 80.0%" in said
    assert "Chosen on the source: share 0.5, rounds 2, adversary weight 0.01 (seeds: 1)." in said
    assert what_was_learned(summarize_section(SELF_LABELLING_SECTION, records[:2])[0]) == []


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
    assert "Not measured here" in page
    assert "mine: queries of no landmark." in page
    assert "share 0.5, rounds 2, adversary weight 0.01" in page
    bare = render_robustness({**METADATA, "models": {}, "not_measured": []}, SECTIONS, records)
    assert "Not measured here" not in bare
    assert "Whose embeddings" not in bare
