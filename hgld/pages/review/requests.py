"""What the page asks for, read from a form; and the error that refuses it."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote

from fastapi import Depends, HTTPException, Request

from hgld.pages.review.actions import EDITS
from hgld.review.log.events import check_text, reviewer_name

REVIEWER_COOKIE = "reviewer"

FACETS = ("is", "sure", "evidence", "new", "comment", "doubt", "by")
"""The kinds of facets, in the order in which the page has them."""

EVERYTHING = "*"
"""Stands for a group: all classes that the filter selects."""

_TEXTS = ("label", "side", "to", "into", "agreed")
_NUMBERS = ("seen", "scored", "sight")
_LONGEST = 200
_LONGEST_TEXT = 4_000
_MOST_ROWS = 2_000
_ROWS = 24  # with 40 an action takes a tenth longer; a browser asks for more near their end
_MOST_DIGITS = 12
_MOST_FIELDS = 100_000
_FORM = "application/x-www-form-urlencoded"


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
    facets: tuple[str, ...] = ()
    """As `is:open` or `reviewer:ann`; of one kind any, of several kinds each holds."""
    rows: int = _ROWS

    @property
    def is_filtered(self) -> bool:
        """Whether classes are left out."""
        return bool(self.query or self.facets)

    @property
    def address(self) -> dict[str, object]:
        """The fields of its address."""
        fields = {"g": self.group, "q": self.query, "f": list(self.facets)}
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRequest:
    """An action, on which classes, and what to show then."""

    action: str
    qids: tuple[str, ...] = ()
    label: str = ""
    side: str = ""
    to: str = ""
    """rename: the new name."""
    into: str = ""
    """merge: the group that takes the classes."""
    why: str = ""
    seen: int | None = None
    """The last line of the log that the page showed; None: all."""
    scored: int | None = None
    """The version of the proposals that the page showed; None: the present one."""
    place: Place = dataclasses.field(default_factory=Place)
    keeps_theirs: bool = False
    """Whether classes that somebody else has changed since `seen` are left out."""
    asks: bool = False
    """Whether nothing is done, and what would be is told."""
    sight: int | None = None
    """Of the classes, how many the window shows; None: it is not told."""
    is_beyond: bool = False
    """accept: whether it is also about classes of the group for which the page has no room."""
    agreed: str = ""
    """The fingerprint of what was told before; empty: nothing was."""
    is_sure: bool = False
    """Whether a name is new although it is close to a known one."""


def act_request_of(fields: Sequence[tuple[str, str]]) -> ActRequest:
    """Reads a form.

    Raises:
        RefusedError: a field that cannot be read.
    """
    one = dict(fields)
    action = one.get("action", "")
    if action not in EDITS:
        raise RefusedError(f"action must be one of {', '.join(EDITS)}, got {action!r}")
    read: dict[str, Any] = {name: _text(one, name) for name in _TEXTS}
    read |= {name: number_of(one, name) for name in _NUMBERS}
    return ActRequest(
        action=action,
        qids=tuple(dict.fromkeys(value for name, value in fields if name == "qid")),
        why=_text(one, "why", _LONGEST_TEXT),
        place=place_of(fields),
        keeps_theirs=one.get("keep") == "theirs",
        asks=one.get("asks") == "1",
        is_beyond=action == "accept" and one.get("beyond") == "1",
        is_sure=one.get("sure") == "1",
        **read,
    )


def place_of(fields: Sequence[tuple[str, str]]) -> Place:
    """Reads what the page is to show.

    Raises:
        RefusedError: a field that cannot be read.
    """
    one = dict(fields)
    facets = tuple(dict.fromkeys(value for name, value in fields if name == "f" and value))
    for facet in facets:
        if facet.partition(":")[0] not in FACETS:
            kinds = ", ".join(FACETS)
            raise RefusedError(f"f must begin with one of {kinds}, got {facet[:_LONGEST]!r}")
    rows = number_of(one, "rows")
    return Place(
        group=_text(one, "g"),
        query=_text(one, "q"),
        facets=facets,
        rows=_ROWS if rows is None else min(max(rows, 1), _MOST_ROWS),
    )


def _text(fields: Mapping[str, str], name: str, longest: int = _LONGEST) -> str:
    text = fields.get(name, "").strip()
    if len(text) > longest:
        raise RefusedError(f"{name} must have at most {longest:,} characters, got {len(text):,}")
    try:
        check_text(name, text)
    except ValueError as error:
        raise RefusedError(f"{error}; write it anew") from error
    return text


def number_of(fields: Mapping[str, str], name: str) -> int | None:
    """Returns a whole number of a request; None where it is not there.

    Raises:
        RefusedError: it is none.
    """
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise RefusedError(f"{name} must be a whole number, got {text[:_LONGEST]!r}")
    return int(text)


def checked_name(name: str) -> str:
    """Returns a reviewer's name without spaces around it.

    Raises:
        RefusedError: it is blank, too long, or has characters that are no text.
    """
    try:
        return reviewer_name(name)
    except ValueError as error:
        raise RefusedError(str(error)) from error


async def fields_of(request: Request) -> list[tuple[str, str]]:
    """Returns the fields of a form, in order.

    Raises:
        RefusedError: it is no form, or has too many fields.
        HTTPException: it says that it is something else.
    """
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if kind != _FORM:
        raise HTTPException(415, f"what is sent must be {_FORM}, got {kind[:80]}")
    body = await request.body()
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise RefusedError(f"what was sent cannot be read: {error}; reload the page") from error


async def reviewer_of(request: Request) -> str:
    """Returns who reviews, as the browser was told; what is no name counts as none."""
    default: str = request.app.state.reviewer
    try:
        return checked_name(unquote(request.cookies.get(REVIEWER_COOKIE, "")) or default)
    except RefusedError:
        return default


Form = Annotated[list[tuple[str, str]], Depends(fields_of)]
"""The fields of a form, in an answer's arguments."""
Who = Annotated[str, Depends(reviewer_of)]
"""Who reviews, in an answer's arguments; empty where nobody has said."""
