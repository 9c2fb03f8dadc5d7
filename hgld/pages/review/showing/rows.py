"""The rows of the page, made of the state."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hgld.labels.proposing.proposals import Proposal, cluster_name, outliers, parts, telling_words
from hgld.labels.taxonomy.rows import Action
from hgld.pages.review.state.board import Board
from hgld.pages.review.state.landmarks import LandmarkIndex
from hgld.pages.review.state.namebook import NO_NAME, OPEN
from hgld.pages.review.state.tallies import GroupTally, NameTally
from hgld.pages.review.views import (
    Answer,
    GroupAnswer,
    GroupPart,
    GroupRow,
    MemberRow,
    NameChoice,
    NameRow,
    Remark,
)
from hgld.pages.serving.wikimedia import wikidata_url
from hgld.review.log.history import Word

_CHOICES = 9


class GroupNames:
    """What each group is called: by its answer, and a word that tells it from others."""

    def __init__(self, board: Board) -> None:
        """Counts the words of all labels."""
        self._board = board
        self._commonness = Counter(
            word for label in board.classes.labels for word in telling_words(label)
        )
        self._names: dict[tuple[int, int, int, str], str] = {}

    def of(self, number: int, members: NDArray[np.int64], top: int) -> str:
        """Returns the name of a group.

        Args:
            number: of the group.
            members: its classes.
            top: the answer of most of its landmarks.
        """
        label = self._board.names.now(top).hierarchical_label
        key = (number, len(members), int(members.sum()), label)
        if key not in self._names:
            found = [self._board.proposals[row] for row in members.tolist()]
            named = None if top == NO_NAME else label
            self._names[key] = cluster_name(found, named, self._commonness)
        return self._names[key]


def group_row(board: Board, tally: GroupTally, number: int, name: str, matching: int) -> GroupRow:
    """Returns a line of the list."""
    top = int(tally.top[number])
    return GroupRow(
        group=board.group_ids[number],
        name=name,
        classes=int(tally.classes[number]),
        open=int(tally.open[number]),
        landmarks=int(tally.landmarks[number]),
        settles=float(tally.settles[number]),
        answer=GroupAnswer(*board.names.now(top)) if top else GroupAnswer(None, None),
        share=float(tally.share[number]),
        doubtful=int(tally.doubtful[number]),
        new=int(tally.new[number]),
        matching=matching,
    )


def member_row(
    board: Board, landmarks: LandmarkIndex, row: int, *, is_outlier: bool = False
) -> MemberRow:
    """Returns a class as it is shown."""
    qid, proposal = board.classes.qids[row], board.proposals[row]
    number = int(board.decided[row])
    decision = board.standing.rulings.get(qid) if number != OPEN else None
    runner_up = int(board.names.current[board.runner_up[row]])
    doubt = board.standing.doubts.get(qid)
    return MemberRow(
        class_qid=qid,
        class_label=board.classes.labels[row],
        landmarks=int(board.classes.landmarks[row]),
        state="open" if decision is None else "assigned" if number else "ignored",
        answer=class_answer(board, row),
        tier=proposal.tier if decision is None else "decided",
        evidence=proposal.evidence if decision is None else _decided_words(decision),
        runner_up=board.names.words(runner_up) if runner_up else None,
        runner_up_confidence=proposal.runner_up_confidence,
        reviewer=decision.event.reviewer if decision else "",
        decided_at=decision.event.decided_at if decision else "",
        doubt=_remark(doubt) if doubt else None,
        comments=tuple(map(_remark, board.standing.comments.get(qid, ()))),
        is_outlier=is_outlier,
        is_new=bool(board.classes.is_new[row]),
        wikidata_url=wikidata_url(qid),
        examples=landmarks.examples(row),
    )


def class_answer(board: Board, row: int) -> Answer:
    """Returns what a class is, or is proposed to be."""
    is_open = board.decided[row] == OPEN
    number = board.answer_of(row)
    name, proposal = board.names.now(number), board.proposals[row]
    decided: Action = "accept" if number else "ignore"
    return Answer(
        hierarchical_label=name.hierarchical_label if number else None,
        natural_or_human_made=name.natural_or_human_made if number else None,
        action=proposal.proposed_action if is_open else decided,
        confidence=proposal.confidence if is_open else 1.0,
    )


def outlying(board: Board, members: Sequence[Proposal], top: int) -> set[str]:
    """Returns the members that fit their group badly, by class_qid."""
    label = None if top == NO_NAME else board.names.now(top).hierarchical_label
    return set(outliers(members, label))


def name_choices(board: Board, members: NDArray[np.int64]) -> tuple[NameChoice, ...]:
    """Returns the likeliest super-categories of a group: those of its open classes first."""
    chosen = members[board.decided[members] == OPEN]
    chosen = chosen if len(chosen) else members
    weight = np.maximum(board.classes.landmarks[chosen], 1)
    total, names = float(weight.sum()), len(board.names)
    scores = np.bincount(board.answer[chosen], weight * board.confidence[chosen], minlength=names)
    others = board.names.current[board.runner_up[chosen]]
    scores += np.bincount(others, weight * board.other_confidence[chosen], minlength=names)
    scores[NO_NAME] = 0
    order = np.argsort(-scores, kind="stable")[:_CHOICES].tolist()
    return tuple(
        NameChoice(str(key), *board.names.now(number), float(scores[number]) / total)
        for key, number in enumerate(order, 1)
        if scores[number] > 0
    )


def group_parts(members: Sequence[Proposal]) -> tuple[GroupPart, ...]:
    """Returns the parts into which a group could be split; none where it is one."""
    return tuple(GroupPart(*part) for part in parts(members))


def name_rows(board: Board, tally: NameTally) -> tuple[NameRow, ...]:
    """Returns the super-categories that a class has, or for which one is proposed, by name."""
    numbers = np.flatnonzero(tally.classes + tally.proposed)
    rows = [
        NameRow(
            hierarchical_label=board.names.now(number).hierarchical_label,
            natural_or_human_made=board.names.now(number).natural_or_human_made,
            classes=int(tally.classes[number]),
            landmarks=int(tally.landmarks[number]),
            proposed=int(tally.proposed[number]),
            proposed_landmarks=int(tally.proposed_landmarks[number]),
            is_own=number >= board.names.shipped,
        )
        for number in numbers.tolist()
        if number != NO_NAME
    ]
    return tuple(sorted(rows, key=lambda row: row.hierarchical_label.casefold()))


def suggestions(board: Board, tally: NameTally) -> tuple[str, ...]:
    """Returns all names that a class can be given: the taxonomy's, and those in use."""
    numbers: Iterable[int] = range(1, len(board.names))
    found: Sequence[str] = [
        board.names.now(number).hierarchical_label
        for number in numbers
        if (number < board.names.shipped and board.names.current[number] == number)
        or tally.classes[number]
    ]
    return tuple(sorted(found, key=str.casefold))


def _decided_words(word: Word) -> str:
    words = f"{word.event.reviewer} decided so"
    return f"{words}: {word.change.note}" if word.change.note else words


def _remark(word: Word) -> Remark:
    event = word.event
    return Remark(event.reviewer, event.decided_at, word.change.note, event.number)
