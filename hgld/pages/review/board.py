"""What is decided and proposed of each class now, as columns; and the groups they stand in."""

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import Proposal
from hgld.pages.review.classes import ReviewClasses
from hgld.pages.review.names import NO_NAME, OPEN, NameBook
from hgld.pages.review.wording import EVIDENCE_SOURCES, evidence_source
from hgld.review.log.events import Event
from hgld.review.log.history import Standing, standing_of


class Board:
    """The state of the review. Everything is told by the log, the tables and the proposals."""

    def __init__(
        self, classes: ReviewClasses, proposals: Sequence[Proposal], names: NameBook
    ) -> None:
        """Starts with nothing decided."""
        n = len(classes)
        self.classes, self.names = classes, names
        self.standing = Standing()
        """What the edits come to that count."""
        self.proposals = list(proposals)
        self.version = 0
        """Of the decisions that the proposals rest on."""
        self.decided: NDArray[np.int64] = np.full(n, OPEN)
        """Number of the super-category, NO_NAME or OPEN."""
        self.proposed: NDArray[np.int64] = np.zeros(n, np.int64)
        self.runner_up: NDArray[np.int64] = np.zeros(n, np.int64)
        self.confidence: NDArray[np.float64] = np.zeros(n)
        self.other_confidence: NDArray[np.float64] = np.zeros(n)
        self.asks: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self.is_doubted: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self.has_comment: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self.source: NDArray[np.int8] = np.zeros(n, np.int8)
        """Place of the evidence's source in EVIDENCE_SOURCES."""
        self.reviewer: NDArray[np.object_] = np.full(n, "", dtype=object)
        """Who decided; empty while it is open."""
        self.group_ids = [f"c{number}" for number in sorted(set(classes.clusters))]
        self.group_number = {group: number for number, group in enumerate(self.group_ids)}
        self._home = np.array([self.group_number[f"c{each}"] for each in classes.clusters])
        self.group: NDArray[np.int64] = self._home.copy()
        self.revision = self.membership = 0
        """Raised with every change, and with every change of groups."""
        self.used: set[int] = set()
        """Numbers of the super-categories that classes are decided as, ones that are gone too."""
        self._events: list[Event] = []
        self.standing_at = functools.lru_cache(maxsize=1)(
            functools.partial(standing_of, self._events)
        )
        """Returns what the edits came to that counted after a line."""
        self._earlier: dict[int, list[tuple[int, Proposal]]] = defaultdict(list)
        self._learnt: dict[str, Ruling | None] = {}
        for row, proposal in enumerate(self.proposals):
            self._put(row, proposal)

    def take_up(self, new: Sequence[Event]) -> dict[str, Ruling | None]:
        """Takes up events: the last of the log, which were not taken up yet.

        Returns:
            What differs for who scores proposals.
        """
        touched: set[str] = set()
        for event in new:
            self._events.append(event)
            if event.is_edit:
                self.standing.count(event)
            for number in (event.number, *event.off, *event.on):
                touched.update(self._events[number - 1].classes)
        if not all(event.is_edit for event in new):  # which takes 57 ms at 10,000 edits
            self.standing = standing_of(self._events)
        return self._renew(touched)

    def put(self, version: int, proposals: Iterable[Proposal]) -> bool:
        """Takes up proposals that were scored again.

        Args:
            version: of the decisions that they rest on.
            proposals: those that may be others.

        Returns:
            Whether one of an open class is another to a person.
        """
        is_other = False
        for proposal in proposals:
            row = self.classes.row[proposal.class_qid]
            before = self.proposals[row]
            if proposal.tier == "decided" and before.tier != "decided":
                continue  # what was proposed while it was open is shown where it is undone
            if _accepted(before) != _accepted(proposal):
                self._earlier[row].append((version, before))
                is_other |= self.decided[row] == OPEN and before.tier != "decided"
            self._put(row, proposal)
        self.version = version
        self.revision += 1
        return is_other

    def shown_at(self, row: int, version: int | None) -> Proposal:
        """Returns what was proposed of a class to who saw the proposals of a version; None: now."""
        seen = self.version if version is None else version
        earlier = (proposal for until, proposal in self._earlier.get(row, ()) if until > seen)
        return next(earlier, self.proposals[row])

    @property
    def line(self) -> int:
        """The last line of the log that was taken up."""
        return len(self._events)

    @property
    def answer(self) -> NDArray[np.int64]:
        """What each class is, or is proposed to be."""
        return np.where(self.decided == OPEN, self.names.current[self.proposed], self.decided)

    def answer_of(self, row: int) -> int:
        """Returns what one class is, or is proposed to be."""
        decided = int(self.decided[row])
        return int(self.names.current[self.proposed[row]]) if decided == OPEN else decided

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """Whether nothing is decided on each class."""
        return np.asarray(self.decided == OPEN)

    @property
    def is_unsure(self) -> NDArray[np.bool_]:
        """Whether each class is open and a person is to look at it by itself."""
        return np.asarray(self.is_open & (self.asks | self.is_doubted))

    @property
    def is_sure(self) -> NDArray[np.bool_]:
        """Whether each class is open and one key accepts its proposal for the whole group."""
        return np.asarray(self.is_open & ~self.asks & ~self.is_doubted)

    def members(self, group: str) -> NDArray[np.int64]:
        """Returns the classes of a group, in their order; none where there is no such group."""
        return np.flatnonzero(self.group == self.group_number.get(group, -1))

    def group_of(self, row: int) -> str:
        """Returns the group in which a class stands."""
        return self.group_ids[int(self.group[row])]

    def home_of(self, row: int) -> str:
        """Returns the cluster of a class, wherever it stands."""
        return self.group_ids[int(self._home[row])]

    def homes_of(self, number: int) -> set[int]:
        """Returns the clusters, as numbers of groups, from which the classes of a group come."""
        return set(self._home[self.group == number].tolist())

    def _put(self, row: int, proposal: Proposal) -> None:
        self.proposals[row] = proposal
        label, side = proposal.proposed_label, proposal.proposed_natural_or_human_made
        self.proposed[row] = self.names.number(label, side)
        self.runner_up[row] = self.names.number(proposal.runner_up)
        self.confidence[row] = proposal.confidence
        self.other_confidence[row] = proposal.runner_up_confidence
        self.asks[row] = proposal.proposed_action == "ask"
        self.source[row] = EVIDENCE_SOURCES.index(evidence_source(proposal.evidence))

    def _renew(self, touched: set[str]) -> dict[str, Ruling | None]:
        rulings = self.standing.rulings
        is_other = self.names.take_up(self.standing)
        for qid in touched & self.classes.row.keys():
            self._renew_row(self.classes.row[qid], qid)
        named = {word.change.hierarchical_label for word in rulings.values()}
        self.used = set(map(self.names.number, named)) - {NO_NAME}
        asked = touched | rulings.keys() if is_other else touched
        found = {qid: self._ruling(qid) for qid in asked}
        changed = {qid: one for qid, one in found.items() if one != self._learnt.get(qid)}
        self._learnt.update(changed)
        self.revision += 1
        return changed

    def _renew_row(self, row: int, qid: str) -> None:
        standing = self.standing
        self.decided[row] = self._decided(qid)
        is_open = self.decided[row] == OPEN
        self.reviewer[row] = "" if is_open else standing.rulings[qid].event.reviewer
        self.is_doubted[row] = qid in standing.doubts
        self.has_comment[row] = qid in standing.comments
        number = self._home[row]
        if group := standing.groups.get(qid):
            number = self.group_number.setdefault(group, len(self.group_ids))
            if number == len(self.group_ids):
                self.group_ids.append(group)
        self.membership += int(number != self.group[row])
        self.group[row] = number

    def _decided(self, qid: str) -> int:
        word = self.standing.rulings.get(qid)
        if word is None or word.change.effect == "clear":
            return OPEN
        return self.names.number(word.change.hierarchical_label)

    def _ruling(self, qid: str) -> Ruling | None:
        number = self._decided(qid)
        if number == OPEN:
            return None
        if number == NO_NAME:
            return Ruling(IGNORE)
        label = self.names.learnt(number)
        is_shipped = self.names.number(label) < self.names.shipped
        return Ruling(label, None if is_shipped else self.names.now(number).natural_or_human_made)


def _accepted(proposal: Proposal) -> tuple[str | None, ...]:
    """Returns what of a proposal is accepted: two with the same are the same to a person."""
    label, side = proposal.proposed_label, proposal.proposed_natural_or_human_made
    return (label, side, proposal.proposed_action)
