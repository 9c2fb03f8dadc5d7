"""One level of the labels, compared: its counts, its measures, and the labels of most errors."""

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.label_files import ComparedLandmark
from hgld.tables import ANNOTATIONS

_EXAMPLES = 6
_TITLES = {level.column: level.title for level in ANNOTATIONS["train"].levels}
LEVEL_COLUMNS = {
    "hierarchical_label": ("official_label", "our_label"),
    "natural_or_human_made": ("official_natural_or_human_made", "our_natural_or_human_made"),
}
"""Level to the fields of a `ComparedLandmark`; the finest first."""

_SCORES = (
    *("macro_f1", "ari", "ami", "v_measure"),
    *("b_cubed_precision", "b_cubed_recall", "b_cubed_f1"),
)

Pairs = Mapping[tuple[str | None, str | None], int]
"""Official label and ours to how many landmarks have them; None: no label."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure, NaN where it is undefined, and its 95% interval, NaN where it has none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAgreement:
    """One label of either side, over the officially labelled landmarks."""

    label: str
    landmarks: int
    """That have it officially; 0 of a label that only we give."""
    ours: int
    """That have it from us; 0 of one that we never give."""
    same: int
    """That have it from both."""
    unlabelled: int
    """That have it officially, and no label of ours."""
    examples: tuple[dict[str, object], ...]
    """A landmark of each of the most frequent errors."""

    @property
    def errors(self) -> int:
        """Landmarks that have another label of ours, or none."""
        return self.landmarks - self.same

    @property
    def recall(self) -> float:
        """Share of its landmarks that have it from us; NaN where there are none."""
        return self.same / self.landmarks if self.landmarks else math.nan

    @property
    def precision(self) -> float:
        """Share of those that have it from us that have it officially; NaN where there are none."""
        return self.same / self.ours if self.ours else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAgreement:
    """One level of the labels. Labels have no blanks around them."""

    column: str
    title: str
    measures: dict[str, Estimate]
    coverage: dict[str, dict[str, int]]
    """Split to how many landmarks of both files are labelled by whom."""
    labels: tuple[LabelAgreement, ...]
    """Those of most errors first."""
    pairs: tuple[tuple[str | None, str | None, int], ...]
    """Official label, ours and landmarks, of all that occur."""


def compare_level(column: str, landmarks: Sequence[ComparedLandmark]) -> LevelAgreement:
    """Compares one level of the labels of the landmarks in both files."""
    theirs, own = LEVEL_COLUMNS[column]
    labels = [(getattr(one, theirs), getattr(one, own)) for one in landmarks]
    pairs = Counter(labels)
    return LevelAgreement(
        column=column,
        title=_TITLES[column],
        measures=measure(pairs),
        coverage=_coverage([one.split for one in landmarks], labels),
        labels=tuple(_label_agreements(landmarks, labels, pairs)),
        pairs=tuple((*pair, count) for pair, count in pairs.most_common()),
    )


def measure(pairs: Pairs) -> dict[str, Estimate]:
    """Measures the agreement of two labellings.

    Accuracy is over the officially labelled, and one without a label of ours counts as wrong: what
    leaves out whatever is difficult does not look better for it. Macro-F1 is over the official
    labels. The others compare partitions, of the landmarks that both label: ARI, AMI and V-measure
    are scikit-learn's; B-cubed is the mean over landmarks of the share of those with its label of
    ours that have its official label (precision), and the other way round (recall).

    Returns:
        By name. Shares of landmarks have Wilson's 95% interval, the others none; all are NaN where
        there is no landmark to measure.

    Source:
        Amigo et al., A comparison of extrinsic clustering evaluation metrics, Information
        Retrieval 2009, section 4 (B-cubed, after Bagga and Baldwin 1998).
    """
    from sklearn import metrics
    from sklearn.metrics.cluster import contingency_matrix

    labels = dict.fromkeys(label for pair in pairs for label in pair if label is not None)
    number: dict[str | None, int] = {label: place for place, label in enumerate(labels)}
    number[None] = -1
    counts = list(pairs.values())
    official, ours = (np.repeat([number[pair[side]] for pair in pairs], counts) for side in (0, 1))
    is_labelled = official >= 0
    has_both = is_labelled & (ours >= 0)
    found = {
        "accuracy": _share((official == ours)[is_labelled]),
        "accuracy_where_both": _share((official == ours)[has_both]),
    }
    values = dict.fromkeys(_SCORES, math.nan)
    with warnings.catch_warnings():  # that a few landmarks have many labels
        warnings.filterwarnings("ignore", "The number of unique classes")
        if is_labelled.any():
            theirs, own = official[is_labelled], ours[is_labelled]
            values["macro_f1"] = metrics.f1_score(
                theirs, own, labels=np.unique(theirs), average="macro", zero_division=0
            )
        if has_both.any():
            theirs, own = official[has_both], ours[has_both]
            values["ari"] = metrics.adjusted_rand_score(theirs, own)
            values["ami"] = metrics.adjusted_mutual_info_score(theirs, own)
            values["v_measure"] = metrics.v_measure_score(theirs, own)
            table = contingency_matrix(theirs, own)
            precision = float((table**2 / table.sum(axis=0)).sum() / len(own))
            recall = float((table**2 / table.sum(axis=1, keepdims=True)).sum() / len(own))
            values["b_cubed_precision"], values["b_cubed_recall"] = precision, recall
            values["b_cubed_f1"] = 2 * precision * recall / (precision + recall)
    return found | {name: Estimate(float(value)) for name, value in values.items()}


def _share(is_same: NDArray[np.bool_]) -> Estimate:
    from scipy.stats import binomtest

    if not len(is_same):
        return Estimate(math.nan)
    share = binomtest(int(is_same.sum()), len(is_same))
    interval = share.proportion_ci(method="wilson")
    return Estimate(float(share.statistic), float(interval.low), float(interval.high))


def _coverage(
    splits: Sequence[str], labels: Sequence[tuple[str | None, str | None]]
) -> dict[str, dict[str, int]]:
    found = {}
    for split in sorted(set(splits)):
        own = [pair for at, pair in zip(splits, labels, strict=True) if at == split]
        kinds = Counter((official is not None, ours is not None) for official, ours in own)
        found[split] = {
            "landmarks": len(own),
            "both": kinds[True, True],
            "same": sum(official is not None and official == ours for official, ours in own),
            "only_official": kinds[True, False],
            "only_ours": kinds[False, True],
            "neither": kinds[False, False],
        }
    return found


def _label_agreements(
    landmarks: Sequence[ComparedLandmark],
    labels: Sequence[tuple[str | None, str | None]],
    pairs: Counter[tuple[str | None, str | None]],
) -> list[LabelAgreement]:
    official, given = Counter[str | None](), Counter[str | None]()
    first: dict[str, dict[str | None, ComparedLandmark]] = defaultdict(dict)
    for one, (theirs, ours) in zip(landmarks, labels, strict=True):
        if theirs is not None:
            official[theirs] += 1
            given[ours] += 1
            if theirs != ours:
                first[theirs].setdefault(ours, one)

    def examples(label: str) -> tuple[dict[str, object], ...]:
        order = sorted(first[label], key=lambda ours: (-pairs[label, ours], ours or ""))
        return tuple(first[label][ours]._asdict() for ours in order[:_EXAMPLES])

    found = [
        LabelAgreement(
            label=label,
            landmarks=official[label],
            ours=given[label],
            same=pairs[label, label],
            unlabelled=pairs[label, None],
            examples=examples(label),
        )
        for label in official.keys() | given.keys()
        if label is not None
    ]
    return sorted(found, key=lambda one: (-one.errors, one.label))
