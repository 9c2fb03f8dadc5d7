"""Fits `calibration.csv` on the silver set: what each kind of evidence is worth, and their sums.

What the silver set cannot tell is assumed, and stands in that file as such; a fit leaves these rows
as they are. So `exact` words and Q-ids are not counted, since the author wrote both the question
and the answer: .95 is no more than 19 of 20, since some of H-GLDv2's names overlap (city and
settlement, memorial and sculpture). Of 20 labels that the taxonomy would have a person look at, one
reader ignored 7 (.35). Of 700 real labels of landmarks the taxonomy leaves out 13% and doubts 15%
(.2 are ignored).
"""

import csv
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.labels.silver import (
    SilverClass,
    SilverSource,
    folds,
    inputs_of,
    silver_classes,
    withheld,
)
from hgld.labels.proposing import calibration as calibrations
from hgld.labels.proposing.calibration import (
    CALIBRATION_COLUMNS,
    Calibration,
    Softmax,
    shipped_calibration,
)
from hgld.labels.proposing.knowledge import ProposalInputs, Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.methods import Prototypes, softmax_shares
from hgld.labels.proposing.opinions import IGNORE, Hint, Targets
from hgld.labels.proposing.proposals import CHANGING, ProposalMethod
from hgld.tables.csv_files import csv_text

CALIBRATION_FILE = Path(calibrations.__file__).parent / "calibration.csv"
FOLDS = 5
_FEW = 3  # rows that a tier must have to be told apart from a guess
_BINS = 24
_GRID = [
    Softmax(temperature=round(0.2 + 0.1 * warmer, 1), ignore=1 + 0.25 * more, floor=floor)
    for warmer, more, floor in itertools.product(range(11), range(17), (0.02, 0.05, 0.1, 0.2, 0.3))
]

Floats = NDArray[np.float64]
EvidenceTier = tuple[str, str]
"""A method and a kind of its evidence."""
Counts = Counter[tuple[EvidenceTier, bool]]
"""How often evidence was right, and how often not."""


class SilverProposal(NamedTuple):
    """A class of the silver set that was proposed without its own lines."""

    log_odds: float
    is_right: bool
    weight: float
    """So that as many are ignored as of the classes of landmarks."""


Told = tuple[Mapping[str, Floats], NDArray[np.int64]]
"""What methods said of n classes, (n, T) by method; and (n,) the columns of the answers."""


def fit(source: SilverSource) -> tuple[Calibration, Counts]:
    """Fits a calibration; returns it with the counts it rests on.

    Every class is proposed twice, blind and with the words that are its label, and sums of evidence
    are worth what they are over both. Of real labels four in five are words of the taxonomy; half
    are taken for such here, since their answers and the words are of one author.

    Accuracies are counted on the other folds than the one that is proposed; the few settings of all
    folds together (two temperatures, four weights) are fitted on the whole.

    Args:
        source: the shipped taxonomy.
    """
    classes, known = silver_classes(source.tables), shipped_calibration()
    targets = Targets(tuple(each.hierarchical_label for each in source.tables.supercategories))
    prior, held = targets.prior(known.ignored), folds(classes, FOLDS)
    blind, shown = (
        [withheld(source, each, words=words) for each in held] for words in (True, False)
    )
    columns = [np.array([targets.number[each.target] for each in part]) for part in held]
    inputs = [inputs_of(*pair, known) for pair in zip(blind, held, strict=True)]
    texts = [_count_texts(*pair) for pair in zip(inputs, held, strict=True)]
    cosines = [Prototypes(*each.on_grid(), targets).scores for each in inputs]
    decided = _count_decided(source, classes)
    softmax = fit_softmax(np.concatenate(cosines), np.concatenate(columns), prior)
    counts = sum([*texts, decided], Counts())
    known = replace(known, softmax={"prototypes": softmax})
    first = replace(known, accuracy=_accuracies(counts), weights={})
    told = [
        (_log_ratios(each, part, classes, first), answers)
        for *sources, part, answers in zip(blind, shown, held, columns, strict=True)
        for each in sources
    ]
    known = replace(known, weights=fit_weights(told, prior))
    points: list[SilverProposal] = []
    for place, part in enumerate(held):
        others = sum([*texts[:place], *texts[place + 1 :], decided], Counts())
        calibration = replace(known, accuracy=_accuracies(others))
        for each in (blind[place], shown[place]):
            points += _points(each, part, calibration)
    return replace(known, accuracy=_accuracies(counts), confidence=isotonic(points)), counts


def count_candidates(counts: Counts, method: str, said: Sequence[Hint], target: str) -> None:
    """Counts the hints of one class, up to the first that is right.

    So a tier's accuracy is what `ranked_opinion` takes it for: how often a candidate is right where
    none before it was.
    """
    for candidate in said:
        is_right = candidate.target == target
        counts[(method, candidate.tier), is_right] += 1
        if is_right:
            return


def row_weights(is_ignored: NDArray[np.bool_], share: float) -> Floats:
    """Returns a weight for each class, so that a share of all is ignored and the mean is 1."""
    ignored = max(int(is_ignored.sum()), 1) / len(is_ignored)
    accepted = max(int((~is_ignored).sum()), 1) / len(is_ignored)
    return np.asarray(np.where(is_ignored, share / ignored, (1 - share) / accepted))


def fit_softmax(scores: Floats, columns: NDArray[np.int64], prior: Floats) -> Softmax:
    """Finds how cosines become shares, by the likelihood on a grid.

    Args:
        scores: (n, T), of `prototypes`.
        columns: (n,), of the answers.
        prior: (T,), IGNORE last.
    """
    weights = row_weights(columns == len(prior) - 1, prior[-1])
    rows = np.arange(len(columns))

    def likelihood(settings: Softmax) -> float:
        shares = softmax_shares(scores, settings, prior)
        return float((weights * np.log(shares[rows, columns])).mean())

    return max(_GRID, key=likelihood)


def fit_weights(told: Sequence[Told], prior: Floats) -> dict[str, float]:
    """Finds how much of each opinion counts (conditional logit).

    Args:
        told: the log-ratios of each part, and the answers.
        prior: (T,), IGNORE last.

    Returns:
        Name of the method to its weight from 0 to 1: by itself a method is calibrated already, so
        that none counts for more than it says.
    """
    from scipy.optimize import minimize

    methods = sorted(told[0][0])
    # (M, n, T)
    said = np.stack([np.concatenate([part[method] for part, _ in told]) for method in methods])
    columns = np.concatenate([answers for _, answers in told])
    weights = row_weights(columns == len(prior) - 1, prior[-1])
    rows = np.arange(len(columns))

    def loss(exponents: Floats) -> tuple[float, Floats]:
        scores = np.tensordot(exponents, said, axes=1) + np.log(prior)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        expected = (said * shares).sum(axis=2)  # (M, n)
        gradient = ((expected - said[:, rows, columns]) * weights).mean(axis=1)
        return float(-(weights * np.log(shares[rows, columns])).mean()), gradient

    start, bounds = np.full(len(methods), 0.5), [(0, 1)] * len(methods)
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return {method: round(float(x), 3) for method, x in zip(methods, fitted.x, strict=True)}


def isotonic(points: Sequence[SilverProposal]) -> tuple[tuple[float, float], ...]:
    """Fits how often proposals are right as a line over their log-odds that never falls.

    Bins are of about equal weight; neighbours that fall are put together (pool adjacent violators).
    scikit-learn's would say 0 and 1 at the ends: here each bin has one right and one wrong added.

    Args:
        points: what was proposed, and whether it was right.

    Returns:
        Median log-odds and share that was right of each bin; and last the highest log-odds, a
        little higher, so that the surest come first.
    """
    order = sorted(points)
    weights = np.cumsum([each.weight for each in order])
    edges = np.searchsorted(weights, np.linspace(0, weights[-1], _BINS + 1)[1:-1])
    blocks: list[list[SilverProposal]] = []
    for part in np.split(np.arange(len(order)), edges):
        if len(part):
            blocks.append([order[row] for row in part])
        while len(blocks) > 1 and _share(blocks[-2]) >= _share(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    line = [
        (round(float(np.median([each.log_odds for each in block])), 3), round(_share(block), 4))
        for block in blocks
    ]
    highest, most = order[-1].log_odds, (len(order) + 1) / (len(order) + 2)
    return (*line, (round(max(highest, line[-1][0] + 1), 3), round(most, 4)))


def calibration_csv(known: Calibration, counts: Counts, source: str) -> str:
    """Returns the text of `calibration.csv`: its assumed rows as they are, the others anew.

    Args:
        known: the calibration.
        counts: that it rests on.
        source: what it was measured on, and when.
    """
    shipped = _shipped_rows()
    accuracy = {(row[1], row[2]): row for row in shipped if row[0] == "accuracy"}
    for tier, (right, rows) in _counted(counts).items():
        told = (round(_laplace(right, rows), 4), right, rows)
        accuracy[tier] = ["accuracy", *tier, *map(str, told), source]
    measured = [("weight", method, "", w) for method, w in known.weights.items()]
    measured += [
        ("softmax", method, name, getattr(settings, name))
        for method, settings in known.softmax.items()
        for name in ("temperature", "ignore", "floor")
    ]
    measured += [("confidence", "", str(at), worth) for at, worth in known.confidence]
    assumed = (row for row in shipped if row[0] in {"prior", "threshold"})
    fitted = ((*row, "", "", source) for row in measured)
    return csv_text([CALIBRATION_COLUMNS, *assumed, *accuracy.values(), *fitted])


def _shipped_rows() -> list[list[str]]:
    return list(csv.reader(CALIBRATION_FILE.read_text(encoding="utf-8").splitlines()))[1:]


def _counted(counts: Counts) -> dict[EvidenceTier, tuple[int, int]]:
    """Returns how often tiers were right, of how many rows: of enough, and not assumed."""
    assumed = {(row[1], row[2]) for row in _shipped_rows() if row[-1] == "assumed"}
    tiers = dict.fromkeys(tier for tier, _ in counts if tier not in assumed)
    told = {tier: (counts[tier, True], counts[tier, True] + counts[tier, False]) for tier in tiers}
    return {tier: counted for tier, counted in told.items() if counted[1] >= _FEW}


def _laplace(right: float, rows: float) -> float:
    """Returns the share that was right, with one right and one wrong added."""
    return (right + 1) / (rows + 2)


def _accuracies(counts: Counts) -> dict[EvidenceTier, float]:
    counted = {tier: _laplace(*told) for tier, told in _counted(counts).items()}
    return {**shipped_calibration().accuracy, **counted}


def _count_texts(inputs: ProposalInputs, classes: Sequence[SilverClass]) -> Counts:
    """Counts what the words of labels say."""
    counts = Counts()
    for each in classes:
        said = inputs.knowledge.read_label(each.label)
        count_candidates(counts, "wording", said, each.target)
    return counts


def _count_decided(source: SilverSource, classes: Sequence[SilverClass]) -> Counts:
    """Counts what decided classes say of others: a random half is decided, five times."""
    counts = Counts()
    random = np.random.default_rng(0)
    inputs = inputs_of(source, classes, shipped_calibration())
    for _ in range(FOLDS):
        proposals = OpenProposals(inputs, CHANGING)
        half = random.random(len(classes)) < 1 / 2
        decided = itertools.compress(classes, half)
        proposals.decide({each.qid: Ruling(each.target) for each in decided})
        for each, method in itertools.product(itertools.compress(classes, ~half), CHANGING):
            count_candidates(counts, method, proposals.hints(method, each.qid), each.target)
    return counts


def _log_ratios(
    source: SilverSource,
    held: Sequence[SilverClass],
    classes: Sequence[SilverClass],
    calibration: Calibration,
) -> dict[str, Floats]:
    """Asks methods of the classes of a fold, where every other one of the rest is decided."""
    methods: list[ProposalMethod] = ["wording", "neighbours", "prototypes"]
    qids = {each.qid for each in held}
    rest = [each for each in classes if each.qid not in qids]
    proposals = OpenProposals(inputs_of(source, [*held, *rest], calibration), methods)
    proposals.decide({each.qid: Ruling(each.target) for each in rest[::2]})
    return {method: ratio[: len(held)] for method, ratio in proposals.log_ratios().items()}


def _points(
    source: SilverSource, classes: Sequence[SilverClass], calibration: Calibration
) -> list[SilverProposal]:
    """Proposes the classes of a fold."""
    proposals = OpenProposals(inputs_of(source, classes, calibration))
    answers = [each.target for each in classes]
    weights = row_weights(np.array([each == IGNORE for each in answers]), calibration.ignored)
    rows = zip(proposals.proposals(), answers, proposals.log_odds(), weights, strict=True)
    return [
        SilverProposal(float(log_odds), (one.proposed_label or IGNORE) == answer, float(weight))
        for one, answer, log_odds, weight in rows
    ]


def _share(block: Sequence[SilverProposal]) -> float:
    right = sum(each.weight for each in block if each.is_right)
    return _laplace(right, sum(each.weight for each in block))
