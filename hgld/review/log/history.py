"""The state that the events of a log add up to.

Switches determine which edits are active. The active edit with the highest number on a class is in
force; an edit that is turned on again keeps its number. So an undone edit is never lost, an edit in
the middle can be undone by itself, and two people who undo their own last edits do not interfere.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hgld.review.log.events import Change, Event, label_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's decision on a class."""

    decided_at: str
    """ISO 8601, UTC."""
    reviewer: str
    class_qid: str
    class_label: str
    """The label at the time of the decision, for information only."""
    action: Literal["assign", "ignore"]
    hierarchical_label: str | None = None
    """The super-category; None if the class is ignored."""
    natural_or_human_made: str | None = None
    """None if the class is ignored."""
    note: str = ""

    @property
    def content(self) -> tuple[str | None, ...]:
        """The decision without its time and reviewer."""
        return (self.action, self.hierarchical_label, self.natural_or_human_made, self.note)


class Word(NamedTuple):
    """A change of an active edit, with its event."""

    event: Event
    change: Change


@dataclass(slots=True, kw_only=True)
class Standing:
    """The state that the active edits add up to."""

    active: set[int] = field(default_factory=set)
    """Numbers of the active edits."""
    rulings: dict[str, Word] = field(default_factory=dict)
    """class_qid to the edit in force on it; its effect may be `clear`."""
    groups: dict[str, str] = field(default_factory=dict)
    """class_qid to its working group, if it is not in its cluster."""
    comments: dict[str, list[Word]] = field(default_factory=lambda: defaultdict(list))
    """class_qid to the remarks on it, oldest first."""
    doubts: dict[str, Word] = field(default_factory=dict)
    """class_qid to the edit that marks it as doubtful."""
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """label_key of a super-category to its spelling and side in the last edit."""
    renamed: dict[str, str] = field(default_factory=dict)
    """label_key of a super-category to its new name."""
    opinions: dict[str, dict[str, Word]] = field(default_factory=lambda: defaultdict(dict))
    """Reviewer to class_qid to their last blind answer, which decides nothing."""
    samples: list[Word] = field(default_factory=list)
    """Samples for blind second opinions, oldest first."""
    fills: dict[str, list[Word]] = field(default_factory=lambda: defaultdict(list))
    """Category to the edits about its super-category, oldest first; see `category_rulings`."""

    def count(self, event: Event) -> None:
        """Adds an active edit; edits are added in the order of their numbers."""
        self.active.add(event.number)
        for change in event.changes:
            word, classes = Word(event, change), change.classes
            match change.effect:
                case "assign" | "ignore" | "clear":
                    self.rulings.update(dict.fromkeys(classes, word))
                    self._name(change)
                case "fill" | "refuse":
                    for category in change.categories:
                        self.fills[category].append(word)
                case "sample":
                    self.samples.append(word)
                case "opinion" | "unsure":
                    self.opinions[event.reviewer].update(dict.fromkeys(classes, word))
                case _:
                    self._mark(word)

    def _mark(self, word: Word) -> None:
        """Records a change that marks classes without deciding on them."""
        change, classes = word.change, word.change.classes
        match change.effect:
            case "comment":
                for qid in classes:
                    self.comments[qid].append(word)
            case "doubt":
                self.doubts.update(dict.fromkeys(classes, word))
            case "trust":
                _drop(self.doubts, classes)
            case "group" if change.group is not None:
                self.groups.update(dict.fromkeys(classes, change.group))
            case "group":
                _drop(self.groups, classes)

    def _name(self, change: Change) -> None:
        """Records the name that a change gives a super-category."""
        label, side = change.hierarchical_label, change.natural_or_human_made
        if change.effect != "assign" or label is None or side is None:
            return
        key = label_key(label)
        self.names[key] = (label, side)
        self.renamed.pop(key, None)
        if change.renamed_from and label_key(change.renamed_from) != key:
            self.renamed[label_key(change.renamed_from)] = label

    def decision(self, qid: str) -> Decision | None:
        """Returns the decision in force on a class, or None if the class is open.

        If edits differ in the spelling or side of a super-category, the last edit counts for all
        its classes.
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
        """Returns the current name of a super-category, in its current spelling."""
        # This ends: naming a super-category removes its new name from `renamed`.
        while (key := label_key(label)) in self.renamed:
            label = self.renamed[key]
        return self.names[key][0] if key in self.names else label


def _drop(found: dict[str, Word] | dict[str, str], keys: Iterable[str]) -> None:
    for key in keys:
        found.pop(key, None)


def active_edits(events: Iterable[Event], line: int | None = None) -> set[int]:
    """Returns the numbers of the active edits.

    Args:
        events: of the whole log, in order.
        line: the state after this line; None: after the last one.
    """
    active = set[int]()
    for event in events:
        if line is not None and event.number > line:
            break
        active.difference_update(event.off)
        active.update((event.number,) if event.is_edit else event.on)
    return active


def standing_of(events: Sequence[Event], line: int | None = None) -> Standing:
    """Replays a log.

    Args:
        events: of the whole log, in order.
        line: the state after this line; None: after the last one.
    """
    active, standing = active_edits(events, line), Standing()
    for event in events:
        if event.number in active:
            standing.count(event)
    return standing


class FillRuling(NamedTuple):
    """A person's ruling on a guess: whether a category belongs to a super-category."""

    category: str
    action: Literal["accept", "refuse"]
    hierarchical_label: str
    """Its current name."""
    natural_or_human_made: str
    word: Word
    """The edit that made the ruling."""


def category_rulings(standing: Standing, category: str) -> list[FillRuling]:
    """Returns the rulings in force on a category: its super-category, and those ruled out.

    The last ruling on each super-category counts, and only the last accepted one is kept. It comes
    first; refusals follow, sorted by name. Renamed super-categories have their new names.
    """
    stands: dict[str, FillRuling] = {}
    for word in standing.fills.get(category, ()):
        label, side = word.change.hierarchical_label or "", word.change.natural_or_human_made or ""
        name = name_now(standing, label, side)
        if word.change.effect == "fill":
            stands = {key: one for key, one in stands.items() if one.action == "refuse"}
            stands[label_key(name[0])] = FillRuling(category, "accept", *name, word)
        else:
            stands[label_key(name[0])] = FillRuling(category, "refuse", *name, word)
    return [stands[key] for key in sorted(stands, key=lambda key: (stands[key].action, key))]


def name_now(standing: Standing, label: str, side: str) -> tuple[str, str]:
    """Returns the current name and side of a super-category, as its classes have them.

    A super-category without classes keeps its name and the given side.
    """
    now = standing.current_name(label)
    return standing.names.get(label_key(now), (now, side))
