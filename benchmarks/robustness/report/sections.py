"""The sections of the page: what is shown of each part, and who is compared with whom."""

from hgld.benchmarks.robustness.abstention.part import (
    ABSTENTION,
    LEARNED_SCORES,
    ORACLE,
    RANDOM,
    SIMPLE_SCORES,
)
from hgld.benchmarks.robustness.failures.part import (
    ALL_TO_CLASSIFIER,
    CONFIDNET,
    CONFIDNET_NOT_HELD_OUT,
    FAILURES,
    HEAD_ON_SCORES,
    MAX_PROBABILITY,
    SIMPLE_CONFIDENCES,
)
from hgld.benchmarks.robustness.report.summary import RobustnessSection, ShownMeasure

ABSTENTION_SECTION = RobustnessSection(
    part=ABSTENTION,
    title="Which queries to refuse",
    about=(
        "A query is answered where its score reaches a threshold. Scores know no label of the "
        "query; the heads learn to predict its H-AP on training landmarks that are neither those "
        "of the threshold nor those measured. Oracle order: queries by their H-AP, the best that "
        "any score can do. Random order: the mean of all."
    ),
    measures=(
        ShownMeasure(name="area", title="mean H-AP over all shares answered"),
        ShownMeasure(name="share_of_oracle", title="way from random to oracle"),
        ShownMeasure(name="answered_80", title="answered, 80% wanted"),
        ShownMeasure(name="h_ap_answered_80", title="H-AP of the 80%"),
        ShownMeasure(name="answered_50", title="answered, 50% wanted"),
        ShownMeasure(name="h_ap_answered_50", title="H-AP of the 50%"),
        ShownMeasure(name="h_ap_refused_50", title="H-AP of the others"),
    ),
    compared_by=("area", "h_ap_answered_50"),
    subjects=LEARNED_SCORES,
    rivals=SIMPLE_SCORES,
    curve="h_ap_coverage",
    axes=("share of the queries answered", "H-AP of the answered"),
    drawn=(ORACLE, *SIMPLE_SCORES, *LEARNED_SCORES, RANDOM),
)

FAILURES_SECTION = RobustnessSection(
    part=FAILURES,
    title="Which predictions of a classifier are wrong",
    about=(
        "A classifier on frozen features predicts a class for the rows of a test part, and each "
        "confidence orders its predictions. ConfidNet learns the probability of the true class "
        "from rows that the classifier was not trained on, as is needed: not held out, it sees a "
        "classifier that is always right. Where all rows go to the classifier there is nothing "
        "left to learn confidence from; its errors are others, so that only accuracy and AURC "
        "compare."
    ),
    measures=(
        ShownMeasure(name="accuracy", title="accuracy"),
        ShownMeasure(name="auroc", title="AUROC"),
        ShownMeasure(name="ap_errors", title="AP of errors"),
        ShownMeasure(name="ap_success", title="AP of successes"),
        ShownMeasure(name="fpr_at_95tpr", title="FPR at 95% TPR", higher_is_better=False),
        ShownMeasure(name="aurc", title="AURC", higher_is_better=False),
        ShownMeasure(name="e_aurc", title="E-AURC", higher_is_better=False),
    ),
    compared_by=("ap_errors", "auroc", "aurc"),
    subjects=(CONFIDNET, HEAD_ON_SCORES, CONFIDNET_NOT_HELD_OUT),
    rivals=SIMPLE_CONFIDENCES,
    curve="risk_coverage",
    axes=("share of the predictions kept", "share of these that are wrong"),
    drawn=(
        MAX_PROBABILITY,
        "Trust score",
        CONFIDNET_NOT_HELD_OUT,
        ALL_TO_CLASSIFIER,
        CONFIDNET,
        HEAD_ON_SCORES,
    ),
)

SECTIONS = (ABSTENTION_SECTION, FAILURES_SECTION)
"""In the order of the page."""
