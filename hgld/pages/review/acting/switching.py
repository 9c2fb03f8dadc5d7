"""Undo, redo, one old edit alone and jumps: the events they are, and what the page says of them."""

from collections.abc import Callable, Sequence

from hgld.pages.review.acting.wording import count_of, event_words
from hgld.review.log.events import Event
from hgld.review.log.undoing import Toggle, jump, revert

SwitchChoice = Callable[[Sequence[Event], str], Toggle | None]
"""What says, of the events and a reviewer, which edits are to be switched."""


def revert_choice(number: int) -> SwitchChoice:
    """Takes one edit back alone, or brings it back."""
    return lambda events, _: revert(events, number)


def jump_choice(line: int) -> SwitchChoice:
    """Goes to what counted after a line."""
    return lambda events, _: jump(events, line)


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
