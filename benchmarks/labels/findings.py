"""What a comparison finds, and its page: measures, errors, and official rows that look wrong.

The latter have their evidence, for whoever keeps the official file. Two criteria, either of which
the file itself speaks for:

- `peers`: every class of the landmark that has a label has ours; fewer than a tenth of the other
  landmarks with the same deciding class are officially labelled as this one is, and more than half
  of them as we label it. A difference of opinion on what a class is (an aerial tramway as rail
  transportation) is no finding: there the official label is that of most.
- `side`: fewer than a tenth of the other landmarks with the same official label have this one's
  `natural_or_human_made`, which follows from the label.

A row can be tested only where there are enough others, and the counts of those that were are told.
The page asks no server for anything: it links to Commons categories, and loads none.
"""

import math
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.labels.label_files import ComparedLandmark
from hgld.labels.fills.lexicon import name_of_category
from hgld.plots.marks import HeatTable, heat_table
from hgld.plots.pages import page_template, percent
from hgld.tables import ANNOTATIONS, SUSPECTS

SUSPECTS_SHOWN = 100
"""Official rows that look wrong on the page; all of them are in the files beside it."""
MOST_LABELS = 100
"""Labels of the table of confusions, where there are more."""
WORST_LABELS = 15
"""Labels of most errors that are shown with examples."""
PEERS = 10
"""Other landmarks that a row must be compared with at least: of fewer, a tenth is less than one."""
MEASURES = {
    "accuracy": ("Accuracy", "of the officially labelled; no label of ours counts as wrong"),
    "accuracy_where_both": ("Accuracy where both have a label", ""),
    "macro_f1": ("Macro-F1", "every official label weighs the same"),
    "ari": ("ARI", "pairs put together, beyond chance"),
}
"""Measure to what a reader sees of it, in the order of the page."""

_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f]+")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAgreement:
    """One level of the labels. Labels have no blanks around them."""

    column: str
    title: str
    measures: dict[str, Estimate]
    coverage: dict[str, int]
    """How many landmarks of both files are labelled by whom."""
    labels: tuple[LabelAgreement, ...]
    """Those of most errors first."""
    pairs: tuple[tuple[str | None, str | None, int], ...]
    """Official label, ours and landmarks, of all that occur."""


def compare_level(column: str, landmarks: Sequence[ComparedLandmark]) -> LevelAgreement:
    """Compares one level of the labels of the landmarks in both files."""
    theirs, own = LEVEL_COLUMNS[column]
    labels = [(getattr(one, theirs), getattr(one, own)) for one in landmarks]
    pairs, kinds = Counter(labels), Counter((one is None, own is None) for one, own in labels)
    return LevelAgreement(
        column=column,
        title=_TITLES[column],
        measures=measure(pairs),
        coverage={
            "both": kinds[False, False],
            "only_official": kinds[False, True],
            "only_ours": kinds[True, False],
            "neither": kinds[True, True],
        },
        labels=tuple(_label_agreements(landmarks, labels, pairs)),
        pairs=tuple((*pair, count) for pair, count in pairs.most_common()),
    )


def measure(pairs: Pairs) -> dict[str, Estimate]:
    """Measures the agreement of two labellings.

    Accuracy is over the officially labelled, and one without a label of ours counts as wrong: what
    leaves out whatever is difficult does not look better for it. Macro-F1 is over the official
    labels. ARI compares partitions, of the landmarks that both label.

    Returns:
        By name. Shares of landmarks have Wilson's 95% interval, the others none; all are NaN where
        there is no landmark to measure.
    """
    from sklearn import metrics

    counts = list(pairs.values())
    official, ours = (
        np.repeat(np.array([pair[side] or "" for pair in pairs], dtype=str), counts)
        for side in (0, 1)
    )
    is_labelled = official != ""
    has_both = is_labelled & (ours != "")
    macro_f1 = ari = math.nan
    with warnings.catch_warnings():  # that a few landmarks have many labels
        warnings.filterwarnings("ignore", "The number of unique classes")
        if is_labelled.any():
            theirs, own = official[is_labelled], ours[is_labelled]
            macro_f1 = metrics.f1_score(
                theirs, own, labels=np.unique(theirs), average="macro", zero_division=0
            )
        if has_both.any():
            ari = metrics.adjusted_rand_score(official[has_both], ours[has_both])
    return {
        "accuracy": _share((official == ours)[is_labelled]),
        "accuracy_where_both": _share((official == ours)[has_both]),
        "macro_f1": Estimate(float(macro_f1)),
        "ari": Estimate(float(ari)),
    }


def _share(is_same: NDArray[np.bool_]) -> Estimate:
    from scipy.stats import binomtest

    if not len(is_same):
        return Estimate(math.nan)
    share = binomtest(int(is_same.sum()), len(is_same))
    interval = share.proportion_ci(method="wilson")
    return Estimate(float(share.statistic), float(interval.low), float(interval.high))


def _label_agreements(
    landmarks: Sequence[ComparedLandmark],
    labels: Sequence[tuple[str | None, str | None]],
    pairs: Counter[tuple[str | None, str | None]],
) -> list[LabelAgreement]:
    official, given = Counter[str | None](), Counter[str | None]()
    first = dict(zip(reversed(labels), reversed(landmarks), strict=True))
    examples = defaultdict[str, list[dict[str, object]]](list)
    for theirs, ours in sorted(pairs, key=lambda pair: (-pairs[pair], pair[1] or "")):
        if theirs is not None:
            official[theirs] += pairs[theirs, ours]
            given[ours] += pairs[theirs, ours]
            if theirs != ours:
                examples[theirs].append(first[theirs, ours]._asdict())
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


def find_suspects(landmarks: Sequence[ComparedLandmark]) -> tuple[pa.Table, dict[str, int]]:
    """Finds the official rows that look wrong.

    Args:
        landmarks: where no class is known, those of the same class are those of the same text, and
            no votes are asked for.

    Returns:
        Rows of SUSPECTS: by reason, those of most peers first, then by split and landmark; and by
        reason how many official rows could be tested.
    """
    labelled = [one for one in landmarks if one.official_label]
    by_class = [(one.class_qid or one.class_label, one.official_label, one) for one in labelled]
    by_label = [(one.official_label, one.official_natural_or_human_made, one) for one in labelled]
    rows, tested = [], Counter(peers=0, side=0)
    for one, others, alike, said in _beside_others(by_class):
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
    for one, others, alike, _ in _beside_others(by_label):
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
    known: Iterable[tuple[str | None, str | None, ComparedLandmark]],
) -> Iterator[tuple[ComparedLandmark, int, int, Counter[str | None]]]:
    """Yields each landmark that can be tested beside the others of its kind.

    Args:
        known: of each its kind and what is said of it; one that lacks either is left out.

    Yields:
        The landmark, its others, those of them of which the same is said, and what is said of all.
    """
    told = [each for each in known if None not in each[:2]]
    said = defaultdict[str | None, Counter[str | None]](Counter)
    for kind, word, _ in told:
        said[kind][word] += 1
    sizes = {kind: each.total() for kind, each in said.items()}
    for kind, word, one in told:
        if sizes[kind] > PEERS:
            yield one, sizes[kind] - 1, said[kind][word] - 1, said[kind]


def confusions(level: LevelAgreement) -> HeatTable:
    """Lays out official labels of a level by ours, those of most landmarks first."""
    by_size = sorted(level.labels, key=lambda one: (-one.landmarks, one.label))
    labels = [one.label for one in by_size[:MOST_LABELS] if one.landmarks]
    place: dict[str | None, int] = {label: number for number, label in enumerate([*labels, None])}
    counts = [[0] * (len(labels) + 2) for _ in labels]
    for official, ours, landmarks in level.pairs:
        if official in labels:
            counts[place[official]][place.get(ours, len(labels) + 1)] += landmarks
    return heat_table(counts, labels, ("no label", "another label"))


def interval(estimate: Estimate) -> str:
    """Writes the interval of a measure in percent; an empty text where it has none.

    Example:
        >>> interval(Estimate(0.876, 0.85, 0.9012)), interval(Estimate(0.876))
        ('85.0 to 90.1', '')
    """
    has_none = math.isnan(estimate.low)
    return "" if has_none else f"{percent(estimate.low)} to {percent(estimate.high)}"


def web_address(text: str) -> str:
    """Returns an address that a page may link to, or an empty text for anything else.

    Example:
        >>> web_address("http://commons.wikimedia.org/wiki/Category:Eltz")
        'http://commons.wikimedia.org/wiki/Category:Eltz'
        >>> web_address("javascript:alert(1)")
        ''
    """
    return text if _WEB_ADDRESS.fullmatch(text) else ""


def render_agreement(found: Mapping[str, Any], suspects: pa.Table) -> str:
    """Returns the page, in which every text is escaped.

    Args:
        found: `metadata`, `files`, `levels` and `testable`, as `results.json` has them.
        suspects: rows of SUSPECTS.
    """
    template = page_template(
        "hgld.benchmarks.labels",
        "agreement.html.j2",
        interval=interval,
        web_address=web_address,
        category_name=name_of_category,
    )
    finest = found["levels"][0]
    return template.render(
        found=found,
        finest=finest,
        measures=MEASURES,
        heat=confusions(finest),
        worst=[one for one in finest.labels[:WORST_LABELS] if one.errors],
        suspects=suspects.slice(0, SUSPECTS_SHOWN).to_pylist(),
        all_suspects=len(suspects),
    )
