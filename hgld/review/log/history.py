"""What the events of a log add up to.

The switches say which edits count. Of those, the last one on a class is in force, in the order of
their numbers: an edit that counts again takes its old place. So an undone edit is never lost, one
in the middle can be taken back by itself, and two persons who undo their own last edits do not
disturb each other.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hgld.review.log.events import Change, Event, label_key


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
        return (self.action, self.hierarchical_label, self.natural_or_human_made, self.note)


class Word(NamedTuple):
    """What an edit that counts says of a class."""

    event: Event
    change: Change


@dataclass(slots=True, kw_only=True)
class Standing:
    """What the edits that count add up to."""

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

    def count(self, event: Event) -> None:
        """Counts an edit, after all that were counted before."""
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
        """Notes what an edit says of classes without deciding on them."""
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
        """Notes how an edit calls a super-category."""
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
        # No circle: what a name was changed to is in use then, and so not renamed itself.
        while (key := label_key(label)) in self.renamed:
            label = self.renamed[key]
        return self.names[key][0] if key in self.names else label


def _drop(found: dict[str, Word] | dict[str, str], keys: Iterable[str]) -> None:
    for key in keys:
        found.pop(key, None)


def active_edits(events: Iterable[Event], line: int | None = None) -> set[int]:
    """Returns the numbers of the edits that count.

    Args:
        events: of the whole log, in order.
        line: as of this line; None: now.
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
        line: as of this line; None: now.
    """
    active, standing = active_edits(events, line), Standing()
    for event in events:
        if event.number in active:
            standing.count(event)
    return standing


class FillRuling(NamedTuple):
    """What a person said of a category and a super-category, as a guess proposed it."""

    category: str
    action: Literal["accept", "refuse"]
    hierarchical_label: str
    """As it is called now."""
    natural_or_human_made: str
    word: Word
    """The edit that says so."""


def category_rulings(standing: Standing, category: str) -> list[FillRuling]:
    """Returns what stands of a category: which super-category it has, and which it does not have.

    Of what was said of one super-category the last counts. A category has at most one, which was
    accepted last, and comes first; refusals of others follow, by name. A super-category that was
    renamed has its new name here as well.
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
    """Returns what a super-category is called now, and its side: as the classes have them.

    One that no class has keeps its name and this side.
    """
    now = standing.current_name(label)
    return standing.names.get(label_key(now), (now, side))
