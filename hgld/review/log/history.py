"""What the events of a log come to, and how one of them, or many, are taken back.

Which edits count is told by the switches. Of those that count the last on a class is in force, in
the order of their numbers: an edit that counts again takes its old place. So an undone edit is
never lost, one from the middle can be taken back alone, and two persons who undo their own last
edits do not meet.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hgld.review.log.events import Change, Event, label_key

_COPY_EVERY = 64  # edits: to replay as many of whole clusters takes 0.5 ms
_COPIES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided on a class."""

    decided_at: str
    """ISO 8601, UTC."""
    reviewer: str
    class_qid: str
    class_label: str
    """As it was when the decision was made; the Q-id is what counts."""
    action: Literal["assign", "ignore"]
    hierarchical_label: str | None = None
    """The super-category; null where the class is ignored."""
    natural_or_human_made: str | None = None
    """Null where the class is ignored."""
    note: str = ""

    @property
    def content(self) -> tuple[str | None, ...]:
        """What was decided, without when and by whom."""
        if self.action == "ignore":
            return (self.action, None, None, self.note)
        return (self.action, self.hierarchical_label, self.natural_or_human_made, self.note)


class Word(NamedTuple):
    """What an edit that counts says of a class."""

    event: Event
    change: Change


@dataclass(slots=True, kw_only=True)
class Standing:
    """What the edits that count come to."""

    active: set[int] = field(default_factory=set)
    """Numbers of the edits that count."""
    rulings: dict[str, Word] = field(default_factory=dict)
    """class_qid to the edit in force on it; its effect may be `clear`."""
    groups: dict[str, str] = field(default_factory=dict)
    """class_qid to its working group, where that is not its cluster."""
    comments: dict[str, list[Word]] = field(default_factory=lambda: defaultdict(list))
    """class_qid to the remarks on it, the first one first."""
    doubts: dict[str, Word] = field(default_factory=dict)
    """class_qid to the edit that calls it doubtful."""
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """label_key of a super-category to its spelling and side, as the last edit has them."""
    renamed: dict[str, str] = field(default_factory=dict)
    """label_key of a super-category to what it was renamed to."""
    opinions: dict[str, dict[str, Word]] = field(default_factory=lambda: defaultdict(dict))
    """Reviewer to class_qid to the last answer they gave blind; it decides nothing."""
    samples: list[Word] = field(default_factory=list)
    """What reviewers are asked blind, the first one first."""
    fills: dict[str, list[Word]] = field(default_factory=lambda: defaultdict(list))
    """Category to what was said of its super-category, the first one first; it decides on no class.
    What that comes to: `category_rulings`."""

    def copy(self) -> "Standing":
        """Returns one of the same edits, which goes on by itself."""
        return Standing(
            active=set(self.active),
            rulings=dict(self.rulings),
            groups=dict(self.groups),
            comments=_copied(self.comments),
            doubts=dict(self.doubts),
            names=dict(self.names),
            renamed=dict(self.renamed),
            opinions=defaultdict(dict, {who: dict(said) for who, said in self.opinions.items()}),
            samples=list(self.samples),
            fills=_copied(self.fills),
        )

    def count(self, event: Event) -> None:
        """Takes up an edit after all that were taken up."""
        self.active.add(event.number)
        for change in event.changes:
            word = Word(event, change)
            if change.decides:
                self._rule(word)
            elif change.is_of_categories:
                for category in change.categories:
                    self.fills[category].append(word)
            elif change.effect == "comment":
                for qid in change.classes:
                    self.comments[qid].append(word)
            elif change.is_blind:
                self._ask(word)
            else:
                self._mark(word)

    def _mark(self, word: Word) -> None:
        classes, group = word.change.classes, word.change.group
        match word.change.effect:
            case "doubt":
                self.doubts.update(dict.fromkeys(classes, word))
            case "trust":
                for qid in classes:
                    self.doubts.pop(qid, None)
            case _ if group is not None:
                self.groups.update(dict.fromkeys(classes, group))
            case _:
                for qid in classes:
                    self.groups.pop(qid, None)

    def _ask(self, word: Word) -> None:
        match word.change.effect:
            case "sample":
                self.samples.append(word)
            case "opinion" | "unsure":
                opinions = self.opinions[word.event.reviewer]
                opinions.update(dict.fromkeys(word.change.classes, word))

    def _rule(self, word: Word) -> None:
        change = word.change
        self.rulings.update(dict.fromkeys(change.classes, word))
        label, side = change.hierarchical_label, change.natural_or_human_made
        if change.effect != "assign" or label is None or side is None:
            return
        key = label_key(label)
        self.names[key] = (label, side)
        self.renamed.pop(key, None)
        if change.renamed_from and label_key(change.renamed_from) != key:
            self.renamed[label_key(change.renamed_from)] = label

    def decision(self, qid: str) -> Decision | None:
        """Returns the decision in force on a class, or None where it is open.

        Where two edits spell a super-category in two ways, or have it on two sides, the last one
        counts for all its classes.
        """
        word = self.rulings.get(qid)
        if word is None or word.change.effect == "clear":
            return None
        event, change = word
        is_assigned, label, side = change.effect == "assign", None, None
        if is_assigned and change.hierarchical_label is not None:
            label, side = self.names[label_key(change.hierarchical_label)]
        return Decision(
            decided_at=event.decided_at,
            reviewer=event.reviewer,
            class_qid=qid,
            class_label=change.classes[qid],
            action="assign" if is_assigned else "ignore",
            hierarchical_label=label,
            natural_or_human_made=side,
            note=change.note,
        )

    def decisions(self) -> dict[str, Decision]:
        """Returns the decision in force on each class that has one, by `class_qid`."""
        found = ((qid, self.decision(qid)) for qid in self.rulings)
        return {qid: one for qid, one in found if one is not None}

    def current_name(self, label: str) -> str:
        """Returns what a super-category is called now: as it was renamed, or as it is spelt."""
        key, seen = label_key(label), set[str]()
        while key in self.renamed and key not in seen:
            seen.add(key)
            label = self.renamed[key]
            key = label_key(label)
        return self.names[key][0] if key in self.names else label


def active_edits(events: Iterable[Event], line: int | None = None) -> set[int]:
    """Returns the numbers of the edits that count.

    A switch bears on earlier edits alone: another number that it names, in a log that was written
    by hand, means nothing.

    Args:
        events: of the whole log, in order.
        line: as of this line; None: now.
    """
    active: set[int] = set()
    edits: set[int] = set()
    for event in events:
        if line is not None and event.number > line:
            break
        if event.is_edit:
            active.add(event.number)
            edits.add(event.number)
        else:
            active.difference_update(event.off)
            active.update(edits.intersection(event.on))
    return active


def standing_of(events: Sequence[Event], line: int | None = None) -> Standing:
    """Replays a log.

    Args:
        events: of the whole log, in order.
        line: as of this line; None: now.
    """
    active, standing = active_edits(events, line), Standing()
    for event in events:
        if event.number in active:
            standing.count(event)
    return standing


class RunningStanding:
    """What a log comes to that grows.

    Where edits are switched, those since the last copy before them are replayed, and not all: to
    undo the last of 10,000 would take 57 ms, and takes 3.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Takes up events, in their order."""
        self.now = Standing()
        """As `standing_of` all events."""
        self._edits: dict[int, Event] = {}
        self._numbers: list[int] = []
        self._copies: list[tuple[int, Standing]] = []
        """Number of an edit, and what those up to it come to; the last ones."""
        self._since = 0
        """Edits that count since the last copy."""
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Goes on by an event."""
        if event.is_edit:
            self._edits[event.number] = event
            self._numbers.append(event.number)
            self._count(event)
            return
        active = self.now.active.difference(event.off)
        active.update(number for number in event.on if number in self._edits)
        first = min((*event.off, *event.on))
        while self._copies and self._copies[-1][0] >= first:
            self._copies.pop()
        last, copy = self._copies[-1] if self._copies else (0, Standing())
        self.now, self._since = copy.copy(), 0
        for number in self._numbers[bisect_right(self._numbers, last) :]:
            if number in active:
                self._count(self._edits[number])

    def _count(self, edit: Event) -> None:
        self.now.count(edit)
        self._since += 1
        if self._since == _COPY_EVERY:
            self._copies = [*self._copies[1 - _COPIES :], (edit.number, self.now.copy())]
            self._since = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRuling:
    """What a person said of a category and a super-category, as a guess proposed it."""

    category: str
    action: Literal["accept", "refuse"]
    hierarchical_label: str
    """As it is called now."""
    natural_or_human_made: str
    word: Word
    """The edit that says so."""


@dataclass(frozen=True, slots=True)
class CategoryRulings:
    """All that stands of one category."""

    accepted: FillRuling | None = None
    refused: dict[str, FillRuling] = field(default_factory=dict)
    """By label_key."""

    def rows(self) -> list[FillRuling]:
        """Returns what was accepted, then what was refused, by name."""
        refused = [self.refused[key] for key in sorted(self.refused)]
        return refused if self.accepted is None else [self.accepted, *refused]


def category_rulings(standing: Standing, category: str) -> CategoryRulings:
    """Returns what stands of a category: which super-category it has, and which it does not have.

    Of what was said of one super-category the last counts. A category has at most one, which was
    accepted last; refusals of others stand beside it. A super-category that was renamed has its new
    name here as well.
    """
    accepted: FillRuling | None = None
    refused: dict[str, FillRuling] = {}
    for word in standing.fills.get(category, ()):
        change = word.change
        label, side = name_now(
            standing, change.hierarchical_label or "", change.natural_or_human_made or ""
        )
        ruling = FillRuling(
            category=category,
            action="accept" if change.effect == "fill" else "refuse",
            hierarchical_label=label,
            natural_or_human_made=side,
            word=word,
        )
        key = label_key(label)
        if ruling.action == "accept":
            accepted = ruling
            refused.pop(key, None)
            continue
        refused[key] = ruling
        if accepted is not None and label_key(accepted.hierarchical_label) == key:
            accepted = None
    return CategoryRulings(accepted, refused)


def name_now(standing: Standing, label: str, side: str) -> tuple[str, str]:
    """Returns what a super-category is called now, and its side: as the classes have them.

    One that no class has keeps its name and this side.
    """
    now = standing.current_name(label)
    return standing.names.get(label_key(now), (now, side))


def _copied(said: Mapping[str, list[Word]]) -> dict[str, list[Word]]:
    return defaultdict(list, {key: list(words) for key, words in said.items()})
