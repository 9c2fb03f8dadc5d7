"""Undo, redo, one old edit alone and jumps: the events they are, and what the page says of them."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.acting.wording import count_of, event_words
from hgld.review.log.events import Event
from hgld.review.log.undoing import Toggle, jump, revert

SwitchChoice = Callable[[Sequence[Event], str], Toggle | None]
"""What says, of the events and a reviewer, which edits are to be switched."""

_DIGITS = 24


class OthersEdits(NamedTuple):
    """How many edits of another reviewer a jump switches."""

    reviewer: str
    off: int
    on: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpQuestion:
    """What a jump does to what others did; it is asked before that is done."""

    line: int
    others: tuple[OthersEdits, ...]
    """Most edits first."""
    own: int
    """Edits of the reviewer that it switches."""
    fingerprint: str
    """Of all that it switches; who agrees sends it back."""


def revert_choice(number: int, way: Literal["revert", "restore"]) -> SwitchChoice:
    """Takes one edit back alone, or brings it back; nothing, where that is so already."""

    def choose(events: Sequence[Event], _: str) -> Toggle | None:
        toggle = revert(events, number)
        return toggle if toggle.event == way else None

    return choose


def jump_choice(line: int, *, is_own: bool = False) -> SwitchChoice:
    """Goes to what counted after a line.

    Args:
        line: of the log.
        is_own: whether the edits of others stay as they are.
    """

    def choose(events: Sequence[Event], reviewer: str) -> Toggle | None:
        toggle = jump(events, line, reviewer)
        if toggle is None or not is_own:
            return toggle
        own = {event.number for event in events if event.reviewer == reviewer}
        off = tuple(number for number in toggle.off if number in own)
        on = tuple(number for number in toggle.on if number in own)
        return toggle._replace(off=off, on=on) if off or on else None

    return choose


def jump_question(
    events: Sequence[Event], reviewer: str, line: int, agreed: str
) -> JumpQuestion | None:
    """Returns what is to be asked before a jump; None where nothing is.

    Args:
        events: of the whole log.
        reviewer: who jumps.
        line: where to.
        agreed: the fingerprint of what the reviewer has agreed to, or nothing.

    Raises:
        RefusedError: no such line.
    """
    try:
        toggle = jump(events, line, reviewer)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    if toggle is None:
        return None
    who = {event.number: event.reviewer for event in events}
    off, on = Counter(who[each] for each in toggle.off), Counter(who[each] for each in toggle.on)
    switched = off + on
    own = switched.pop(reviewer, 0)
    fingerprint = hashlib.sha256(repr(toggle).encode()).hexdigest()[:_DIGITS]
    if not switched or agreed == fingerprint:
        return None
    others = (OthersEdits(name, off[name], on[name]) for name, _ in switched.most_common())
    return JumpQuestion(line=line, others=tuple(others), own=own, fingerprint=fingerprint)


def switched_classes(events: Sequence[Event], number: int) -> list[str]:
    """Returns the classes that a switch bears on, as often as it does; none of another event."""
    event = next((each for each in events if each.number == number), None)
    switched = {*event.off, *event.on} if event else set[int]()
    return [qid for each in events if each.number in switched for qid in each.classes]


def switched_words(events: Sequence[Event], toggle: Toggle) -> str:
    """Returns what the page says of a switch."""
    of = toggle.of or next(iter((*toggle.off, *toggle.on)))
    what = event_words(next(event for event in reversed(events) if event.number == of))
    match toggle.event:
        case "undo":
            return f"Undone: {what}. U does it again."
        case "redo":
            return f"Done again: {what}."
        case "revert":
            return f"Taken back alone: {what}."
        case "restore":
            return f"Brought back: {what}."
    off, on = count_of(len(toggle.off), "edit"), count_of(len(toggle.on), "edit")
    return f"Jumped: {off} off, {on} on. u takes it back."
