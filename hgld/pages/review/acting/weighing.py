"""Whether an action is done as it was asked for, or a person is to be asked first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hgld.pages.review.acting.asking import ActRequest, RefusedError
from hgld.pages.review.acting.clashes import clashes
from hgld.pages.review.acting.drafts import Draft, draft_of
from hgld.pages.review.acting.telling import fingerprint, preview_of
from hgld.pages.review.state.board import Board
from hgld.pages.review.views import ConflictRow, PreviewView
from hgld.review.log.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Classes that somebody else has changed since the page showed them."""

    rows: tuple[ConflictRow, ...]
    line: int
    """The last line of the log that is in it."""
    rest: int
    """Classes that the action is about besides."""


def weigh(
    board: Board,
    events: Sequence[Event],
    request: ActRequest,
    reviewer: str,
    own: Collection[int] = (),
) -> Draft | Conflict | PreviewView:
    """Returns what is to be done; or what a person is to be shown, and nothing is done.

    Args:
        board: the state, of all events.
        events: of the whole log.
        request: what is asked for.
        reviewer: who asks.
        own: numbers of events that they made in the same window.

    Returns:
        What to do; the preview, where it is another than the one that was agreed to; or what
        somebody else has changed since the page showed it, where the request does not say whose
        version is preferred, or more was changed since that was asked.

    Raises:
        RefusedError: it cannot be done so.
    """
    draft = draft_of(board, request)
    if request.shown and request.shown != fingerprint(board, draft):
        return preview_of(board, request, draft)
    seen = board.line if request.seen is None else request.seen
    found = clashes(board, events, draft, reviewer, seen, own)
    rest = draft.without(row.class_qid for row in found)
    if request.prefer == "theirs" or not found:
        return rest
    told = seen if request.told is None else request.told
    if request.prefer == "mine" and not clashes(board, events, draft, reviewer, told, own):
        return draft
    return Conflict(rows=tuple(found), line=board.line, rest=len(rest.sayings))


def edit_of(
    board: Board, request: ActRequest, draft: Draft, reviewer: str, decided_at: str
) -> Event:
    """Returns the event that is appended for an action.

    Raises:
        RefusedError: something in it is no text.
    """
    try:
        return Event(
            event=draft.event,
            decided_at=decided_at,
            reviewer=reviewer,
            why="" if draft.event in {"comment", "doubt"} else request.why,
            seen=board.line if request.seen is None else max(request.seen, request.told or 0),
            changes=draft.changes(board),
        )
    except ValueError as error:
        raise RefusedError(str(error)) from error
