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
    before: Standing | None = None
    for qid, saying in draft.sayings.items():
        word = board.standing.rulings.get(qid)
        if (
            saying.effect not in _DECIDES
            or word is None
            or word.event.number <= seen
            or word.event.reviewer == reviewer
            or in_force(board, qid) == saying.content
        ):
            continue
        before = before or standing_of(events, seen)
        earlier = before.decision(qid)
        rows.append(
            ConflictRow(
                class_qid=qid,
                class_label=label_of(board, qid),
                before=content_words(earlier.content[:3] if earlier else ("clear", None, None)),
                theirs=content_words(in_force(board, qid)),
                their_reviewer=word.event.reviewer,
                their_at=word.event.decided_at,
                their_number=word.event.number,
                mine=content_words(saying.content),
            )
        )
    return rows


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
