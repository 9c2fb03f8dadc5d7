"""An action before it is done: whether a person is to be asked first, and what it is in words."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from hgld.pages.review.board import Board
from hgld.pages.review.conflicts import answer_words, clashes
from hgld.pages.review.drafts import Draft, DraftDecision, in_force, label_of
from hgld.pages.review.names import OPEN
from hgld.pages.review.naming import use_of
from hgld.pages.review.requests import ActRequest, RefusedError
from hgld.pages.review.views import Change, Conflict, Question
from hgld.pages.review.wording import classes_and_landmarks, count_of
from hgld.review.log.events import Event

_NAMED = 2  # answers; of more, their number is told
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


def question_of(board: Board, request: ActRequest, draft: Draft) -> Question:
    """Returns what an action would do, to be agreed to."""
    words = {
        qid: (_before(board, qid, decision), _after(decision))
        for qid, decision in draft.decisions.items()
    }
    landmarks: Counter[tuple[str, str]] = Counter()
    for qid, change in words.items():
        landmarks[change] += landmarks_under(board, qid)
    return Question(
        text=_what(board, request, draft, is_done=False) if words else "Nothing to do",
        classes=len(words),
        sight=request.sight,
        changes=tuple(
            Change(before, after, count, landmarks[before, after])
            for (before, after), count in Counter(words.values()).most_common()
        ),
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


def done_words(board: Board, request: ActRequest, draft: Draft) -> str:
    """Returns what the page says of an action that is done."""
    return f"{_what(board, request, draft, is_done=True)}. u takes it back."


def landmarks_under(board: Board, qid: str) -> int:
    """Returns the landmarks of a class; 0 of one that is gone."""
    row = board.classes.row.get(qid)
    return 0 if row is None else int(board.classes.landmarks[row])


def _what(board: Board, request: ActRequest, draft: Draft, *, is_done: bool) -> str:
    qids = draft.decisions
    counts = classes_and_landmarks(len(qids), sum(landmarks_under(board, qid) for qid in qids))
    if len(qids) == 1:
        counts = label_of(board, next(iter(qids)))
    now, done, after = _VERBS[request.action]
    verb = done if is_done else now
    answers = _answers(draft)
    match request.action:
        case "accept" | "accept_row" | "name":
            return f"{verb} {counts} as {answers}"
        case "rename":
            merging = _merging(board, request)
            return f"{verb} {request.label.strip()} to {answers}: {counts}{merging}"
        case "side":
            return f"{verb} {request.label.strip()} {request.side}: {counts}"
    return f"{verb} {counts}{after}"


def _merging(board: Board, request: ActRequest) -> str:
    old, new = use_of(board, request.label), use_of(board, request.to)
    if not new.is_used or new.name == old.name:
        return ""
    return f"; both are one super-category then, {new.name.natural_or_human_made}"


_VERBS: Mapping[str, tuple[str, str, str]] = {
    "accept": ("Accept", "Accepted", ""),
    "accept_row": ("Accept", "Accepted", ""),
    "name": ("Name", "Named", ""),
    "ignore": ("Ignore", "Ignored", ""),
    "clear": ("Open again", "Opened again", ""),
    "rename": ("Rename", "Renamed", ""),
    "side": ("Make", "Made", ""),
    "merge": ("Put", "Put", " into the group"),
    "split": ("Split off", "Split off", ""),
    "ungroup": ("Put", "Put", " back into their clusters"),
    "doubt": ("Mark", "Marked", " as doubtful"),
    "trust": ("Mark", "Marked", " as doubtful no more"),
    "comment": ("Comment on", "Commented on", ""),
}


def _answers(draft: Draft) -> str:
    names = Counter(_after(decision) for decision in draft.decisions.values()).most_common()
    if len(names) <= _NAMED:
        return " and ".join(name for name, _ in names)
    return f"{names[0][0]} and {count_of(len(names) - 1, 'other')}"


def _after(decision: DraftDecision) -> str:
    match decision.effect:
        case "assign" | "ignore" | "clear":
            return answer_words(decision.content)
        case "group":
            return f"group {decision.group}" if decision.group else "its cluster"
    return decision.effect


def _before(board: Board, qid: str, decision: DraftDecision) -> str:
    row = board.classes.row.get(qid)
    if decision.effect == "group" and row is not None:
        return f"group {board.group_of(row)}"
    if row is None or board.decided[row] != OPEN:
        return answer_words(in_force(board, qid))
    number = board.answer_of(row)
    return f"open, proposed {board.names.words(number) if number else 'to ignore'}"
