"""Proposals that learn: each decision updates the proposals of open classes.

Opinions are added, each with the weight that makes the answers of the silver set likeliest (a
logarithmic opinion pool), because methods that read the same label repeat each other. The
confidence of a sum is measured too (`hgld.labels.proposing.calibration`).

The state depends only on the decisions in force, not on their order or on decisions taken back. A
batch run applies all decisions at once to a new state (`hgld.labels.proposing.stage`).

Source:
    Genest, Zidek, Combining probability distributions: a critique and an annotated bibliography,
    Statistical Science 1986, section 3.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.labels.proposing.calibration import Calibration
from hgld.labels.proposing.knowledge import ProposalInputs, Ruling
from hgld.labels.proposing.methods import DecidedNeighbours, Prototypes, Superclasses
from hgld.labels.proposing.opinions import IGNORE, Floats, Hint, Targets, ranked_opinion
from hgld.labels.proposing.proposals import (
    CHANGING,
    CONFIDENCE_DECIMALS,
    METHODS,
    Proposal,
    ProposalMethod,
    Reason,
    choose,
    evidence,
)

_CLASS_COLUMNS = ("class_qid", "class_label", "landmarks", "cluster_id", "similarity")


class Verdicts(NamedTuple):
    """The two best targets of n classes, as columns."""

    best: NDArray[np.int64]
    second: NDArray[np.int64]
    confidence: Floats
    """Of the best, calibrated."""
    second_confidence: Floats
    """Of the second: its share of the rest, and never more than the best's."""
    log_odds: Floats
    """Of the best against all others, before calibration."""


def pool(log_ratios: Floats, prior: Floats, calibration: Calibration) -> Verdicts:
    """Finds the best targets by a sum of opinions.

    score(t) = log prior(t) + sum of weight x log_ratio(t) over the methods; ties go to the first
    column.

    Args:
        log_ratios: float64 (n, T), the weighted sum over the methods.
        prior: float64 (T,), T at least 2.
        calibration: from log-odds to confidence.

    Returns:
        The verdicts.

    Example:
        >>> verdicts = pool(np.log([[8.0, 1.0]]), np.array([0.5, 0.5]), Calibration())
        >>> verdicts.best.tolist(), verdicts.log_odds.round(3).tolist()  # log(8 / 1)
        ([0], [2.079])
    """
    scores = log_ratios + np.log(prior)
    rows = np.arange(len(scores))
    best = scores.argmax(axis=1)
    top = scores[rows, best]
    scores[rows, best] = -np.inf
    second = scores.argmax(axis=1)
    next_best = scores[rows, second]
    # log of the sum over the others, relative to their largest
    rest = next_best + np.log(np.exp(scores - next_best[:, None]).sum(axis=1))
    confidence = calibration.confident(top - rest)
    left = np.minimum((1 - confidence) * np.exp(next_best - rest), confidence)
    confidence, left = (each.round(CONFIDENCE_DECIMALS) for each in (confidence, left))
    return Verdicts(best, second, confidence, left, top - rest)


class OpenProposals:
    """The proposal for each class, given the decisions in force.

    `decide` returns which classes changed; `proposal` returns one with its evidence, so that a page
    computes only what it shows.
    """

    def __init__(self, inputs: ProposalInputs, methods: Sequence[ProposalMethod] = METHODS) -> None:
        """Proposes without any decision.

        Args:
            inputs: the classes and what is known about them.
            methods: the methods to use; fewer than all only to measure the effect of each.
        """
        self._knowledge, self._calibration = inputs.knowledge, inputs.calibration
        columns = (inputs.classes[name].to_pylist() for name in _CLASS_COLUMNS)
        self._rows = list(zip(*columns, strict=True))
        self._qids: list[str] = [row[0] for row in self._rows]
        self._labels: list[str] = [row[1] for row in self._rows]
        self._row = {qid: row for row, qid in enumerate(self._qids)}
        self._tags = inputs.tags
        self._decisions: dict[str, Ruling] = {}
        self._decided: dict[int, str] = {}
        """Row of each decided class to its target."""
        vectors, phrases = inputs.on_grid()
        self._neighbours = DecidedNeighbours(vectors, self._qids, phrases.scale)
        mapped = {qid: hint.target for qid, hint in self._knowledge.classes.items()}
        cuts = self._knowledge.cuts
        self._superclasses = Superclasses(self._qids, inputs.superclasses, mapped, cuts)
        self._taxonomy = self._targets = Targets(tuple(self._knowledge.sides))
        self._prototypes = None
        if "prototypes" in methods:
            self._prototypes = Prototypes(vectors, phrases, self._targets)
        self._hints = self._fixed_hints(methods)
        """Method to its current hints for each class; `prototypes` gives only numbers."""
        self._fixed = {
            method: ranked_opinion(method, hints, self._targets, self._calibration)
            for method, hints in self._hints.items()
        }
        if self._prototypes:
            self._fixed["prototypes"] = self._prototypes.opinion(self._calibration)
        count = len(self._qids)
        self._fixed_sum = np.zeros((count, len(self._targets.columns) + 1))
        for method, opinion in self._fixed.items():
            self._fixed_sum += self._calibration.weight(method) * opinion
        self._sum = self._fixed_sum.copy()
        """Weighted sum over all methods. It is kept because a new super-category affects all
        classes: for 10,000 that takes 17 ms, and 115 ms if the sum is computed again."""
        self._changing = [method for method in CHANGING if method in methods]
        self._hints |= {method: [()] * count for method in self._changing}
        self._verdicts = Verdicts(*np.zeros((2, count), np.int64), *np.zeros((3, count)))
        self._ask(range(count))
        self._judge(range(count))

    def decide(self, decisions: Mapping[str, Ruling | None]) -> list[str]:
        """Applies decisions and updates the proposals that depend on them.

        Args:
            decisions: class to its decision, which replaces an earlier one; None takes that back. A
                class outside the build counts as a superclass of others.

        Returns:
            The classes whose proposal, runner-up, action or confidence changed, in their order.
        """
        before = self._shown()
        changed: set[int] = set()
        for qid, decision in decisions.items():
            self._decisions.pop(qid, None)
            if decision:
                self._decisions[qid] = decision
            target = decision.hierarchical_label if decision else None
            changed |= self._superclasses.decide(qid, target)
        rows = {self._row[qid]: decision for qid, decision in decisions.items() if qid in self._row}
        for row, decision in rows.items():
            self._decided.pop(row, None)
            if decision:
                self._decided[row] = decision.hierarchical_label
        changed |= rows.keys()
        changed |= self._neighbours.update(
            decided=[row for row, decision in rows.items() if decision],
            reopened=[row for row, decision in rows.items() if not decision],
        )
        labels = {decision.hierarchical_label for decision in self._decisions.values()}
        added = tuple(sorted(labels - {*self._taxonomy.columns}))
        judged: Sequence[int] = sorted(changed)
        if added != self._targets.added:
            targets = Targets(self._taxonomy.names, added)
            self._sum = targets.widened(self._sum, self._targets)
            self._targets, judged = targets, range(len(self._qids))
        self._ask(sorted(changed))
        self._judge(judged)
        pairs = zip(before, self._shown(), strict=True)
        is_other = np.any([old != new for old, new in pairs], axis=0)
        return [self._qids[row] for row in np.flatnonzero(is_other)]

    def proposal(self, qid: str) -> Proposal:
        """Returns the proposal for a class, with its evidence.

        Raises:
            ValueError: no such class.
        """
        if qid not in self._row:
            raise ValueError(f"class_qid must be a class of the build, got {qid!r}")
        return self._proposal(self._row[qid])

    def proposals(self) -> list[Proposal]:
        """Returns the proposals for all classes, with their evidence."""
        return [self._proposal(row) for row in range(len(self._qids))]

    def others_than(self, proposals: Iterable[Proposal]) -> list[Proposal]:
        """Returns the proposals that differ from the given ones, with their evidence.

        Args:
            proposals: for classes of the build, at most one per class. As in `decide`, evidence is
                not compared.
        """
        given = {self._row[each.class_qid]: each._replace(evidence="") for each in proposals}
        rows = range(len(self._qids))
        return [self._proposal(row) for row in rows if given.get(row) != self._proposed(row)]

    def log_odds(self) -> Floats:
        """Returns the log-odds of each class's best target, the input of the calibration."""
        return self._verdicts.log_odds

    def hints(self, method: ProposalMethod, qid: str) -> Sequence[Hint]:
        """Returns a method's current hints for a class, the best first."""
        return self._hints[method][self._row[qid]]

    def log_ratios(self) -> dict[str, Floats]:
        """Returns each method's opinion on all classes, unweighted, float64 (n, T)."""
        every = range(len(self._qids))
        methods = (*self._fixed, *self._changing)
        return {method: self._opinion(method, every)[:, :-1] for method in methods}

    def _fixed_hints(self, methods: Sequence[ProposalMethod]) -> dict[str, list[Sequence[Hint]]]:
        """Returns the hints of the methods that do not depend on decisions.

        One author wrote the taxonomy's classes and its words from the same labels. So if a class is
        known, its words do not count again.
        """
        pairs = zip(self._qids, self._labels, strict=True)
        classes = [self._knowledge.of_class(*each) for each in pairs]
        tags = [self._knowledge.of_tags(self._tags.get(qid, ())) for qid in self._qids]
        if "classes" not in methods:
            classes = [()] * len(classes)
        found: dict[str, list[Sequence[Hint]]] = {"classes": classes, "tags": [*tags]}
        found["wording"] = [
            () if hints else self._knowledge.read_label(label)
            for hints, label in zip(classes, self._labels, strict=True)
        ]
        return {method: hints for method, hints in found.items() if method in methods}

    def _ask(self, rows: Sequence[int]) -> None:
        """Updates the methods that depend on decisions for some classes, and the sums."""
        places = np.array(rows, dtype=np.int64)
        total = self._targets.widened(self._fixed_sum[places], self._taxonomy)
        for method in self._changing:
            said = self._hints[method]
            for row in rows:
                if method == "superclasses":
                    said[row] = self._superclasses.hints(row)
                else:
                    same = method == "namesakes"
                    said[row] = self._neighbours.hints(row, self._labels, self._decided, same=same)
            total += self._calibration.weight(method) * self._opinion(method, rows)
        self._sum[places] = total

    def _opinion(self, method: str, rows: Sequence[int]) -> Floats:
        """Returns a method's opinion on some classes, float64 (n, T + 1)."""
        if method in self._fixed:
            places = np.array(rows, dtype=np.int64)
            return self._targets.widened(self._fixed[method][places], self._taxonomy)
        said = [self._hints[method][row] for row in rows]
        return ranked_opinion(method, said, self._targets, self._calibration)

    def _judge(self, rows: Sequence[int]) -> None:
        """Updates the verdicts of some classes; decisions are certain."""
        prior = self._targets.prior(self._calibration.ignored)
        places = np.array(rows, dtype=np.int64)
        verdicts = pool(self._sum[places, :-1], prior, self._calibration)
        for place, row in enumerate(rows):
            if row in self._decided:
                column = self._targets.number[self._decided[row]]
                if verdicts.best[place] != column:
                    verdicts.second[place] = verdicts.best[place]
                verdicts.best[place], verdicts.log_odds[place] = column, np.inf
                verdicts.confidence[place], verdicts.second_confidence[place] = 1.0, 0.0
        for kept, found in zip(self._verdicts, verdicts, strict=True):
            kept[places] = found

    def _shown(self) -> tuple[NDArray[Any], ...]:
        """Returns the columns that show whether a proposal changed."""
        names, verdicts = np.array(self._targets.columns, dtype=object), self._verdicts
        is_decided = np.zeros(len(self._qids), dtype=np.bool_)
        is_decided[list(self._decided)] = True
        shares = verdicts.confidence.copy(), verdicts.second_confidence.copy()
        return names[verdicts.best], names[verdicts.second], *shares, is_decided

    def _proposal(self, row: int) -> Proposal:
        proposed = self._proposed(row)
        if proposed.tier == "decided":
            return proposed._replace(evidence="a person decided so")
        target, other = proposed.proposed_label or IGNORE, proposed.runner_up or IGNORE
        return proposed._replace(evidence=evidence(*self._reasons(row, target, other), other))

    def _proposed(self, row: int) -> Proposal:
        """Returns the proposal for a class without its evidence, which takes longest."""
        verdicts, columns = self._verdicts, self._targets.columns
        said = [hints[row] for hints in self._hints.values() if hints[row]]
        is_decided, confidence = row in self._decided, float(verdicts.confidence[row])
        # Ignoring needs a hint that says so; otherwise it must be likelier than for a class about
        # which nothing is known, and the taxonomy must not ask for a person.
        may_ignore = is_decided or any(hint.says_ignore for hints in said for hint in hints)
        if not may_ignore and confidence >= self._calibration.ignore_from:
            may_ignore = not any(hint.is_doubt for hints in said for hint in hints)
        target, runner_up = columns[verdicts.best[row]], columns[verdicts.second[row]]
        action, tier = choose(
            target,
            confidence,
            self._calibration,
            may_ignore=may_ignore,
            is_doubted=any(hints[0].is_outright_doubt for hints in said),
        )
        # For a class to ignore, the side of its second best, in case a reviewer keeps it.
        side = self._side(target or runner_up)
        best = (target or None, side, action, confidence, "decided" if is_decided else tier)
        second = (runner_up or None, float(verdicts.second_confidence[row]))
        return Proposal._make((*self._rows[row], *best, "", *second))

    def _reasons(self, row: int, target: str, other: str) -> tuple[list[Reason], list[Reason]]:
        """Returns the reasons for a target, and those of methods that prefer another one."""
        first, second = self._targets.number[target], self._targets.number[other]
        methods = [method for method, said in self._hints.items() if said[row]]
        speaking, against = [], []
        for method in (*methods, "prototypes") if self._prototypes else methods:
            ratio = self._opinion(method, [row])[0]
            if ratio[first] > 0:
                speaking.append(Reason(ratio[first], self._words(method, row, target)))
            if ratio[second] > max(ratio[first], 0):
                words = self._words(method, row, other)
                against.append(Reason(ratio[second] - ratio[first], words))
        return speaking, against

    def _words(self, method: str, row: int, target: str) -> str:
        """Returns a method's reason for a target in words; empty if it has none."""
        if method == "prototypes" and self._prototypes:
            return self._prototypes.words(row, target)
        hints = self._hints[method][row]
        return next((each.words for each in hints if each.target == target), "")

    def _side(self, label: str) -> str | None:
        """Returns the side of a super-category: the taxonomy's, or else that of most decisions."""
        if label in self._knowledge.sides:
            return self._knowledge.sides[label]
        sides = Counter(
            decision.natural_or_human_made
            for decision in self._decisions.values()
            if decision.hierarchical_label == label != IGNORE and decision.natural_or_human_made
        )
        return min(sides, key=lambda side: (-sides[side], side), default=None)
