"""What the view of guesses asks for, read from an address or a form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from hgld.pages.review.fills.views import GuessOrder, GuessState
from hgld.pages.review.requests import RefusedError

GuessDeed = Literal["accept", "refuse"]

_DEEDS: tuple[GuessDeed, ...] = get_args(GuessDeed)
_ORDERS: tuple[GuessOrder, ...] = get_args(GuessOrder)
_STATES: tuple[GuessState, ...] = get_args(GuessState)
_PREFERS = ("", "mine", "theirs")
_LONGEST = 200
_MOST_ROWS = 2_000
_MOST_DIGITS = 15
FIRST_ROWS = 60
"""Guesses of a group that are shown at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsPlace:
    """What is shown."""

    name: str = ""
    """The super-category; unknown: the first with an open guess."""
    group: str | None = None
    """The word of the group; None or unknown: the first."""
    order: GuessOrder = "surest"
    show: GuessState = "open"
    rows: int = FIRST_ROWS
    """How many guesses are shown at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessRequest:
    """What is said of which guesses."""

    deed: GuessDeed
    place: FillsPlace
    categories: tuple[str, ...] = ()
    """The ticked ones."""
    is_all: bool = False
    """Instead: all of the group, those too that are not shown."""
    excepted: frozenset[str] = field(default_factory=frozenset)
    """With is_all: but these."""
    seen: int = 0
    """The last line of the log that the page showed."""
    prefer: str = ""
    """mine or theirs, where somebody else was quicker."""


def fills_place_of(fields: Mapping[str, str]) -> FillsPlace:
    """Reads what is to be shown.

    Raises:
        RefusedError: a field that cannot be read.
    """
    order, show = fields.get("order") or "surest", fields.get("show") or "open"
    if order not in _ORDERS:
        raise RefusedError(f"order must be one of {', '.join(_ORDERS)}, got {order!r}")
    if show not in _STATES:
        raise RefusedError(f"show must be one of {', '.join(_STATES)}, got {show!r}")
    name, group = fields.get("name", ""), fields.get("group")
    if len(name) > _LONGEST or len(group or "") > _LONGEST:
        raise RefusedError(f"a name must have at most {_LONGEST} characters; reload the page")
    rows = _number(fields, "rows") if "rows" in fields else FIRST_ROWS
    return FillsPlace(
        name=name, group=group, order=order, show=show, rows=min(max(rows, 1), _MOST_ROWS)
    )


def guess_request_of(fields: Iterable[tuple[str, str]]) -> GuessRequest:
    """Reads a form.

    Raises:
        RefusedError: a field that cannot be read.
    """
    fields = list(fields)
    one = dict(fields)
    deed, prefer = one.get("action", ""), one.get("prefer", "")
    if deed not in _DEEDS:
        raise RefusedError(f"action must be one of {', '.join(_DEEDS)}, got {deed!r}")
    if prefer not in _PREFERS:
        raise RefusedError(f"prefer must be mine or theirs, got {prefer!r}")
    return GuessRequest(
        deed=deed,
        place=fills_place_of(one),
        categories=tuple(dict.fromkeys(value for name, value in fields if name == "category")),
        is_all=one.get("all") == "1",
        excepted=frozenset(value for name, value in fields if name == "except"),
        seen=_number(one, "seen"),
        prefer=prefer,
    )


def _number(fields: Mapping[str, str], name: str) -> int:
    text = fields.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise RefusedError(
            f"{name} must be a whole number, got {text[:_LONGEST]!r}; reload the page"
        )
    return int(text)
