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
from hgld.benchmarks.robustness.out_of_distribution.measuring import (
    METHOD_TITLES,
    OUT_PART,
    WITHOUT_STD,
)
from hgld.benchmarks.robustness.out_of_distribution.scoring import SIMPLE_METHODS
from hgld.benchmarks.robustness.report.summary import RobustnessSection, ShownMeasure
from hgld.benchmarks.robustness.self_labelling.adapting import CHOICE_TITLES
from hgld.benchmarks.robustness.self_labelling.part import SELF_LABELLING

ABSTENTION_SECTION = RobustnessSection(
    part=ABSTENTION,
    title="Which queries to refuse",
    about=(
        "A query is answered where its score reaches a threshold. Scores know no label of the "
        "query; the heads learn to predict its H-AP on training landmarks that are neither those "
        "of the threshold nor those measured. Learned on the index, heads and thresholds are of "
        "index images, each searching the others: a trained model has not been trained on them. "
        "What a head looks like and the entropy's temperature are chosen on the queries of the "
        "threshold. Oracle order: queries by their H-AP, the best that any score "
        "can do. Random order: the mean of all."
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
        "classifier that is always right. A fifth of the classifier's rows chooses its dropout and "
        "epochs, a fifth of the head's rows its epoch, depth, width and rate, for each seed anew; "
        "test rows choose nothing. Where all rows go to the classifier there is nothing "
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

OUT_SECTION = RobustnessSection(
    part=OUT_PART,
    title="Which rows are of no class that was trained on",
    about=(
        "Scores of how far out of the training classes a row is: inside are new rows of these "
        "classes, outside are classes held out (near) and rows of another kind (far). HEAT "
        "corrects priors by small networks and adds up what they say. Each corrected prior, each "
        "pair, and the priors without correction stand beside it, to tell what a gain is from: on "
        "pictures HEAT also sees the std of the feature map, which its rivals do not, so that "
        "HEAT without it is the fair comparison. The simple scores train nothing. No outside row "
        "chooses a setting: HEAT's are the published ones, but for the rate (ours)."
    ),
    measures=(
        ShownMeasure(name="auroc", title="AUROC"),
        ShownMeasure(name="fpr_at_95tpr", title="FPR at 95% TPR", higher_is_better=False),
        ShownMeasure(name="aupr_in", title="AUPR, in"),
        ShownMeasure(name="aupr_out", title="AUPR, out"),
        ShownMeasure(name="detection_accuracy", title="detection accuracy"),
    ),
    compared_by=("auroc", "fpr_at_95tpr"),
    subjects=tuple(
        METHOD_TITLES[name] for name in ("heat", WITHOUT_STD, "heat_gmm", "heat_logits", "heat_std")
    ),
    rivals=tuple(METHOD_TITLES[name] for name in SIMPLE_METHODS),
)

SELF_LABELLING_SECTION = RobustnessSection(
    part=SELF_LABELLING,
    title="Which labels of its own to learn from on another source",
    about=(
        "A classifier of a labelled source labels the rows of another one, the surest share is "
        "kept, and it is trained again, for some rounds. Share, rounds and the weight of ConDA's "
        "adversary are chosen for each seed on a fifth of the source that trains nothing: what "
        "leaves ConDA most right there. All ways of choosing rows begin with the same classifier "
        "and have the same share and rounds; target labels measure and choose nothing. "
        "The digits' other source is synthetic: half a pixel's move, blur and noise. GLDv2's index "
        "images are of other landmarks than its training "
        "images, with super-categories in common."
    ),
    measures=(
        ShownMeasure(name="accuracy", title="accuracy on the target"),
        ShownMeasure(name="accuracy_unlabelled", title="on the rows it labelled"),
        ShownMeasure(name="accuracy_before", title="before"),
        ShownMeasure(name="validation_accuracy", title="on held-out source"),
        ShownMeasure(name="precision_kept", title="kept labels that are right"),
        ShownMeasure(name="kept_rows", title="kept rows", is_share=False),
    ),
    compared_by=("accuracy", "precision_kept"),
    subjects=(CHOICE_TITLES["conda"], CHOICE_TITLES["tcp"]),
    rivals=tuple(CHOICE_TITLES[choice] for choice in ("none", "all", "probability", "entropy")),
)

SECTIONS = (ABSTENTION_SECTION, FAILURES_SECTION, OUT_SECTION, SELF_LABELLING_SECTION)
"""In the order of the page."""
