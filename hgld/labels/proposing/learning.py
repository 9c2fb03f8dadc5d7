"""Proposals that learn: after each decision the open classes are proposed anew.

The state depends on the decisions in force and on nothing else: not on their order, nor on what was
taken back. A batch is one bulk of decisions on a new state (`hgld.labels.proposing.stage`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hgld.labels.proposing.material import CLASS_COLUMNS, Material, Ruling
from hgld.labels.proposing.methods.ballot import (
    IGNORE,
    Hint,
    Opinion,
    Targets,
    first_words,
    ranked_opinion,
    says_ignore,
)
from hgld.labels.proposing.methods.cluster import SURE, cluster_candidates
from hgld.labels.proposing.methods.cosines import scale_of
from hgld.labels.proposing.methods.decided import CHANGING, Speakers
from hgld.labels.proposing.methods.fixed import fixed_opinions
from hgld.labels.proposing.methods.superclasses import Known
from hgld.labels.proposing.pool import Verdicts, pool
from hgld.labels.proposing.rows import METHODS, Proposal, ProposalMethod, Reason, choose, evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OpenProposals:
    """What is proposed of each class, given the decisions in force.

    `decide` and its short forms tell which classes changed; `proposal` tells of one, with the
    evidence, so that a page asks for no more than it shows.
    """

    def __init__(self, material: Material, methods: Sequence[ProposalMethod] = METHODS) -> None:
        """Proposes with nothing decided.

        Args:
            material: the classes and what is known of them.
            methods: which methods speak.

        Raises:
            ValueError: an unknown method.
        """
        if unknown := sorted(set(methods) - set(METHODS)):
            raise ValueError(f"methods must be of {', '.join(METHODS)}, got {', '.join(unknown)}")
        self._material, self._methods = material, methods
        self._calibration, knowledge = material.calibration, material.knowledge
        self._rows = list(
            zip(*(material.classes[c].to_pylist() for c in CLASS_COLUMNS), strict=True)
        )
        self._qids: list[str] = [row[0] for row in self._rows]
        self._row = {qid: row for row, qid in enumerate(self._qids)}
        self._clusters = np.unique(
            material.classes["cluster_id"].to_numpy(zero_copy_only=False), return_inverse=True
        )[1].reshape(-1)
        self._targets = Targets(tuple(knowledge.sides))
        self._decisions: dict[str, Ruling] = {}
        vectors, phrases = material.on_grid()
        self._fixed = fixed_opinions(material, vectors, phrases, self._targets, methods)
        self._speakers = Speakers(
            material.classes,
            vectors,
            material.superclasses,
            Known(
                mapped={qid: said.target for qid, said in knowledge.classes.items()},
                cuts=knowledge.cuts,
            ),
            scale_of(phrases.vectors[phrases.is_name]),
        )
        # By method, what it says of each class now; and the same in numbers.
        self._said: dict[ProposalMethod, list[Sequence[Hint]]] = {
            method: [()] * len(self._qids) for method in methods if method in CHANGING
        }
        self._changing: dict[ProposalMethod, NDArray[np.float64]] = {}
        self._in_cluster: list[Sequence[Hint]] = [()] * len(self._qids)
        self._start(np.arange(len(self._qids)))

    def assign(self, qid: str, label: str, side: str | None = None) -> list[str]:
        """Decides a class's super-category; see `decide`."""
        return self.decide({qid: Ruling(label, side)})

    def ignore(self, qid: str) -> list[str]:
        """Decides that a class says nothing of looks; see `decide`."""
        return self.decide({qid: Ruling(IGNORE)})

    def reopen(self, qid: str) -> list[str]:
        """Takes a decision back; see `decide`."""
        return self.decide({qid: None})

    def decide(self, decisions: Mapping[str, Ruling | None]) -> list[str]:
        """Takes up decisions and proposes anew what they bear on.

        Args:
            decisions: class to what it was decided to be, which replaces what was decided before;
                None takes that back. A class that is not in the build speaks for those below it.

        Returns:
            The classes of which the proposal, its action or its confidence changed, in their order.
        """
        before = self._shown()
        for qid, decision in decisions.items():
            if decision is None:
                self._decisions.pop(qid, None)
            else:
                self._decisions[qid] = decision
        rows = self._speakers.decide(
            {qid: each.hierarchical_label if each else None for qid, each in decisions.items()}
        )
        rows.update(self._row[qid] for qid in decisions if qid in self._row)
        known = {*self._targets.names, IGNORE}
        labels = {decision.hierarchical_label for decision in self._decisions.values()}
        added = tuple(sorted(labels - known))
        if set(added) > set(self._targets.added):
            self._grow(Targets(self._targets.names, added), np.array(sorted(rows), dtype=np.int64))
        elif added != self._targets.added:
            self._targets = Targets(self._targets.names, added)
            self._start(np.array(sorted(rows), dtype=np.int64))
        else:
            self._settle(
                row for row in (self._row.get(qid) for qid in decisions) if row is not None
            )
            self._refresh(np.array(sorted(rows), dtype=np.int64))
        after = self._shown()
        changed = np.any([old != new for old, new in zip(before, after, strict=True)], axis=0)
        return [self._qids[row] for row in np.flatnonzero(changed)]

    def proposal(self, qid: str) -> Proposal:
        """Returns what is proposed of a class, with the evidence.

        Raises:
            ValueError: no such class.
        """
        if qid not in self._row:
            raise ValueError(f"class_qid must be a class of the build, got {qid!r}")
        return self._proposal(self._row[qid])

    def proposals(self) -> list[Proposal]:
        """Returns what is proposed of every class, with the evidence."""
        return [self._proposal(row) for row in range(len(self._qids))]

    def others_than(self, proposals: Iterable[Proposal]) -> list[Proposal]:
        """Returns the proposals that are others than given ones, with the evidence.

        Args:
            proposals: of classes of the build, each at most once. As with `decide`, evidence alone
                makes none another.
        """
        given = {self._row[each.class_qid]: each._replace(evidence="") for each in proposals}
        return [
            self._proposal(row)
            for row in range(len(self._qids))
            if given.get(row) != self._proposed(row)
        ]

    def log_odds(self) -> "NDArray[np.float64]":
        """Returns the log-odds of each class's best target: what confidence is calibrated on."""
        return self._verdicts.log_odds

    def best_targets(self) -> list[str]:
        """Returns each class's best target, IGNORE among them, whatever the action is."""
        return [self._targets.columns[column] for column in self._verdicts.best]

    def log_ratios(self) -> "dict[str, NDArray[np.float64]]":
        """Returns what each method says of all classes, unweighted; `Opinion.log_ratio`."""
        fixed = {opinion.method: opinion.log_ratio for opinion in self._fixed}
        return fixed | dict(self._changing)

    def candidates(self, method: ProposalMethod, qid: str) -> list[Hint]:
        """Returns what a method of CHANGING says of a class, the best first."""
        return self._speakers.candidates(method, self._row[qid])

    def _start(self, rows: "NDArray[np.int64]") -> None:
        """Pools every class anew: at first, and where a super-category was added or left.

        Args:
            rows: of which what is said has changed.
        """
        n, columns = len(self._qids), len(self._targets.columns)
        added = len(self._targets.added)
        self._sum = np.zeros((n, columns))
        self._sum_unnamed = np.zeros(n)
        for opinion in self._fixed:
            weight = self._calibration.weight(opinion.method)
            self._sum[:, : columns - added] += weight * opinion.log_ratio
            self._sum_unnamed += weight * opinion.unnamed
        self._sum[:, columns - added :] = self._sum_unnamed[:, None]
        self._prior = self._targets.prior(self._calibration.ignored)
        self._changing = {method: np.zeros((n, columns)) for method in self._said}
        self._unnamed = {method: np.zeros(n) for method in self._said}
        self._alone, self._verdicts = Verdicts.empty(n), Verdicts.empty(n)
        self._scores = np.zeros((n, columns))
        self._settled = np.full(n, -1)
        self._settle(range(n))
        self._ask(rows)
        self._pool(np.arange(n))

    def _grow(self, targets: Targets, rows: "NDArray[np.int64]") -> None:
        """Takes up super-categories beside those there are, of which all stands that was said.

        Args:
            targets: with the new ones.
            rows: of which what is said has changed; all others are pooled as they are.
        """
        place = np.array([targets.number[column] for column in self._targets.columns])
        added = np.setdiff1d(np.arange(len(targets.columns)), place)
        at = added - np.arange(len(added))  # where numpy inserts them
        self._targets, self._prior = targets, targets.prior(self._calibration.ignored)
        self._sum = np.insert(self._sum, at, self._sum_unnamed[:, None], axis=1)
        self._scores = self._sum.copy()
        for method, log_ratio in self._changing.items():
            unnamed = self._unnamed[method][:, None]
            self._changing[method] = np.insert(log_ratio, at, unnamed, axis=1)
            self._scores += self._calibration.weight(method) * self._changing[method]
        for verdicts in (self._alone, self._verdicts):
            verdicts.best[:], verdicts.second[:] = place[verdicts.best], place[verdicts.second]
        self._settle(range(len(self._qids)))
        self._ask(rows)
        self._pool(rows)
        self._pool_others(rows)

    def _pool_others(self, done: "NDArray[np.int64]") -> None:
        """Pools the classes that are not done, whose scores are right, and all that follows."""
        rows = np.setdiff1d(np.arange(len(self._qids)), done)
        before = self._alone.take(rows)
        self._alone.put(rows, self._pooled(rows, self._scores[rows]))
        self._verdicts.put(np.arange(len(self._qids)), self._alone)
        if "cluster" in self._methods:
            self._speak_in_clusters(rows, before)
            # Where a cluster is silent, its opinion is none.
            heard = np.flatnonzero([bool(said) for said in self._in_cluster])
            log_ratio = self._opinion("cluster", [self._in_cluster[row] for row in heard]).log_ratio
            scores = self._scores[heard] + self._calibration.weight("cluster") * log_ratio
            self._verdicts.put(heard, self._pooled(heard, scores))

    def _settle(self, rows: Iterable[int]) -> None:
        """Notes the columns of what a person decided; -1 where nobody has."""
        for row in rows:
            decision = self._decisions.get(self._qids[row])
            self._settled[row] = (
                self._targets.number[decision.hierarchical_label] if decision else -1
            )

    def _refresh(self, rows: "NDArray[np.int64]") -> None:
        """Asks and pools classes anew of which what is said has changed."""
        self._ask(rows)
        self._pool(rows)

    def _ask(self, rows: "NDArray[np.int64]") -> None:
        for method, said in self._said.items():
            for row in rows.tolist():
                said[row] = self._speakers.candidates(method, row)

    def _pool(self, rows: "NDArray[np.int64]") -> None:
        """Pools classes anew, and with them those of their clusters that they speak for."""
        scores = self._sum[rows]
        for method, log_ratio in self._changing.items():
            said = [self._said[method][row] for row in rows.tolist()]
            opinion = self._opinion(method, said)
            log_ratio[rows], self._unnamed[method][rows] = opinion.log_ratio, opinion.unnamed
            scores += self._calibration.weight(method) * log_ratio[rows]
        self._scores[rows] = scores
        before = self._alone.take(rows)
        self._alone.put(rows, self._pooled(rows, scores))
        if "cluster" in self._methods:
            rows = self._speak_in_clusters(rows, before)
            said = [self._in_cluster[row] for row in rows.tolist()]
            log_ratio = self._opinion("cluster", said).log_ratio
            scores = self._scores[rows] + self._calibration.weight("cluster") * log_ratio
        self._verdicts.put(rows, self._pooled(rows, scores))

    def _speak_in_clusters(
        self, rows: "NDArray[np.int64]", before: Verdicts
    ) -> "NDArray[np.int64]":
        """Renews what clusters say of which a member says something else; returns the rows.

        Args:
            rows: that were pooled anew.
            before: their verdicts before that.
        """
        after = self._alone.take(rows)
        was, is_now = before.confidence >= SURE, after.confidence >= SURE
        speaks_otherwise = (was != is_now) | (is_now & (before.best != after.best))
        clusters = np.unique(self._clusters[rows[speaks_otherwise]])
        members = np.flatnonzero(np.isin(self._clusters, clusters))
        alone = self._alone.take(members)
        said = cluster_candidates(
            self._clusters[members], alone.best, alone.confidence >= SURE, self._targets
        )
        for member, candidates in zip(members, said, strict=True):
            self._in_cluster[member] = candidates
        return np.union1d(rows, members)

    def _pooled(self, rows: "NDArray[np.int64]", scores: "NDArray[np.float64]") -> Verdicts:
        """Returns the verdicts of rows; what a person decided is certain."""
        verdicts = pool(scores, self._prior, self._calibration)
        for place in np.flatnonzero(self._settled[rows] >= 0):
            verdicts.settle(int(place), int(self._settled[rows[place]]))
        return verdicts

    def _opinion(self, method: ProposalMethod, said: Sequence[Sequence[Hint]]) -> Opinion:
        return ranked_opinion(method, said, self._targets, self._calibration)

    def _shown(self) -> "tuple[NDArray[Any], ...]":
        """Returns what tells whether a class's proposal is another: columns of all classes."""
        best = np.array(self._targets.columns, dtype=object)[self._verdicts.best]
        return best, self._verdicts.confidence.copy(), self._settled >= 0

    def _proposal(self, row: int) -> Proposal:
        proposed = self._proposed(row)
        if proposed.tier == "decided":
            return proposed._replace(evidence="a person decided so")
        target, other = proposed.proposed_label or IGNORE, proposed.runner_up or IGNORE
        return proposed._replace(evidence=evidence(*self._reasons(row, target, other), other))

    def _proposed(self, row: int) -> Proposal:
        """Returns what is proposed of a class; the evidence, which takes longest, is empty."""
        verdicts, columns = self._verdicts, self._targets.columns
        choice = choose(
            (columns[verdicts.best[row]], columns[verdicts.second[row]]),
            (float(verdicts.confidence[row]), float(verdicts.second_confidence[row])),
            self._calibration,
            may_ignore=self._may_ignore(row),
            is_doubted=any(opinion.doubts_outright[row] for opinion in self._fixed),
        )
        qid, label, landmarks, cluster_id, similarity = self._rows[row]
        return Proposal(
            qid,
            label,
            landmarks,
            cluster_id,
            similarity,
            choice.target or None,
            # Of a class to ignore that of its next best, for a reviewer who would keep it.
            self._side(choice.target or choice.runner_up),
            choice.action,
            choice.confidence,
            "decided" if qid in self._decisions else choice.tier,
            "",
            choice.runner_up or None,
            choice.runner_up_confidence,
        )

    def _may_ignore(self, row: int) -> bool:
        """Says whether a class is ignored where that is likeliest.

        Something must say so; else it must be likelier than where nothing is known, and the
        taxonomy must not want a person to look.
        """
        changing = (said[row] for said in self._said.values())
        says_so = (
            bool(self._settled[row] >= 0)
            or any(opinion.ignores[row] for opinion in self._fixed)
            or any(says_ignore(ranked) for ranked in (*changing, self._in_cluster[row]))
        )
        is_doubted = any(opinion.doubts[row] for opinion in self._fixed)
        confidence = self._verdicts.confidence[row]
        return says_so or bool(not is_doubted and confidence >= self._calibration.ignore_from)

    def _reasons(self, row: int, target: str, other: str) -> tuple[list[Reason], list[Reason]]:
        """Returns the reasons for a target, and those for another of methods that prefer it."""
        first, second = self._targets.number[target], self._targets.number[other]
        speaking, against = [], []
        for opinion in self._fixed:
            for_first, for_second = (
                opinion.log_ratio[row, column] if column < opinion.log_ratio.shape[1] else -np.inf
                for column in (first, second)
            )
            if for_first > 0:
                speaking.append(Reason(for_first, opinion.words(row, target)))
            if for_second > max(for_first, 0):
                against.append(Reason(for_second - for_first, opinion.words(row, other)))
        said = [(each[row], self._changing[method][row]) for method, each in self._said.items()]
        if "cluster" in self._methods and self._in_cluster[row]:
            candidates = self._in_cluster[row]
            said.append((candidates, self._opinion("cluster", [candidates]).log_ratio[0]))
        for candidates, ratio in said:
            speaking.append(Reason(ratio[first], first_words(candidates, target)))
            if ratio[second] > ratio[first]:
                words = first_words(candidates, other)
                against.append(Reason(ratio[second] - ratio[first], words))
        return speaking, against

    def _side(self, label: str) -> str | None:
        """Returns the side of a super-category: the taxonomy's, else what most decisions say."""
        if label == IGNORE:
            return None
        if label in self._material.knowledge.sides:
            return self._material.knowledge.sides[label]
        sides = Counter(
            decision.natural_or_human_made
            for decision in self._decisions.values()
            if decision.hierarchical_label == label and decision.natural_or_human_made
        )
        return min(sides, key=lambda side: (-sides[side], side), default=None)
