"""Events, the lines of the log: who did what, when and why, and to which classes.

An event is an *edit*, which says something about classes or categories, or a *switch*, which turns
earlier edits off or on again. Nothing is ever removed from the log: undo turns an edit off.
"""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

from hgld.errors import InputError

Effect = Literal[
    "assign", "ignore", "clear", "group", "comment", "doubt", "trust",
    "opinion", "unsure", "sample", "fill", "refuse"
]  # fmt: skip
"""What a change does.

To a class: assign gives it a super-category, ignore excludes it, and clear opens it again; group
moves it to a working group; comment adds a remark; doubt marks it as doubtful, and trust removes
the mark. In a second opinion, which decides nothing: sample asks a reviewer about classes in this
order; opinion is an answer given without seeing the decisions, and unsure means that the reviewer
cannot tell. To a category whose landmarks get no label from a class: fill gives it a
super-category, refuse rules one out.
"""

Edit = Literal[
    "decision", "sheet", "accept", "assign", "ignore", "clear", "rename", "side", "merge", "split",
    "comment", "doubt", "trust", "settle", "sample", "opinion", "fill", "refuse"
]  # fmt: skip
Switch = Literal["undo", "redo", "revert", "restore", "jump"]
EDITS: tuple[Edit, ...] = get_args(Edit)
SWITCHES: tuple[Switch, ...] = get_args(Switch)
_EFFECTS: tuple[Effect, ...] = get_args(Effect)

SIDES = ("natural", "human-made")

_TEXTS = ("hierarchical_label", "natural_or_human_made", "group", "renamed_from", "note",
          "of_reviewer")  # fmt: skip
_NAME = ("hierarchical_label", "natural_or_human_made")
_NEEDED: Mapping[Effect, tuple[str, ...]] = {
    "comment": ("note",),
    "sample": ("of_reviewer",),
    "assign": _NAME,
    "fill": _NAME,
    "refuse": _NAME,
}

# C0 controls except tab and line breaks, DEL, C1 controls; and bidirectional controls, which make a
# name look like a different one.
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_NOT_OF_A_LINE = re.compile(f"[{_CONTROLS}\t\n\r\u2028\u2029]")
_LONGEST_NAME = 80
_JOINERS = dict.fromkeys((0x200C, 0x200D))  # Persian and Indic names are written with them
_SHOWN = 60  # most characters of a text that an error quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an edit says about some classes or categories, the same about each."""

    classes: Mapping[str, str]
    """class_qid to its label at that time, for information only. Empty: see `categories`."""
    effect: Effect
    categories: tuple[str, ...] = ()
    """fill, refuse: URLs of Commons categories; `classes` is then empty."""
    hierarchical_label: str | None = None
    """assign, opinion, fill, refuse: the super-category. None in an opinion means to ignore the
    classes."""
    natural_or_human_made: str | None = None
    """assign, opinion, fill, refuse: its side."""
    group: str | None = None
    """group: the name of the working group; None returns the classes to their clusters."""
    renamed_from: str = ""
    """assign: the old name of the super-category, if the edit renames it."""
    note: str = ""
    """comment: its text. assign, ignore, doubt: an optional remark. sample: the seed of the draw.
    """
    of_reviewer: str = ""
    """sample: the reviewer whose decisions it was drawn from."""

    def __post_init__(self) -> None:
        """Checks the change.

        Raises:
            TypeError: a text field is not text.
            ValueError: an unknown effect; no class or category; a missing field that the effect
                needs; or text with control characters, or that UTF-8 cannot encode.
        """
        if self.effect not in _EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(_EFFECTS)}, got {self.effect!r}")
        what, other = ("category", "class") if self.is_of_categories else ("class", "category")
        has_other = bool(self.classes) == bool(self.categories)
        if bool(self.categories) != self.is_of_categories or has_other:
            raise ValueError(f"{self.effect} must be about at least one {what} and no {other}")
        # All at once, because an edit can have thousands of classes. Control characters are allowed
        # here, because labels come from outside.
        "".join([*self.classes, *self.classes.values()]).encode()
        for name in _TEXTS:
            check_text(name, getattr(self, name))
        for category in self.categories:
            check_text("category", category)
        self._check_content()

    def _check_content(self) -> None:
        """Checks that the fields which the effect needs are filled in."""
        needed = _NEEDED.get(self.effect, ())
        if self.effect == "group" and self.group is not None:
            needed = ("group",)
        if self.effect == "opinion" and any(getattr(self, name) is not None for name in _NAME):
            needed = _NAME
        for name in needed:
            if not (getattr(self, name) or "").strip():
                raise ValueError(f"{self.effect} needs a {name}; fill it in")
        if needed == _NAME and self.natural_or_human_made not in SIDES:
            got = self.natural_or_human_made
            raise ValueError(f"natural_or_human_made must be natural or human-made, got {got!r}")

    @property
    def decides(self) -> bool:
        """Whether it decides on classes; `clear` opens them again."""
        return self.effect in {"assign", "ignore", "clear"}

    @property
    def is_of_categories(self) -> bool:
        """Whether it is about categories and not classes."""
        return self.effect in {"fill", "refuse"}

    @property
    def content(self) -> tuple[str | None, ...]:
        """The effect, the super-category or group, the side and the note, without the classes."""
        if self.effect in {"assign", "opinion", "fill", "refuse"}:
            return (self.effect, self.hierarchical_label, self.natural_or_human_made, self.note)
        return (self.effect, self.group if self.effect == "group" else None, None, self.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One action of a person, which one undo reverses."""

    event: Edit | Switch
    decided_at: str
    """ISO 8601, UTC."""
    reviewer: str
    why: str = ""
    number: int = 0
    """Line number in the log, from 1; 0: not written yet."""
    seen: int = 0
    """The last line that the page showed at the time; 0 if unknown."""
    changes: tuple[Change, ...] = ()
    """Of an edit. If several are about one class, the last counts."""
    off: tuple[int, ...] = ()
    """Of a switch: numbers of the edits that it turns off, ascending."""
    on: tuple[int, ...] = ()
    """Of a switch: numbers of the edits that it turns on again, ascending."""
    of: int = 0
    """undo, redo: the number of the event that is undone or redone."""

    def __post_init__(self) -> None:
        """Checks the event.

        Raises:
            TypeError: a text field is not text.
            ValueError: an unknown kind, no reviewer, no time with a time zone, an edit that changes
                nothing or switches events, or a switch that changes classes, switches nothing, or
                turns one edit both off and on.
        """
        if self.event not in (*EDITS, *SWITCHES):
            known = ", ".join((*EDITS, *SWITCHES))
            raise ValueError(f"event must be one of {known}, got {self.event!r}")
        for name in ("decided_at", "reviewer", "why"):
            check_text(name, getattr(self, name))
        _check_time(self.decided_at)
        if not self.reviewer.strip():
            raise ValueError("reviewer must not be blank: each decision is kept with its reviewer")
        switches = bool(self.off or self.on)
        if self.is_edit and (switches or self.of or not self.changes):
            raise ValueError(f"{self.event} must change at least one class and switch no event")
        if not self.is_edit and (self.changes or not switches):
            raise ValueError(f"{self.event} must switch events off or on, and change no class")
        if both := set(self.off).intersection(self.on):
            raise ValueError(f"{self.event} must switch event {min(both)} off or on, got both")

    @property
    def is_edit(self) -> bool:
        """Whether it is an edit and not a switch."""
        return self.event in EDITS

    @property
    def classes(self) -> dict[str, str]:
        """All classes it is about, with their labels at that time."""
        return {qid: label for each in self.changes for qid, label in each.classes.items()}

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories that it is about, each once."""
        return tuple(dict.fromkeys(one for each in self.changes for one in each.categories))

    def numbered(self, number: int) -> "Event":
        """Returns a copy with the number of its line."""
        return replace(self, number=number)


def event_content(event: Event) -> dict[str, object]:
    """Returns the line of an event as an object, without number and chain."""
    names = ("event", "decided_at", "reviewer", "why", "seen")
    content: dict[str, object] = {name: getattr(event, name) for name in names}
    if event.is_edit:
        return content | {"changes": [_change_content(each) for each in event.changes]}
    return content | {"off": list(event.off), "on": list(event.on), "of": event.of}


def parse_event(text: bytes, where: str) -> Event:
    """Reads a line of the log.

    Args:
        text: the line, already checked against its chain.
        where: file and line number, for the error.

    Raises:
        InputError: it is not an event; the text says why.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        del values["chain"]
        values["changes"] = tuple(map(_change_of, values.get("changes", ())))
        return Event(**values | {name: tuple(values.get(name, ())) for name in ("off", "on")})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"{where}: {error}; if a later version of hgld wrote it, install that version"
        ) from error


@functools.lru_cache(maxsize=4096)  # a log of thousands of edits has a few dozen names
def label_key(label: str) -> str:
    """Returns the same key for all spellings of a super-category: case-folded, single spaces."""
    return " ".join(label.split()).casefold()


def check_text(name: str, text: str | None) -> None:
    """Checks that a text has no lone surrogates, and no controls except tabs and line breaks.

    None passes.

    Raises:
        TypeError: it is not text.
        ValueError: it has a lone surrogate, as undecodable shell arguments do, or a control
            character.
    """
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"{name} must be text, got {text!r}")
    if text.isascii() and text.isprintable():  # the usual case, and several times faster
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be text that UTF-8 can encode, got {text!r}") from error
    if found := _CONTROL.search(text):
        code, shown = f"U+{ord(found[0]):04X}", text[:_SHOWN]
        raise ValueError(f"{name} must have no control characters, got {code} in {shown!r}")


def reviewer_name(text: str) -> str:
    """Returns a reviewer's name with single spaces.

    Raises:
        ValueError: it is blank, too long, or has invisible characters.

    Example:
        >>> reviewer_name("  Ann   B ")
        'Ann B'
    """
    name = " ".join(text.split())
    seen = name.translate(_JOINERS)
    if not seen.strip():
        raise ValueError("type your name: each decision is kept with its reviewer")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a name must have at most {_LONGEST_NAME} characters, got {len(name)}")
    if not seen.isprintable():
        wrong = next(one for one in seen if not one.isprintable())
        raise ValueError(f"a name must have no invisible characters, got U+{ord(wrong):04X}")
    return name


def harmless(text: str) -> str:
    r"""Returns a text as one line, with control characters escaped for a terminal.

    Example:
        >>> print(harmless("church\x1b[2J"))
        church\x1b[2J
    """
    return _NOT_OF_A_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _check_time(text: str) -> None:
    """Checks a time.

    Raises:
        ValueError: it does not follow ISO 8601, or has no time zone.
    """
    try:
        has_zone = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        example = "2026-11-28T18:00:00+00:00"
        raise ValueError(f"decided_at must be a time with its zone, like {example}, got {text!r}")


def _change_content(change: Change) -> dict[str, object]:
    content: dict[str, object] = {"effect": change.effect}
    content |= {name: value for name in _TEXTS if (value := getattr(change, name))}
    if change.categories:
        return content | {"categories": list(change.categories)}
    return content | {"classes": dict(change.classes)}


def _change_of(values: dict[str, Any]) -> Change:
    classes, categories = values.pop("classes", {}), tuple(values.pop("categories", ()))
    return Change(classes=classes, categories=categories, **values)
