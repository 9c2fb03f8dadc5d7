"""What the page asks for, read from a form; and the errors that refuse it."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from hgld.pages.review.acting.wording import grouped
from hgld.pages.review.views import Show

ActKind = Literal[
    "accept", "accept_confident", "assign", "ignore", "clear", "rename", "side", "merge", "split",
    "split_parts", "ungroup", "doubt", "trust", "comment",
]  # fmt: skip
Preference = Literal["", "mine", "theirs"]

_ACTIONS: tuple[ActKind, ...] = get_args(ActKind)
_SHOWS: tuple[Show, ...] = get_args(Show)
_PREFERS: tuple[Preference, ...] = get_args(Preference)
_LONGEST = 200
_LONGEST_TEXT = 4_000
_MOST_ROWS = 2_000
_ROWS = 200
_MOST_DIGITS = 12


class RefusedError(ValueError):
    """What was asked for is not done; the text says why and what to do."""

    def __init__(
        self,
        message: str,
        *,
        suggestion: str = "",
        field: str = "label",
        may_insist: bool = False,
    ) -> None:
        """Takes why.

        Args:
            message: one sentence with what to do.
            suggestion: a name to take instead.
            field: the field of the request that has the name.
            may_insist: whether the same with `sure=1` is done.
        """
        super().__init__(message)
        self.suggestion, self.field, self.may_insist = suggestion, field, may_insist


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the page shows."""

    group: str = ""
    query: str = ""
    show: Show = "all"
    rows: int = _ROWS
    first: int | None = None
    """Of these rows the ones that come first, the others with the next answer; None: all come."""
    near: bool = True
    """Whether what is near the group is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRequest:
    """An action, on which classes, and what to show then."""

    action: ActKind
    qids: tuple[str, ...] = ()
    """The ticked members."""
    is_all: bool = False
    """Instead: all that the place selects, unseen ones included."""
    only_open: bool = False
    """With is_all: those alone of which nothing is decided."""
    excepted: frozenset[str] = frozenset()
    """With is_all: but these."""
    label: str = ""
    side: str = ""
    to: str = ""
    """rename: the new name."""
    into: str = ""
    """merge: the group that takes the classes."""
    k: int = 0
    """split_parts: into how many; 0: into the parts that are proposed."""
    why: str = ""
    seen: int | None = None
    """The last line of the log that the page showed; None: all."""
    scored: int | None = None
    """The version of the proposals that the page showed; None: the present one."""
    place: Place = dataclasses.field(default_factory=Place)
    go: str = "stay"
    """next, on, stay, or a group."""
    prefer: Preference = ""
    told: int | None = None
    """With prefer: the last line of the log that the conflict was told at; None: `seen`."""
    shown: str = ""
    """The fingerprint of the preview that was agreed to; empty: none was shown."""
    is_sure: bool = False


def act_request_of(fields: Iterable[tuple[str, str]]) -> ActRequest:
    """Reads a form.

    Raises:
        RefusedError: a field that cannot be read.
    """
    fields = list(fields)
    one = dict(fields)
    action = one.get("action", "")
    if action not in _ACTIONS:
        raise RefusedError(f"action must be one of {', '.join(_ACTIONS)}, got {action!r}")
    prefer = one.get("prefer", "")
    if prefer not in _PREFERS:
        raise RefusedError(f"prefer must be mine or theirs, got {prefer!r}")
    return ActRequest(
        action=action,
        qids=tuple(dict.fromkeys(value for name, value in fields if name == "qid")),
        is_all=one.get("all") == "1",
        only_open=one.get("undecided") == "1",
        excepted=frozenset(value for name, value in fields if name == "except"),
        label=_text(one, "label"),
        side=_text(one, "side"),
        to=_text(one, "to"),
        into=_text(one, "into"),
        k=_number(one, "k") or 0,
        why=_text(one, "why", _LONGEST_TEXT),
        seen=_number(one, "seen"),
        scored=_number(one, "scored"),
        place=place_of(one),
        go=_text(one, "go") or "stay",
        prefer=prefer,
        told=_number(one, "told"),
        shown=_text(one, "shown"),
        is_sure=one.get("sure") == "1",
    )


def place_of(fields: Mapping[str, str]) -> Place:
    """Reads what the page is to show.

    Raises:
        RefusedError: a field that cannot be read.
    """
    show = fields.get("show") or "all"
    if show not in _SHOWS:
        raise RefusedError(f"show must be one of {', '.join(_SHOWS)}, got {show!r}")
    rows = _number(fields, "rows")
    return Place(
        group=_text(fields, "g"),
        query=_text(fields, "q"),
        show=show,
        rows=_ROWS if rows is None else min(max(rows, 1), _MOST_ROWS),
    )


def _text(fields: Mapping[str, str], name: str, longest: int = _LONGEST) -> str:
    text = fields.get(name, "").strip()
    if len(text) > longest:
        raise RefusedError(
            f"{name} must have at most {grouped(longest)} characters, got {grouped(len(text))}"
        )
    if any(ord(one) < ord(" ") and one not in "\n\t\r" for one in text):
        raise RefusedError(f"{name} must be text without control characters; write it anew")
    return text


def _number(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise RefusedError(f"{name} must be a whole number, got {text[:_LONGEST]!r}")
    return int(text)
