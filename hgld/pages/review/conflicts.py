"""Who else has changed a class since the page showed it."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from hgld.pages.review.board import Board
from hgld.pages.review.drafts import Draft, DraftDecision, in_force, label_of
from hgld.pages.review.views import ConflictRow
from hgld.review.log.events import Change, Event
from hgld.review.log.history import Standing

_DECIDES = {"assign", "ignore", "clear"}


class _Touched(NamedTuple):
    """Of each class the last event since a line that bears on it."""

    decided: dict[str, Event]
    grouped: dict[str, Event]


def clashes(
    board: Board, events: Sequence[Event], draft: Draft, reviewer: str, seen: int
) -> list[ConflictRow]:
    """Returns the classes that were decided, or grouped, otherwise since a line of the log.

    Args:
        board: the state, of all events.
        events: of the whole log.
        draft: what a reviewer is about to do.
        reviewer: who.
        seen: the last line that they saw.
    """
    touched = _touched(events, seen)
    if not (touched.decided or touched.grouped):
        return []
    rows = []
    before = board.standing_at(seen)
    for qid, decision in draft.decisions.items():
        is_decision = decision.effect in _DECIDES
        theirs = (touched.decided if is_decision else touched.grouped).get(qid)
        if theirs is None or not (is_decision or decision.effect == "group"):
            continue
        words = _decided_words if is_decision else _grouped_words
        was, now = words(board, qid, before), words(board, qid, board.standing)
        if was == now:
            continue  # what was done since bears on it no more
        rows.append(
            ConflictRow(
                class_qid=qid,
                class_label=label_of(board, qid),
                before=was,
                theirs=now,
                their_reviewer=teller(theirs, reviewer),
                their_at=theirs.decided_at,
                mine=_mine(board, decision),
            )
        )
    return rows


def _touched(events: Sequence[Event], seen: int) -> _Touched:
    found = _Touched({}, {})
    since = list(takewhile(lambda event: event.number > seen, reversed(events)))
    for event in reversed(since):
        for change in _changes_of(event, events):
            if change.decides:
                found.decided.update(dict.fromkeys(change.classes, event))
            elif change.effect == "group":
                found.grouped.update(dict.fromkeys(change.classes, event))
    return found


def _changes_of(event: Event, events: Sequence[Event]) -> Iterator[Change]:
    """Yields what an edit says, and what is said by those that a switch turns off or on."""
    if event.is_edit:
        yield from event.changes
        return
    switched = {*event.off, *event.on}
    for each in events:
        if each.number in switched and each.is_edit:
            yield from each.changes


def _decided_words(board: Board, qid: str, standing: Standing) -> str:
    return content_words(in_force(board, qid, standing))


def _grouped_words(board: Board, qid: str, standing: Standing) -> str:
    group = standing.groups.get(qid)
    row = board.classes.row.get(qid)
    if group is None and row is not None:
        group = board.home_of(row)
    return f"in the group {group}" if group else "in its cluster"


def _mine(board: Board, decision: DraftDecision) -> str:
    if decision.effect != "group":
        return content_words(decision.content)
    if decision.group is None:
        return "in its cluster"
    is_new = decision.group not in board.group_number
    return "in a group of its own" if is_new else f"in the group {decision.group}"


def teller(event: Event, reviewer: str) -> str:
    """Returns how a reviewer is told whose an event is that the page did not show."""
    is_same = event.reviewer == reviewer
    return f"{reviewer} (this name, in another window)" if is_same else event.reviewer


def content_words(content: tuple[str | None, ...]) -> str:
    """Returns what is decided in words.

    Example:
        >>> content_words(("assign", "lake", "natural")), content_words(("ignore", None, None))
        ('lake (natural)', 'ignored')
    """
    effect, label, side = content
    if effect == "assign":
        return f"{(label or '').strip()} ({side})"
    return "ignored" if effect == "ignore" else "open"


def answer_words(content: tuple[str | None, ...]) -> str:
    """Returns the same without the side."""
    effect, label, _ = content
    return (label or "").strip() if effect == "assign" else content_words(content)
