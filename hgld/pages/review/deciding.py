"""An action before it is done: what a person is asked first, and what others changed meanwhile."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from hgld.pages.review.actions import TITLES
from hgld.pages.review.board import Board
from hgld.pages.review.drafts import Draft, DraftDecision, in_force, label_of
from hgld.pages.review.names import OPEN, use_of
from hgld.pages.review.requests import ActRequest, RefusedError
from hgld.pages.review.views import Change, Conflict, ConflictRow, Question
from hgld.pages.review.wording import count_of, event_words
from hgld.review.log.events import Effect, Event
from hgld.review.log.history import Standing

_KIND_OF: Mapping[Effect, str] = {
    "assign": "decision",
    "ignore": "decision",
    "clear": "decision",
    "group": "group",
}
"""What clashes: the later of two of a kind would say something else than the earlier."""
_DIGITS = 24  # of a fingerprint: no two that a person may meet are the same


def weigh(
    board: Board,
    events: Sequence[Event],
    request: ActRequest,
    draft: Draft,
    reviewer: str,
) -> Draft | Conflict | Question:
    """Returns what is to be done; or what a person is to be asked, and nothing is done.

    Args:
        board: the state, of all events.
        events: of the whole log.
        request: what is asked for.
        draft: what it would say.
        reviewer: who asks.

    Returns:
        What to do; the question, where the page wants it or it is another than was agreed to; or
        what somebody else has changed since the page showed it, unless theirs is to be kept.
    """
    if request.asks or request.agreed not in {"", fingerprint(board, draft)}:
        return question_of(board, request, draft)
    seen = board.line if request.seen is None else request.seen
    if seen >= board.line:
        return draft
    found = clashes(board, events, draft, reviewer, seen)
    rest = draft.without(row.class_qid for row in found)
    if request.keeps_theirs or not found:
        return rest
    return Conflict(rows=tuple(found), line=board.line, rest=len(rest.decisions))


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
            seen=board.line if request.seen is None else request.seen,
            changes=draft.changes(board),
        )
    except ValueError as error:
        raise RefusedError(str(error)) from error


def done_words(board: Board, event: Event) -> str:
    """Returns what the page says of an action that is done."""
    words = event_words(event)
    landmarks = count_of(_landmarks(board, event.classes), "landmark")
    return f"{words[:1].upper()}{words[1:]} ({landmarks}). u takes it back."


def question_of(board: Board, request: ActRequest, draft: Draft) -> Question:
    """Returns what an action would do, to be agreed to."""
    together = defaultdict[tuple[str, str], list[str]](list)
    for qid, decision in draft.decisions.items():
        now = _words_now(board, qid, decision.effect)
        row = board.classes.row.get(qid)
        if decision.effect != "group" and row is not None and board.decided[row] == OPEN:
            number = board.answer_of(row)
            now = f"open, proposed {board.names.words(number) if number else 'to ignore'}"
        together[now, _words_then(board, decision)].append(qid)
    changes = (
        Change(now, then, len(qids), _landmarks(board, qids))
        for (now, then), qids in together.items()
    )
    return Question(
        text=_asked_words(board, request, draft),
        classes=len(draft.decisions),
        sight=request.sight,
        changes=tuple(sorted(changes, key=lambda change: -change.classes)),
        fingerprint=fingerprint(board, draft),
    )


def fingerprint(board: Board, draft: Draft) -> str:
    """Returns what two drafts have in common that do the same: a new group may have any name."""
    names: dict[str, str] = {}
    told: list[tuple[str | None, ...]] = []
    for qid, decision in sorted(draft.decisions.items()):
        group = decision.group or ""
        if group not in board.group_number:
            group = names.setdefault(group, f"+{len(names)}")
        told.append((qid, *decision.content, group))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_DIGITS]


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
    touched = dict[tuple[str, str], Event]()
    for event in events[seen:]:
        for number in (event.number, *event.off, *event.on):
            for change in events[number - 1].changes:
                if kind := _KIND_OF.get(change.effect):
                    touched.update(dict.fromkeys(((kind, qid) for qid in change.classes), event))
    rows = []
    for qid, decision in draft.decisions.items():
        theirs = touched.get((_KIND_OF.get(decision.effect, ""), qid))
        if theirs is None:
            continue
        before = _words_now(board, qid, decision.effect, board.standing_at(seen))
        now = _words_now(board, qid, decision.effect)
        if before != now:  # else what was done since bears on it no more
            row = ConflictRow(
                class_qid=qid,
                class_label=label_of(board, qid),
                before=before,
                theirs=now,
                their_reviewer=teller(theirs, reviewer),
                their_at=theirs.decided_at,
                mine=_words_then(board, decision),
            )
            rows.append(row)
    return rows


def teller(event: Event, reviewer: str) -> str:
    """Returns how a reviewer is told whose an event is that the page did not show."""
    is_same = event.reviewer == reviewer
    return f"{reviewer} (this name, in another window)" if is_same else event.reviewer


def _asked_words(board: Board, request: ActRequest, draft: Draft) -> str:
    landmarks = count_of(_landmarks(board, draft.decisions), "landmark")
    counts = f"{count_of(len(draft.decisions), 'class', 'classes')} ({landmarks})"
    match request.action:
        case "rename":
            old, new = use_of(board, request.label), use_of(board, request.to)
            is_merge = new.is_used and new.name != old.name
            to = f"{request.to.strip()}{', which it joins' if is_merge else ''}"
            return f"Rename {request.label.strip()} to {to}: {counts}"
        case "side":
            return f"Make {request.label.strip()} {request.side}: {counts}"
    return f"{TITLES[request.action]}: {counts}"


def _landmarks(board: Board, qids: Iterable[str]) -> int:
    rows = [board.classes.row[qid] for qid in qids if qid in board.classes.row]  # others are gone
    return int(board.classes.landmarks[rows].sum())


def _words_now(board: Board, qid: str, effect: Effect, standing: Standing | None = None) -> str:
    """Returns what a class is, of what an effect bears on."""
    if effect != "group":
        return _content_words(in_force(board, qid, standing))
    group = (standing or board.standing).groups.get(qid)
    row = board.classes.row.get(qid)
    if group is None and row is not None:
        group = board.home_of(row)
    return f"in the group {group}" if group else "in its cluster"


def _words_then(board: Board, decision: DraftDecision) -> str:
    if decision.effect != "group":
        return _content_words(decision.content)
    if decision.group is None:
        return "in its cluster"
    is_new = decision.group not in board.group_number
    return "in a group of its own" if is_new else f"in the group {decision.group}"


def _content_words(content: tuple[str | None, ...]) -> str:
    effect, label, side = content
    if effect == "assign":
        return f"{(label or '').strip()} ({side})"
    return {"ignore": "ignored", "clear": "open"}.get(effect or "", effect or "")
