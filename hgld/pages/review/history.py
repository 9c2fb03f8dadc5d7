"""The history in words: what was done, by whom, and whether it still counts."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from hgld.pages.review.views import NOTHING, Switchable
from hgld.pages.review.wording import event_words, subjects_of
from hgld.review.log.events import Event
from hgld.review.log.undoing import Toggle

_PAGE = 50
_NAMED = 5  # classes of an event


class HistoryRow(NamedTuple):
    """An event, as the history tells it."""

    number: int
    text: str
    """In words: `accepted 12 classes as castle / fort`."""
    reviewer: str
    decided_at: str
    why: str
    is_active: bool
    """Of an edit: whether it counts. Of a switch: True."""
    is_edit: bool
    classes: tuple[str, ...]
    """The labels of the first few; of an event about categories alone, these."""
    more: int
    """Classes besides."""


class HistoryPage(NamedTuple):
    """Some rows of the history, the latest first."""

    rows: tuple[HistoryRow, ...]
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
    return HistoryPage(tuple(_row(event, active) for event in chosen[:_PAGE]), len(chosen) > _PAGE)


def switchable(events: Sequence[Event], toggle: Toggle | None) -> Switchable:
    """Returns what an undo or redo would switch."""
    if toggle is None:
        return NOTHING
    number = (*toggle.off, *toggle.on)[0]
    event = next(each for each in reversed(events) if each.number == number)
    return Switchable(number, event_words(event), len(event.classes))


def switched_words(events: Sequence[Event], toggle: Toggle) -> str:
    """Returns what the page says of a switch that is done."""
    return _SWITCHED[toggle.event].format(switchable(events, toggle).text)


_SWITCHED = {
    "undo": "Undone: {}. U does it again.",
    "redo": "Done again: {}. u takes it back.",
    "revert": "Taken back alone: {}.",
    "restore": "Brought back: {}.",
}


def _row(event: Event, active: Collection[int]) -> HistoryRow:
    named = list(subjects_of(event).values())
    return HistoryRow(
        number=event.number,
        text=event_words(event),
        reviewer=event.reviewer,
        decided_at=event.decided_at,
        why=event.why,
        is_active=not event.is_edit or event.number in active,
        is_edit=event.is_edit,
        classes=tuple(named[:_NAMED]),
        more=max(len(named) - _NAMED, 0),
    )
