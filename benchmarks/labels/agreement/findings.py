"""What a comparison finds: measures and errors of each level, and official rows that look wrong.

The latter have their evidence, for whoever keeps the official file. Two criteria, either of which
the file itself speaks for:

- `peers`: every class of the landmark that has a label has ours; fewer than a tenth of the other
  landmarks with the same deciding class are officially labelled as this one is, and more than half
  of them as we label it. A difference of opinion on what a class is (an aerial tramway as rail
  transportation) is no finding: there the official label is that of most.
- `side`: fewer than a tenth of the other landmarks with the same official label have this one's
  `natural_or_human_made`, which follows from the label.

A row can be tested only where there are enough others, and the counts of those that were are told.
"""

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.label_files import ComparedLandmark
from hgld.tables import ANNOTATIONS, SUSPECTS

_EXAMPLES = 6
_RARE, _MAJORITY = 0.1, 0.5
_TITLES = {level.column: level.title for level in ANNOTATIONS["train"].levels}
LEVEL_COLUMNS = {
    "hierarchical_label": ("official_label", "our_label"),
    "natural_or_human_made": ("official_natural_or_human_made", "our_natural_or_human_made"),
}
"""Level to the fields of a `ComparedLandmark`; the finest first."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All of a comparison."""

    metadata: dict[str, str | int]
    """When, with which version and settings."""
    files: dict[str, dict[str, int]]
    """Split to the landmarks of the official file, of ours, and of both, which are compared."""
    levels: list[LevelAgreement]
    """The finest first."""
    testable: dict[str, int]
    """Official rows that could be tested for looking wrong, by reason."""
    suspects: dict[str, int]
    """Those of them that look wrong."""


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
    labels. ARI and AMI compare partitions, of the landmarks that both label.

    Returns:
        By name. Shares of landmarks have Wilson's 95% interval, the others none; all are NaN where
        there is no landmark to measure.
    """
    from sklearn import metrics

    labels = dict.fromkeys(label for pair in pairs for label in pair if label is not None)
    number: dict[str | None, int] = {label: place for place, label in enumerate(labels)}
    number[None] = -1
    counts = list(pairs.values())
    official, ours = (np.repeat([number[pair[side]] for pair in pairs], counts) for side in (0, 1))
    is_labelled = official >= 0
    has_both = is_labelled & (ours >= 0)
    macro_f1 = ari = ami = math.nan
    with warnings.catch_warnings():  # that a few landmarks have many labels
        warnings.filterwarnings("ignore", "The number of unique classes")
        if is_labelled.any():
            theirs, own = official[is_labelled], ours[is_labelled]
            macro_f1 = metrics.f1_score(
                theirs, own, labels=np.unique(theirs), average="macro", zero_division=0
            )
        if has_both.any():
            ari = metrics.adjusted_rand_score(official[has_both], ours[has_both])
            ami = metrics.adjusted_mutual_info_score(official[has_both], ours[has_both])
    return {
        "accuracy": _share((official == ours)[is_labelled]),
        "accuracy_where_both": _share((official == ours)[has_both]),
        "macro_f1": Estimate(float(macro_f1)),
        "ari": Estimate(float(ari)),
        "ami": Estimate(float(ami)),
    }


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
    first = dict(zip(reversed(labels), reversed(landmarks), strict=True))
    examples = defaultdict[str, list[dict[str, object]]](list)
    for pair in sorted(pairs, key=lambda pair: (-pairs[pair], pair[1] or "")):
        theirs, ours = pair
        if theirs is not None:
            official[theirs] += pairs[pair]
            given[ours] += pairs[pair]
            if theirs != ours:
                examples[theirs].append(first[pair]._asdict())
    found = [
        LabelAgreement(
            label=label,
            landmarks=official[label],
            ours=given[label],
            same=pairs[label, label],
            unlabelled=pairs[label, None],
            examples=tuple(examples[label][:_EXAMPLES]),
        )
        for label in official.keys() | given.keys()
        if label is not None
    ]
    return sorted(found, key=lambda one: (-one.errors, one.label))


def find_suspects(
    landmarks: Sequence[ComparedLandmark], *, peers: int
) -> tuple[pa.Table, dict[str, int]]:
    """Finds the official rows that look wrong.

    Args:
        landmarks: where no class is known, those of the same class are those of the same text, and
            no votes are asked for.
        peers: how many other landmarks a row must be compared with at least.

    Returns:
        Rows of SUSPECTS: by reason, those of most peers first, then by split and landmark; and by
        reason how many official rows could be tested.
    """
    labelled = [one for one in landmarks if one.official_label]
    by_class = [(one.class_qid or one.class_label, one.official_label, one) for one in labelled]
    by_label = [(one.official_label, one.official_natural_or_human_made, one) for one in labelled]
    rows, tested = [], Counter(peers=0, side=0)
    for one, others, alike, said in _beside_others(by_class, peers):
        tested["peers"] += 1
        as_ours = said[one.our_label]
        has_all_votes = one.votes is None or (one.votes > 0 and not one.votes_against)
        is_wrong = one.official_label != one.our_label and has_all_votes
        if is_wrong and alike < _RARE * others and as_ours > _MAJORITY * others:
            text = f"{one.class_label}"
            if one.class_qid:
                text += f" ({one.class_qid}, {one.decision}, {one.votes} of {one.votes} votes)"
            evidence = (
                f"its class is {text}; of {others} other landmarks of that class, {as_ours} are "
                f"officially {one.our_label} and {alike} {one.official_label}"
            )
            rows.append((one, "peers", evidence, others, alike, as_ours))
    for one, others, alike, _ in _beside_others(by_label, peers):
        tested["side"] += 1
        if alike < _RARE * others:
            evidence = (
                f"{others - alike} of {others} other landmarks that are officially "
                f"{one.official_label} are not {one.official_natural_or_human_made}"
            )
            rows.append((one, "side", evidence, others, alike, others - alike))
    columns = ("reason", "evidence", "peers", "peers_as_official", "peers_otherwise")
    told = [one._asdict() | dict(zip(columns, found, strict=True)) for one, *found in rows]
    order = [("reason", "ascending"), ("peers", "descending")]
    keys = [("split", "ascending"), ("landmark_id", "ascending")]
    return pa.Table.from_pylist(told, SUSPECTS.schema).sort_by([*order, *keys]), dict(tested)


def _beside_others(
    known: Iterable[tuple[str | None, str | None, ComparedLandmark]], least: int
) -> Iterator[tuple[ComparedLandmark, int, int, Counter[str | None]]]:
    """Yields each landmark that can be tested beside the others of its kind.

    Args:
        known: of each its kind and what is said of it; one that lacks either is left out.
        least: how many others there must be.

    Yields:
        The landmark, its others, those of them of which the same is said, and what is said of all.
    """
    told = [each for each in known if None not in each[:2]]
    said = defaultdict[str | None, Counter[str | None]](Counter)
    for kind, word, _ in told:
        said[kind][word] += 1
    sizes = {kind: each.total() for kind, each in said.items()}
    for kind, word, one in told:
        if sizes[kind] > least:
            yield one, sizes[kind] - 1, said[kind][word] - 1, said[kind]
