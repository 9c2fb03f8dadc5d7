"""The rows of the page, made of the state."""

import numpy as np
from numpy.typing import NDArray

from hgld.labels.proposing.proposals import Proposal, outliers
from hgld.pages.review.board import Board
from hgld.pages.review.counting import GroupTally
from hgld.pages.review.landmarks import LandmarkIndex
from hgld.pages.review.names import NO_NAME, OPEN, KnownName
from hgld.pages.review.views import (
    ClassRow,
    GroupRow,
    NameRow,
    Progress,
    Remark,
    Thumbnail,
)
from hgld.pages.review.wording import percent_of, plain_evidence
from hgld.pages.serving.wikimedia import wikidata_url
from hgld.review.log.history import Word

_CHOICES = 9
_LEAST = 0.01  # a runner-up below this is not shown


def group_row(board: Board, tally: GroupTally, number: int) -> GroupRow:
    """Returns a line of the list."""
    return GroupRow(
        group=board.group_ids[number],
        name=tally.names[number],
        classes=int(tally.classes[number]),
        open=int(tally.open[number]),
        unsure=int(tally.unsure[number]),
        landmarks=int(tally.landmarks[number]),
        answer=board.names.now(int(tally.top[number])),
        share=float(tally.share[number]),
    )


def class_row(
    board: Board,
    landmarks: LandmarkIndex,
    row: int,
    *,
    is_outlier: bool = False,
    group: str = "",
    thumbnails: tuple[Thumbnail, ...] = (),
) -> ClassRow:
    """Returns a class as it is shown."""
    qid, proposal = board.classes.qids[row], board.proposals[row]
    number = int(board.decided[row])
    decision = board.standing.rulings.get(qid) if number != OPEN else None
    doubt = board.standing.doubts.get(qid)
    return ClassRow(
        class_qid=qid,
        class_label=board.classes.labels[row],
        landmarks=int(board.classes.landmarks[row]),
        state="open" if decision is None else "assigned" if number else "ignored",
        is_sure=decision is None and not board.asks[row] and doubt is None,
        answer=board.names.now(board.answer_of(row)),
        confidence=proposal.confidence if decision is None else 1.0,
        evidence=_decided_words(decision) if decision else plain_evidence(proposal.evidence),
        runner_up=_runner_up(board, row) if decision is None else "",
        doubt=_remark(doubt) if doubt else None,
        comments=tuple(map(_remark, board.standing.comments.get(qid, ()))),
        is_outlier=is_outlier,
        is_new=bool(board.classes.is_new[row]),
        wikidata_url=wikidata_url(qid),
        group=group,
        examples=landmarks.examples(row),
        thumbnails=thumbnails,
    )


def outlying(board: Board, rows: NDArray[np.int64], top: int) -> set[str]:
    """Returns the open members that fit their group badly, by class_qid; none of a mixed group.

    Args:
        board: the state.
        rows: of the group.
        top: the answer of most of its landmarks.
    """
    label = board.names.now(top).hierarchical_label or None
    found: list[Proposal] = []
    for row in rows.tolist():
        own = board.names.now(board.answer_of(row)).hierarchical_label
        found.append(board.proposals[row]._replace(proposed_label=own or None))
    far = set(outliers(found, label))
    return far if 2 * len(far) < len(found) else set()


def name_choices(board: Board, members: NDArray[np.int64]) -> tuple[KnownName, ...]:
    """Returns the likeliest super-categories of a group: those of its open classes first."""
    chosen = members[board.decided[members] == OPEN]
    chosen = chosen if len(chosen) else members
    weight = np.maximum(board.classes.landmarks[chosen], 1)
    names = len(board.names)
    scores = np.bincount(board.answer[chosen], weight * board.confidence[chosen], minlength=names)
    others = board.names.current[board.runner_up[chosen]]
    scores += np.bincount(others, weight * board.other_confidence[chosen], minlength=names)
    scores[NO_NAME] = 0
    order = np.argsort(-scores, kind="stable")[:_CHOICES].tolist()
    return tuple(board.names.now(number) for number in order if scores[number] > 0)


def name_rows(board: Board) -> tuple[NameRow, ...]:
    """Returns the super-categories that a class has, or for which one is proposed, by name."""
    answer, is_open, landmarks = board.answer, board.is_open, board.classes.landmarks
    total = len(board.names)
    classes = np.bincount(answer[~is_open], minlength=total)
    decided = np.bincount(answer[~is_open], landmarks[~is_open], minlength=total)
    proposed = np.bincount(answer[is_open], minlength=total)
    rows = [
        NameRow(
            *board.names.now(number),
            classes=int(classes[number]),
            landmarks=int(decided[number]),
            proposed=int(proposed[number]),
            is_own=number >= board.names.shipped,
        )
        for number in np.flatnonzero(classes + proposed).tolist()
        if number != NO_NAME
    ]
    return tuple(sorted(rows, key=lambda row: row.hierarchical_label.casefold()))


def suggestions(board: Board) -> tuple[KnownName, ...]:
    """Returns all names that a class can be given: the taxonomy's, and those in use."""
    used = set(board.decided.tolist())
    numbers = (
        number
        for number in range(1, len(board.names))
        if (number < board.names.shipped and board.names.current[number] == number)
        or number in used
    )
    return tuple(sorted(map(board.names.now, numbers), key=lambda name: name[0].casefold()))


def progress_of(board: Board, landmarks: LandmarkIndex, tally: GroupTally) -> Progress:
    """Returns how far the review is."""
    return Progress(
        classes=len(board.classes),
        decided=int((~board.is_open).sum()),
        groups=len(tally.names),
        groups_done=len(tally.names) - int((tally.open > 0).sum()),
        landmarks=len(landmarks),
        settled=landmarks.settled(~board.is_open),
    )


def _runner_up(board: Board, row: int) -> str:
    confidence = float(board.other_confidence[row])
    if confidence < _LEAST:
        return ""
    number = int(board.names.current[board.runner_up[row]])
    return f"{board.names.words(number) if number else 'ignore'} {percent_of(confidence)}"


def _decided_words(word: Word) -> str:
    words = f"{word.event.reviewer} decided so on {word.event.decided_at[:10]}"
    return f"{words}: {word.change.note}" if word.change.note else words


def _remark(word: Word) -> Remark:
    return Remark(word.event.reviewer, word.change.note)
