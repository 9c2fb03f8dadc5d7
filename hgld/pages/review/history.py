"""The history: what was done, by whom, and whether it still counts."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from hgld.pages.review.wording import event_words
from hgld.review.log.events import Event
from hgld.review.log.undoing import Toggle

_PAGE = 50


class HistoryPage(NamedTuple):
    """Some events, the latest first."""

    events: tuple[Event, ...]
    active: Collection[int]
    """Numbers of the edits that count."""
    more: bool
    """Whether there are earlier ones."""


def history_page(
    events: Sequence[Event], active: Collection[int], *, before: int = 0, reviewer: str = ""
) -> HistoryPage:
    """Returns a page of the history.

    Args:
        events: of the whole log.
        active: numbers of the edits that count.
        before: events of smaller numbers alone; 0: from the last on.
        reviewer: whose events alone; empty: all.
    """
    chosen = [
        event
        for event in reversed(events)
        if (not before or event.number < before) and reviewer in {"", event.reviewer}
    ]
    return HistoryPage(tuple(chosen[:_PAGE]), active, len(chosen) > _PAGE)


def switched_edit(events: Sequence[Event], toggle: Toggle | None) -> Event | None:
    """Returns the edit that an undo or redo would switch; None: there is none."""
    return events[(*toggle.off, *toggle.on)[0] - 1] if toggle else None


def switched_words(events: Sequence[Event], toggle: Toggle) -> str:
    """Returns what the page says of a switch that is done."""
    words = [event_words(events[number - 1]) for number in (*toggle.off, *toggle.on)]
    return _SWITCHED[toggle.event].format(words[0])


_SWITCHED = {
    "undo": "Undone: {}. U does it again.",
    "redo": "Done again: {}. u takes it back.",
    "revert": "Taken back alone: {}.",
    "restore": "Brought back: {}.",
}
