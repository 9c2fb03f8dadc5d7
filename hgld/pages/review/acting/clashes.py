"""Who else has changed a class since the page showed it."""

from collections.abc import Sequence

from hgld.pages.review.acting.drafts import Draft, in_force, label_of
from hgld.pages.review.state.board import Board
from hgld.pages.review.views import ConflictRow
from hgld.review.log.events import Event
from hgld.review.log.history import Standing, standing_of

_DECIDES = {"assign", "ignore", "clear"}


def clashes(
    board: Board, events: Sequence[Event], draft: Draft, reviewer: str, seen: int
) -> list[ConflictRow]:
    """Returns the classes that somebody else has decided otherwise since a line of the log.

    Args:
        board: the state, of all events.
        events: of the whole log.
        draft: what a reviewer is about to do.
        reviewer: who.
        seen: the last line that they saw.
    """
    rows = []
    switches = _switched(events, reviewer, seen)
    before: Standing | None = None
    for qid, saying in draft.sayings.items():
        now = in_force(board, qid)
        if saying.effect not in _DECIDES or now == saying.content:
            continue
        word = board.standing.rulings.get(qid)
        is_theirs = word and word.event.number > seen and word.event.reviewer != reviewer
        theirs = word.event if word and is_theirs else switches.get(qid)
        if theirs is None:
            continue
        before = before or standing_of(events, seen)
        earlier = before.decision(qid)
        was = earlier.content[:3] if earlier else ("clear", None, None)
        if not is_theirs and content_words(was) == content_words(now):
            continue  # what was switched bears on it no more
        rows.append(
            ConflictRow(
                class_qid=qid,
                class_label=label_of(board, qid),
                before=content_words(was),
                theirs=content_words(now),
                their_reviewer=theirs.reviewer,
                their_at=theirs.decided_at,
                their_number=theirs.number,
                mine=content_words(saying.content),
            )
        )
    return rows


def _switched(events: Sequence[Event], reviewer: str, seen: int) -> dict[str, Event]:
    """Returns class to the last undo, jump and the like by somebody else since a line."""
    switches = [
        event
        for event in events
        if event.number > seen and not event.is_edit and event.reviewer != reviewer
    ]
    if not switches:
        return {}
    edits = {event.number: event for event in events if event.is_edit}
    return {
        qid: switch
        for switch in switches
        for number in (*switch.off, *switch.on)
        if number in edits
        for qid in edits[number].classes
    }


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
