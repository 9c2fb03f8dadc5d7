"""What is decided and proposed of each class now, as columns; and the groups they stand in."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import Proposal
from hgld.pages.review.classes import ReviewClasses
from hgld.pages.review.names import NO_NAME, OPEN, NameBook
from hgld.review.log.events import Event, label_key
from hgld.review.log.history import Standing, standing_of


class Shown(NamedTuple):
    """What of a proposal is accepted: two that are equal here are the same to a person."""

    label: str | None
    side: str | None
    action: str


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
        self.group_ids = [f"c{number}" for number in sorted(set(classes.clusters))]
        self.group_number = {group: number for number, group in enumerate(self.group_ids)}
        self._home = np.array([self.group_number[f"c{each}"] for each in classes.clusters])
        self.group: NDArray[np.int64] = self._home.copy()
        self.revision = self.membership = 0
        """Raised with every change, and with every change of groups."""
        self._events: dict[int, Event] = {}
        self._past: tuple[int, Standing] | None = None
        self._elsewhere: tuple[int, frozenset[str]] = (-1, frozenset())
        self._earlier: dict[int, list[tuple[int, Shown]]] = defaultdict(list)
        self._learnt: dict[str, Ruling] = {}
        for row, proposal in enumerate(self.proposals):
            self._put(row, proposal)

    def replay(self, events: Sequence[Event]) -> dict[str, Ruling | None]:
        """Takes up a whole log; returns what differs for who scores proposals."""
        self.standing = standing_of(events)
        self._events = {event.number: event for event in events}
        self._past = None
        return self._renew({qid for event in events for qid in event.classes})

    def take_up(self, new: Sequence[Event]) -> dict[str, Ruling | None]:
        """Takes up events: the last of the log, which were not taken up yet.

        Returns:
            What differs for who scores proposals.
        """
        touched: set[str] = set()
        for event in new:
            self._events[event.number] = event
            if event.is_edit:
                self.standing.count(event)
            for number in (event.number, *event.off, *event.on):
                if number in self._events:
                    touched.update(self._events[number].classes)
        if not all(event.is_edit for event in new):  # which takes 57 ms at 10,000 edits
            self.standing = standing_of([*self._events.values()])
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
            if (was := shown_of(before)) != shown_of(proposal):
                self._earlier[row].append((version, was))
                is_other |= self.decided[row] == OPEN and before.tier != "decided"
            self._put(row, proposal)
        self.version = version
        self.revision += 1
        return is_other

    def shown_at(self, row: int, version: int | None) -> Shown:
        """Returns what was proposed of a class to who saw the proposals of a version."""
        if version is not None:
            for until, shown in self._earlier.get(row, ()):
                if until > version:
                    return shown
        return shown_of(self.proposals[row])

    @property
    def line(self) -> int:
        """The last line of the log that was taken up."""
        return next(reversed(self._events), 0)

    def standing_at(self, line: int) -> Standing:
        """Returns what the edits came to that counted after a line."""
        if self._past is None or self._past[0] != line:
            self._past = (line, standing_of(tuple(self._events.values()), line))
        return self._past[1]

    @property
    def names_elsewhere(self) -> frozenset[str]:
        """`label_key` of each name that a class is decided as that left the build."""
        if self._elsewhere[0] != self.revision:
            rulings = self.standing.rulings
            changes = [rulings[qid].change for qid in rulings.keys() - self.classes.row.keys()]
            names = (one.hierarchical_label or "" for one in changes if one.effect == "assign")
            self._elsewhere = (self.revision, frozenset(map(label_key, names)))
        return self._elsewhere[1]

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

    def members(self, group: str) -> NDArray[np.int64]:
        """Returns the classes of a group, in their order; none where there is no such group."""
        number = self.group_number.get(group)
        return np.flatnonzero(self.group == number) if number is not None else np.zeros(0, np.int64)

    def group_of(self, row: int) -> str:
        """Returns the group in which a class stands."""
        return self.group_ids[int(self.group[row])]

    def home_of(self, row: int) -> str:
        """Returns the cluster of a class, wherever it stands."""
        return self.group_ids[int(self._home[row])]

    def homes_of(self, number: int) -> set[int]:
        """Returns the clusters, as numbers of groups, from which the classes of a group come."""
        return set(self._home[self.group == number].tolist())

    def rulings(self) -> dict[str, Ruling]:
        """Returns the decisions in force, for who scores proposals."""
        return dict(self._learnt)

    def _put(self, row: int, proposal: Proposal) -> None:
        self.proposals[row] = proposal
        label, side = proposal.proposed_label, proposal.proposed_natural_or_human_made
        self.proposed[row] = self.names.number(label, side if label is not None else None)
        self.runner_up[row] = self.names.number(proposal.runner_up)
        self.confidence[row] = proposal.confidence
        self.other_confidence[row] = proposal.runner_up_confidence
        self.asks[row] = proposal.proposed_action == "ask"

    def _renew(self, touched: set[str]) -> dict[str, Ruling | None]:
        standing = self.standing
        is_other = self.names.take_up(standing)
        for qid in touched:
            row = self.classes.row.get(qid)
            if row is not None:
                self._renew_row(row, qid)
        asked = touched | standing.rulings.keys() if is_other else touched
        changed: dict[str, Ruling | None] = {}
        for qid in asked:
            ruling = self._ruling(qid)
            if ruling == self._learnt.get(qid):
                continue
            changed[qid] = ruling
            if ruling is None:
                del self._learnt[qid]
            else:
                self._learnt[qid] = ruling
        self.revision += 1
        return changed

    def _renew_row(self, row: int, qid: str) -> None:
        self.decided[row] = self._decided(qid)
        self.is_doubted[row] = qid in self.standing.doubts
        self.has_comment[row] = qid in self.standing.comments
        group = self.standing.groups.get(qid)
        number = self._home[row] if group is None else self._number_of_group(group)
        if number != self.group[row]:
            self.group[row] = number
            self.membership += 1

    def _number_of_group(self, group: str) -> int:
        if group not in self.group_number:
            self.group_number[group] = len(self.group_ids)
            self.group_ids.append(group)
        return self.group_number[group]

    def _decided(self, qid: str) -> int:
        word = self.standing.rulings.get(qid)
        if word is None or word.change.effect == "clear":
            return OPEN
        if word.change.effect == "ignore":
            return NO_NAME
        return self.names.number(word.change.hierarchical_label)

    def _ruling(self, qid: str) -> Ruling | None:
        number = self._decided(qid)
        if number == OPEN:
            return None
        if number == NO_NAME:
            return Ruling(IGNORE)
        label = self.names.learnt(number)
        known = self.names.find(label)
        is_shipped = known is not None and known < self.names.shipped
        return Ruling(label, None if is_shipped else self.names.now(number).natural_or_human_made)


def shown_of(proposal: Proposal) -> Shown:
    """Returns what of a proposal is accepted."""
    label = proposal.proposed_label
    side = proposal.proposed_natural_or_human_made if label is not None else None
    return Shown(label, side, proposal.proposed_action)
