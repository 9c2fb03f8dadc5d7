"""What a person did, as one line of the log: who, when, why, and what it says of which classes.

An event is an *edit*, which says something of classes or of categories, or a *switch*, which turns
earlier edits off or on again. Nothing is ever taken out of the log: to undo is to turn off.
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
    "opinion", "unsure", "sample", "known", "fill", "refuse"
]  # fmt: skip
"""What a change does. To a class: assign gives it a super-category, ignore none, and clear opens it
again; group puts it with others, whatever its cluster; comment adds a remark; doubt marks it as
doubtful, and trust ends that. In a second opinion, which decides nothing: sample asks a reviewer
about classes in this order; known names those of them whose answer is known; opinion is an answer
given without seeing the decisions, and unsure says that the reviewer cannot tell. To a category
whose landmarks no class gives a label: fill gives it a super-category, refuse rules one out."""

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

# C0 controls but for tab and line breaks, DEL, C1 controls; and what turns the direction of text,
# so that a name reads as another one.
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_NOT_OF_A_LINE = re.compile(f"[{_CONTROLS}\t\n\r\u2028\u2029]")
_LONGEST_NAME = 80
_JOINERS = dict.fromkeys((0x200C, 0x200D))  # Persian and Indic names are written with them
_SHOWN = 60  # characters of a text that an error quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an edit says of some classes, or of some categories: the same of each."""

    classes: Mapping[str, str]
    """class_qid to its label as it was then; the Q-id is what counts. Empty: see `categories`."""
    effect: Effect
    categories: tuple[str, ...] = ()
    """fill, refuse: URLs of Commons categories, and no class."""
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
            TypeError: something that should be text is not.
            ValueError: an unknown effect; no class, or no category; something that the effect needs
                is missing; or text with control characters, or that UTF-8 cannot hold.
        """
        if self.effect not in _EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(_EFFECTS)}, got {self.effect!r}")
        what, other = ("category", "class") if self.is_of_categories else ("class", "category")
        has_other = bool(self.classes) == bool(self.categories)
        if bool(self.categories) != self.is_of_categories or has_other:
            raise ValueError(f"{self.effect} must be about a {what} at least, and about no {other}")
        # At one stroke, since an edit may be about thousands. A label is the build's: it may have
        # control characters.
        "".join([*self.classes, *self.classes.values()]).encode()
        for name in _TEXTS:
            check_text(name, getattr(self, name))
        for category in self.categories:
            check_text("category", category)
        self._check_content()

    def _check_content(self) -> None:
        """Refuses a change that lacks what its effect needs."""
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
        """Whether it says what the classes are; `clear` says that they are open."""
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
        """The effect, the super-category or group, the side and the note; not of which classes."""
        if self.effect in {"assign", "opinion", "fill", "refuse"}:
            return (self.effect, self.hierarchical_label, self.natural_or_human_made, self.note)
        return (self.effect, self.group if self.effect == "group" else None, None, self.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a person did in one action, which one undo takes back."""

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
    """Of a switch: numbers of the edits that it turns off; ascending."""
    on: tuple[int, ...] = ()
    """Those that it turns on again."""
    of: int = 0
    """undo, redo: the event that is taken back, or done again."""

    def __post_init__(self) -> None:
        """Checks the event.

        Raises:
            TypeError: something that should be text is not.
            ValueError: an unknown kind, no reviewer, no time with its zone, an edit of nothing or
                that switches, or a switch with changes, of nothing, or of one edit both off and on.
        """
        if self.event not in (*EDITS, *SWITCHES):
            known = ", ".join((*EDITS, *SWITCHES))
            raise ValueError(f"event must be one of {known}, got {self.event!r}")
        for name in ("decided_at", "reviewer", "why"):
            check_text(name, getattr(self, name))
        _check_time(self.decided_at)
        if not self.reviewer.strip():
            raise ValueError("reviewer must not be blank: decisions are kept with who made them")
        switches = bool(self.off or self.on)
        if self.is_edit and (switches or self.of or not self.changes):
            raise ValueError(f"{self.event} must change a class at least, and switch no event")
        if not self.is_edit and (self.changes or not switches):
            raise ValueError(f"{self.event} must switch events off or on, and change nothing")
        if both := set(self.off).intersection(self.on):
            raise ValueError(f"{self.event} must switch {min(both)} off or on, got both")

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
    names = ("event", "decided_at", "reviewer", "why", "seen")
    content: dict[str, object] = {name: getattr(event, name) for name in names}
    if event.is_edit:
        return content | {"changes": [_change_content(each) for each in event.changes]}
    return content | {"off": list(event.off), "on": list(event.on), "of": event.of}


def parse_event(text: bytes, where: str) -> Event:
    """Reads a line of the log.

    Args:
        text: the line, whose chain was checked.
        where: the line in words, for an error.

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
            f"{where}: {error}; a later version may have written it: install that one"
        ) from error


@functools.lru_cache(maxsize=4096)  # a log of thousands of edits has some dozens of names
def label_key(label: str) -> str:
    """Returns what two spellings of one super-category have in common: no case, single spaces."""
    return " ".join(label.split()).casefold()


def check_text(name: str, text: str | None) -> None:
    """Refuses what UTF-8 cannot hold, and control characters other than tabs and line breaks.

    None passes.

    Raises:
        TypeError: it is no text.
        ValueError: it has half a surrogate pair, as from a shell's argument, or a control
            character.
    """
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"{name} must be text, got {text!r}")
    if text.isascii() and text.isprintable():  # mostly, and several times faster
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be text that UTF-8 can hold, got {text!r}") from error
    if found := _CONTROL.search(text):
        code, shown = f"U+{ord(found[0]):04X}", text[:_SHOWN]
        raise ValueError(f"{name} must have no control characters, got {code} in {shown!r}")


def reviewer_name(text: str) -> str:
    """Returns a reviewer's name with single spaces.

    Raises:
        ValueError: it is blank, too long, or has characters that cannot be seen.

    Example:
        >>> reviewer_name("  Ann   B ")
        'Ann B'
    """
    name = " ".join(text.split())
    seen = name.translate(_JOINERS)
    if not seen.strip():
        raise ValueError("type your name: decisions are kept with who made them")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a name must have at most {_LONGEST_NAME} characters, got {len(name)}")
    if not seen.isprintable():
        wrong = next(one for one in seen if not one.isprintable())
        raise ValueError(f"a name must have no invisible characters, got U+{ord(wrong):04X}")
    return name


def harmless(text: str) -> str:
    r"""Returns a text as one line that does nothing to a terminal but stand there.

    Example:
        >>> print(harmless("church\x1b[2J"))
        church\x1b[2J
    """
    return _NOT_OF_A_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _check_time(text: str) -> None:
    """Refuses a time that does not follow ISO 8601, or has no zone.

    Raises:
        ValueError: it is such a time.
    """
    try:
        has_zone = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        example = "2026-11-28T18:00:00+00:00"
        raise ValueError(f"decided_at must be a time with its zone, as {example}, got {text!r}")


def _change_content(change: Change) -> dict[str, object]:
    content: dict[str, object] = {"effect": change.effect}
    content |= {name: value for name in _TEXTS if (value := getattr(change, name))}
    if change.categories:
        return content | {"categories": list(change.categories)}
    return content | {"classes": dict(change.classes)}


def _change_of(values: dict[str, Any]) -> Change:
    classes, categories = values.pop("classes", {}), tuple(values.pop("categories", ()))
    return Change(classes=classes, categories=categories, **values)
