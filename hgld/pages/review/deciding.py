"""An action before it is done: what a person is asked first, and what others changed meanwhile."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from hgld.pages.review.actions import TITLES
from hgld.pages.review.board import Board
from hgld.pages.review.drafts import decided_as
from hgld.pages.review.names import OPEN, KnownName, used_name
from hgld.pages.review.requests import ActRequest
from hgld.pages.review.views import Becomes, Conflict, ConflictRow, Question
from hgld.pages.review.wording import count_of, event_words
from hgld.review.log.events import Change, Event
from hgld.review.log.history import Standing

_DIGITS = 24  # of a fingerprint: no two that a person may meet are the same


def weigh(
    board: Board, events: Sequence[Event], request: ActRequest, draft: Event
) -> Event | Conflict | Question | None:
    """Returns what is to be done; or what a person is to be asked, and nothing is done.

    Args:
        board: the state, of all events.
        events: of the whole log.
        request: what is asked for.
        draft: what it would do.

    Returns:
        The event to append, None if theirs is kept of all; the question, where the page wants it
        or it is another than was agreed to; or what somebody else has changed since the page showed
        it, unless theirs is to be kept.
    """
    if request.asks or (request.agreed and request.agreed != fingerprint(board, draft)):
        return question_of(board, request, draft)
    found = clashes(board, events, draft)
    rest = _without(draft, {row.class_qid for row in found}) if found else draft
    if request.keeps_theirs or not found:
        return rest
    return Conflict(rows=tuple(found), line=board.line, rest=len(rest.classes) if rest else 0)


def done_words(board: Board, event: Event) -> str:
    """Returns what the page says of an action that is done."""
    words = event_words(event)
    landmarks = count_of(_landmarks(board, event.classes), "landmark")
    return f"{words[:1].upper()}{words[1:]} ({landmarks}). u takes it back."


def question_of(board: Board, request: ActRequest, draft: Event) -> Question:
    """Returns what an action would do, to be agreed to."""
    together = defaultdict[tuple[str, str], list[str]](list)
    for change in draft.changes:
        then = _words_then(board, change)
        for qid in change.classes:
            now = _words_now(board, board.standing, change, qid)
            row = board.classes.row.get(qid)
            if change.effect != "group" and row is not None and board.decided[row] == OPEN:
                number = board.answer_of(row)
                now = f"open, proposed {board.names.words(number) if number else 'to ignore'}"
            together[now, then].append(qid)
    changes = (
        Becomes(now, then, len(qids), _landmarks(board, qids))
        for (now, then), qids in together.items()
    )
    return Question(
        text=_asked_words(board, request, draft),
        classes=len(draft.classes),
        sight=request.sight,
        changes=tuple(sorted(changes, key=lambda change: -change.classes)),
        fingerprint=fingerprint(board, draft),
    )


def fingerprint(board: Board, draft: Event) -> str:
    """Returns what two drafts have in common that do the same: a new group may have any name."""
    told = []
    for change in draft.changes:
        effect, what, side, _ = change.content
        is_new_group = effect == "group" and what and what not in board.group_number
        content = (effect, "" if is_new_group else what, side)
        told += [(qid, *content) for qid in change.classes]
    return hashlib.sha256(json.dumps(sorted(told)).encode()).hexdigest()[:_DIGITS]


def clashes(board: Board, events: Sequence[Event], draft: Event) -> list[ConflictRow]:
    """Returns the classes that were decided, or grouped, otherwise since the draft's line.

    Args:
        board: the state, of all events.
        events: of the whole log.
        draft: what a reviewer is about to do.
    """
    touched = {
        (_bears_on(change), qid): event
        for event in events[draft.seen :]
        for number in (event.number, *event.off, *event.on)
        for change in events[number - 1].changes
        for qid in change.classes
    }
    told = [
        (change, qid, label, touched[_bears_on(change), qid])
        for change in draft.changes
        if _bears_on(change)
        for qid, label in change.classes.items()
        if (_bears_on(change), qid) in touched
    ]
    rows = [
        ConflictRow(
            class_qid=qid,
            class_label=label,
            before=_words_now(board, board.standing_at(draft.seen), change, qid),
            theirs=_words_now(board, board.standing, change, qid),
            their_reviewer=teller(theirs, draft.reviewer),
            their_at=theirs.decided_at,
            mine=_words_then(board, change),
        )
        for change, qid, label, theirs in told
    ]
    return [row for row in rows if row.before != row.theirs]  # else it bears on it no more


def teller(event: Event, reviewer: str) -> str:
    """Returns how a reviewer is told whose an event is that the page did not show."""
    is_same = event.reviewer == reviewer
    return f"{reviewer} (this name, in another window)" if is_same else event.reviewer


def _without(draft: Event, qids: Collection[str]) -> Event | None:
    """Returns a draft without some classes; None where no other is left."""
    kept = []
    for change in draft.changes:
        left = {qid: label for qid, label in change.classes.items() if qid not in qids}
        kept += [replace(change, classes=left)] if left else []
    return replace(draft, changes=tuple(kept)) if kept else None


def _bears_on(change: Change) -> str:
    """Returns what of a class a change is about; empty where two of them do not clash."""
    return "decision" if change.decides else "group" if change.effect == "group" else ""


def _asked_words(board: Board, request: ActRequest, draft: Event) -> str:
    landmarks = count_of(_landmarks(board, draft.classes), "landmark")
    counts = f"{count_of(len(draft.classes), 'class', 'classes')} ({landmarks})"
    old, to = request.label.strip(), request.to.strip()
    match request.action:
        case "rename":
            joins = used_name(board, to) not in {None, used_name(board, old)}
            return f"Rename {old} to {to}{', which it joins' if joins else ''}: {counts}"
        case "side":
            return f"Make {old} {request.side}: {counts}"
    return f"{TITLES[request.action]}: {counts}"


def _landmarks(board: Board, qids: Iterable[str]) -> int:
    rows = [board.classes.row[qid] for qid in qids if qid in board.classes.row]  # others are gone
    return int(board.classes.landmarks[rows].sum())


def _words_now(board: Board, standing: Standing, change: Change, qid: str) -> str:
    """Returns what a class is, of what a change is about."""
    if change.effect != "group":
        return _decided_words(decided_as(standing, qid))
    row = board.classes.row.get(qid)
    group = standing.groups.get(qid) or (board.home_of(row) if row is not None else "")
    return _group_words(board, group) if group else "in its cluster"


def _words_then(board: Board, change: Change) -> str:
    if change.decides:
        name = KnownName(change.hierarchical_label or "", change.natural_or_human_made or "")
        return _decided_words(None if change.effect == "clear" else name)
    if change.effect != "group":
        return change.effect
    return _group_words(board, change.group) if change.group else "in its cluster"


def _group_words(board: Board, group: str) -> str:
    """Returns a group by its class of most landmarks."""
    if group not in board.group_number:
        return "in a group of its own"
    rows = board.members(group)
    if not len(rows):
        return "in a group that is no more"
    return f"in the group of {board.classes.labels[rows[board.classes.landmarks[rows].argmax()]]}"


def _decided_words(name: KnownName | None) -> str:
    if name is None:
        return "open"
    label, side = name
    return f"{label.strip()} ({side})" if label else "ignored"
