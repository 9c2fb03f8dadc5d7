"""What a person did, as one line of the log: who, when, why, and what it says of which classes.

An event is an *edit*, which says something of classes or of categories, or a *switch*, which makes
earlier edits count no more (`off`) or again (`on`). Nothing is ever taken out of the log: to undo
is to switch off. A line of an earlier version, or of `append_decisions`, is one decision on one
class; it is read as an edit (`hgld.review.log.decisions`).
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Literal, TypeVar, get_args

from hgld.errors import InputError
from hgld.review.log.texts import check_text, check_typed

Effect = Literal[
    "assign", "ignore", "clear", "group", "comment", "doubt", "trust",
    "opinion", "unsure", "sample", "known", "fill", "refuse"
]  # fmt: skip
"""What becomes of a class: it has a super-category, has none, is open again; is looked at with
others, whatever its cluster; has a remark; is doubtful, or no more. Of a second opinion, which
decides nothing: what somebody says who does not see the decisions, or that they cannot tell; that
they are asked, in this order; and which of those classes are asked since their answer is known.
And what becomes of a category, whose landmarks no class gives a label: they have a super-category,
or do not have this one."""

Edit = Literal[
    "decision", "sheet", "accept", "assign", "ignore", "clear", "rename", "side", "merge", "split",
    "comment", "doubt", "trust", "settle", "import", "sample", "opinion", "fill", "refuse"
]  # fmt: skip
Switch = Literal["undo", "redo", "revert", "restore", "jump"]
EDITS: tuple[Edit, ...] = get_args(Edit)
SWITCHES: tuple[Switch, ...] = get_args(Switch)
_EFFECTS: tuple[Effect, ...] = get_args(Effect)

SIDES = ("natural", "human-made")

_TYPED = ("hierarchical_label", "natural_or_human_made", "group", "renamed_from", "note",
          "of_reviewer")  # fmt: skip
_T = TypeVar("_T", "Change", "Event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an edit says of some classes, or of some categories: the same of each."""

    classes: Mapping[str, str]
    """class_qid to its label as it was then; the Q-id is what counts. Empty: see `categories`."""
    effect: Effect
    categories: tuple[str, ...] = ()
    """fill, refuse: URLs of Commons categories, and no class; any other: none."""
    hierarchical_label: str | None = None
    """assign, opinion, fill, refuse: the super-category. An opinion without one is to ignore the
    classes."""
    natural_or_human_made: str | None = None
    """assign, opinion, fill, refuse: its side."""
    group: str | None = None
    """group: the name of the working group; None puts the classes back into their clusters."""
    renamed_from: str = ""
    """assign: what the super-category was called, where the edit renames it."""
    note: str = ""
    """comment: its text. assign, ignore, doubt: a remark, or nothing. sample: the seed of the draw.
    """
    of_reviewer: str = ""
    """sample: whose decisions it is drawn from."""

    def __post_init__(self) -> None:
        """Checks the change.

        Raises:
            TypeError: something that should be text is none.
            ValueError: no class, or no category, an unknown effect, an assignment without label or
                side, a comment without text, a group without name, a sample of nobody's decisions,
                or text that is no Unicode.
        """
        if self.effect not in _EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(_EFFECTS)}, got {self.effect!r}")
        if self.is_of_categories or self.categories:
            self._check_categories()
        else:
            _check_classes(self.classes)
        _check_texts(note=self.note, renamed_from=self.renamed_from, of_reviewer=self.of_reviewer)
        check_text("hierarchical_label", self.hierarchical_label)
        check_text("natural_or_human_made", self.natural_or_human_made)
        check_text("group", self.group)
        if self.effect == "comment" and not self.note.strip():
            raise ValueError("a comment must have a text; write one, or leave it")
        if self.effect == "group" and self.group is not None and not self.group.strip():
            raise ValueError("a group must have a name; give it one, or put the classes back")
        if self.effect == "sample" and not self.of_reviewer.strip():
            raise ValueError("a sample must say whose decisions it is drawn from; name them")
        has_answer = self.hierarchical_label is not None or self.natural_or_human_made is not None
        has_label = self.effect == "assign" or self.is_of_categories
        if has_label or (self.effect == "opinion" and has_answer):
            self._check_assignment()

    def _check_categories(self) -> None:
        if not self.is_of_categories or self.classes:
            raise ValueError(
                f"{self.effect} must be about categories alone for fill and refuse, and about "
                f"classes alone else; make two changes of it"
            )
        if not isinstance(self.categories, tuple):
            raise TypeError(f"categories must be a list of URLs, got {self.categories!r}")
        if not self.categories:
            raise ValueError(f"{self.effect} must be about a category at least; select one")
        for category in self.categories:
            _check_texts(category=category)

    def _check_assignment(self) -> None:
        if not (self.hierarchical_label or "").strip():
            or_else = "" if self.is_of_categories else ", or choose ignore"
            raise ValueError(f"{self.effect} needs a hierarchical_label; fill it in{or_else}")
        if self.natural_or_human_made not in SIDES:
            what = "a category" if self.is_of_categories else "an assigned class"
            raise ValueError(
                f"natural_or_human_made must be natural or human-made for {what}, got "
                f"{self.natural_or_human_made or 'nothing'!r}; write one of the two"
            )

    @property
    def decides(self) -> bool:
        """Whether it says what the classes are, as `clear` does: nothing."""
        return self.effect in {"assign", "ignore", "clear"}

    @property
    def is_blind(self) -> bool:
        """Whether it is of a second opinion, and so decides nothing."""
        return self.effect in {"opinion", "unsure", "sample", "known"}

    @property
    def is_of_categories(self) -> bool:
        """Whether it is about categories, and so decides on no class."""
        return self.effect in {"fill", "refuse"}

    @property
    def content(self) -> tuple[str | None, ...]:
        """What it says, without of what: the effect, the super-category or group, side, note."""
        if self.effect in {"assign", "opinion", "fill", "refuse"}:
            return (self.effect, self.hierarchical_label, self.natural_or_human_made, self.note)
        return (self.effect, self.group if self.effect == "group" else None, None, self.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a person did at one stroke, and takes back at one stroke."""

    event: Edit | Switch
    decided_at: str
    """ISO 8601, UTC."""
    reviewer: str
    why: str = ""
    number: int = 0
    """Of its line in the log, from 1; 0: not written yet."""
    seen: int = 0
    """The last line that the page showed when it was done; 0 where that is not known."""
    changes: tuple[Change, ...] = ()
    """Of an edit. Of several on one class the last counts."""
    off: tuple[int, ...] = ()
    """Of a switch: numbers of the edits that count no more; ascending."""
    on: tuple[int, ...] = ()
    """Those that count again."""
    of: int = 0
    """undo, redo: the event that is taken back, or done again."""

    def __post_init__(self) -> None:
        """Checks the event.

        Raises:
            TypeError: something that should be text or a number is none.
            ValueError: an unknown kind, no reviewer, an edit of nothing or that switches, a switch
                with changes, of nothing, or of one edit both off and on; or control characters in
                what is not written yet.
        """
        if self.event not in (*EDITS, *SWITCHES):
            raise ValueError(
                f"event must be one of {', '.join((*EDITS, *SWITCHES))}, got {self.event!r}"
            )
        _check_texts(decided_at=self.decided_at, reviewer=self.reviewer, why=self.why)
        if not self.reviewer.strip():
            raise ValueError("reviewer must not be blank: decisions are kept with who made them")
        self._check_numbers()
        switches = bool(self.off or self.on or self.of)
        if self.is_edit and (switches or not self.changes):
            raise ValueError(f"{self.event} must change a class at least, and switch no event")
        if not self.is_edit:
            if self.changes or not switches:
                raise ValueError(
                    f"{self.event} must switch events on or off and change nothing else"
                )
            self._check_switched()
        if not self.number:
            self.check_typed()

    def _check_numbers(self) -> None:
        for name in ("number", "seen", "of"):
            if not _is_number(getattr(self, name)):
                raise TypeError(
                    f"{name} must be the number of a line, or 0, got {getattr(self, name)!r}"
                )

    def check_typed(self) -> None:
        """Refuses control characters in what persons typed; labels of classes are the build's.

        An event that is written already may have some, in a log of an earlier version.

        Raises:
            ValueError: there is one.
        """
        check_typed("decided_at", self.decided_at)
        check_typed("reviewer", self.reviewer)
        check_typed("why", self.why)
        for change in self.changes:
            for name in _TYPED:
                check_typed(name, getattr(change, name))
            for category in change.categories:
                check_typed("category", category)

    def _check_switched(self) -> None:
        for name, numbers in (("off", self.off), ("on", self.on)):
            if not isinstance(numbers, tuple) or not all(map(_is_number, numbers)):
                raise TypeError(f"{name} must be numbers of lines, got {numbers!r}")
        if both := set(self.off).intersection(self.on):
            raise ValueError(
                f"{self.event} must switch an event off or on, got both of {min(both)}"
            )

    @property
    def is_edit(self) -> bool:
        """Whether it says something of classes or categories."""
        return self.event in EDITS

    @property
    def classes(self) -> dict[str, str]:
        """All classes it is about, with their labels as they were then."""
        return {qid: label for each in self.changes for qid, label in each.classes.items()}

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories that it is about, each once."""
        return tuple(dict.fromkeys(one for each in self.changes for one in each.categories))

    def numbered(self, number: int) -> "Event":
        """Returns it as it stands in a line."""
        return replace(self, number=number)


def event_content(event: Event) -> dict[str, object]:
    """Returns what a line of the log says of an event, without number and chain."""
    content: dict[str, object] = {
        "event": event.event,
        "decided_at": event.decided_at,
        "reviewer": event.reviewer,
        "why": event.why,
        "seen": event.seen,
    }
    if event.is_edit:
        return content | {"changes": [_change_content(each) for each in event.changes]}
    return content | {"off": list(event.off), "on": list(event.on), "of": event.of}


def event_of(values: Mapping[str, Any], where: str) -> Event:
    """Reads the object of a line that has the key `event`.

    Args:
        values: what `event_content` gave, with number and chain.
        where: the line, for an error.

    Raises:
        InputError: it is no event; the text says what is wrong.
    """
    known: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in values.items()
        if key != "chain"
    }
    try:
        return _made(Event, known | {"changes": _changes_of(known.get("changes", ()))})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where}: {error}; a later version may have written it: install that, or mend the line"
        ) from error


@functools.lru_cache(maxsize=4096)  # a log of thousands of edits has some dozens of names
def label_key(label: str) -> str:
    """Returns what two spellings of one super-category have in common: no case, single spaces."""
    return " ".join(label.split()).casefold()


def as_json(event: Event) -> str:
    """Returns an event as one line of JSON, with its number."""
    return json.dumps({"number": event.number, **event_content(event)}, ensure_ascii=False)


def _change_content(change: Change) -> dict[str, object]:
    content: dict[str, object] = {"effect": change.effect}
    for name in ("hierarchical_label", "natural_or_human_made", "group"):
        if (value := getattr(change, name)) is not None:
            content[name] = value
    for name in ("renamed_from", "note", "of_reviewer"):
        if value := getattr(change, name):
            content[name] = value
    if change.categories:
        return content | {"categories": list(change.categories)}
    return content | {"classes": dict(change.classes)}


def _changes_of(values: object) -> tuple[Change, ...]:
    if not isinstance(values, tuple):
        raise TypeError(f"changes must be a list, got {values!r}")
    return tuple(map(_change_of, values))


def _change_of(values: object) -> Change:
    if not isinstance(values, dict):
        raise TypeError(f"a change must be an object, got {values!r}")
    categories = values.get("categories")
    if isinstance(categories, list):
        values = {"classes": {}, **values, "categories": tuple(categories)}
    return _made(Change, values)


def _made(cls: type[_T], values: Mapping[str, Any]) -> _T:
    """Makes an instance; says in a reader's words which key there should not be, or is not."""
    try:
        return cls(**values)
    except TypeError as error:
        known = {field.name: field for field in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise ValueError(
                f"unknown key {unknown[0]!r}; known keys: {', '.join(known)}"
            ) from error
        needed = [
            name
            for name, field in known.items()
            if field.default is MISSING and field.default_factory is MISSING
        ]
        if missing := [name for name in needed if name not in values]:
            raise ValueError(f"{missing[0]} is missing") from error
        raise


def _check_classes(classes: object) -> None:
    if not isinstance(classes, Mapping):
        raise TypeError(f"classes must be an object of Q-ids and labels, got {classes!r}")
    if not classes:
        raise ValueError("an edit must be about a class at least; select one")
    try:
        # At one stroke, since an edit may be about thousands.
        "".join([*classes, *classes.values()]).encode()
    except (TypeError, UnicodeEncodeError):
        for qid, label in classes.items():
            _check_texts(class_qid=qid, class_label=label)
        raise


def _check_texts(**texts: object) -> None:
    for name, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} must be text, got {text!r}")
        check_text(name, text)


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0
