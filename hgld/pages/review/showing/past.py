"""The history in words: what was done, and what depends on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.acting.wording import event_words, subjects_of
from hgld.pages.review.views import HistoryRow
from hgld.review.log.events import Event
from hgld.review.log.undoing import dependents

_PAGE = 50
_NAMED = 5  # classes of an event
ONLY = ("", "mine", "unseen")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Some rows of the history, the latest first."""

    rows: tuple[HistoryRow, ...]
    more: bool
    """Whether there are earlier ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The events of a log as a reviewer looks at them."""

    events: Sequence[Event]
    active: frozenset[int]
    reviewer: str
    seen: int
    """The line up to which they have looked before."""

    def page(self, before: int = 0, only: str = "") -> HistoryPage:
        """Returns a page of the history.

        Args:
            before: events of smaller numbers alone; 0: from the last on.
            only: mine, unseen, or all where it is empty.

        Raises:
            RefusedError: `only` is something else.
        """
        if only not in ONLY:
            raise RefusedError(f"only must be mine, unseen or empty, got {only!r}")
        chosen = self._chosen(before, only)
        rows = [row for row, _ in zip(chosen, range(_PAGE + 1), strict=False)]
        return HistoryPage(rows=tuple(rows[:_PAGE]), more=len(rows) > _PAGE)

    def row(self, event: Event) -> HistoryRow:
        """Returns an event in words."""
        subjects = subjects_of(event)
        return HistoryRow(
            number=event.number,
            event=event.event,
            text=event_words(event),
            reviewer=event.reviewer,
            decided_at=event.decided_at,
            why=event.why,
            is_active=not event.is_edit or event.number in self.active,
            is_edit=event.is_edit,
            is_mine=event.reviewer == self.reviewer,
            is_unseen=self._is_unseen(event),
            classes=tuple(subjects.items())[:_NAMED],
            class_count=len(subjects),
        )

    def dependents(self, number: int) -> tuple[HistoryRow, tuple[HistoryRow, ...]]:
        """Returns an edit, and the later ones that stay as they are when it is taken back.

        Raises:
            RefusedError: no such edit.
        """
        try:
            later = dependents(self.events, number)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        edit = next(event for event in self.events if event.number == number)
        return self.row(edit), tuple(map(self.row, later))

    def _chosen(self, before: int, only: str) -> Iterable[HistoryRow]:
        for event in reversed(self.events):
            is_other = event.reviewer != self.reviewer
            if (before and event.number >= before) or (only == "mine" and is_other):
                continue
            if only == "unseen" and not self._is_unseen(event):
                continue
            yield self.row(event)

    def _is_unseen(self, event: Event) -> bool:
        return event.number > self.seen and event.reviewer != self.reviewer
