"""Groups and super-categories in numbers: what the two lists of the page say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgld.pages.review.state.board import Board
from hgld.pages.review.state.namebook import NO_NAME
from hgld.pages.review.views import Show
from hgld.pages.serving.finding import fold_text

CONFIDENT = 0.95
"""From this confidence on `accept the confident ones` takes a proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTally:
    """Of each of G groups, in the order of their numbers."""

    classes: NDArray[np.int64]
    open: NDArray[np.int64]
    landmarks: NDArray[np.int64]
    settles: NDArray[np.float64]
    doubtful: NDArray[np.int64]
    new: NDArray[np.int64]
    top: NDArray[np.int64]
    """The answer of most landmarks."""
    share: NDArray[np.float64]
    """Of the landmarks that have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTally:
    """Of each super-category, by its number."""

    classes: NDArray[np.int64]
    landmarks: NDArray[np.int64]
    proposed: NDArray[np.int64]
    proposed_landmarks: NDArray[np.int64]


def tally_groups(board: Board) -> GroupTally:
    """Counts what stands in each group."""
    group, total, landmarks = board.group, len(board.group_ids), board.classes.landmarks
    is_open, answer = board.is_open, board.answer
    sure = np.where(is_open, board.confidence, 1.0)

    def count(of: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(group[of], minlength=total)

    # (groups, names): a class without a landmark counts as one
    weight = np.maximum(landmarks, 1)
    names = len(board.names)
    weights = _weighed(group * names + answer, weight, total * names).reshape(total, names)
    top = weights.argmax(axis=1)
    return GroupTally(
        classes=np.bincount(group, minlength=total),
        open=count(is_open),
        landmarks=np.bincount(group, landmarks, minlength=total).astype(np.int64),
        settles=_weighed(group, landmarks * (1 - sure), total),
        doubtful=count(doubtful_classes(board)),
        new=count(is_open & board.classes.is_new),
        top=top,
        share=weights[np.arange(total), top] / np.maximum(weights.sum(axis=1), 1),
    )


def tally_names(board: Board) -> NameTally:
    """Counts what has, and what is proposed, each super-category."""
    answer, is_open, landmarks = board.answer, board.is_open, board.classes.landmarks
    total = len(board.names)

    def count(of: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        weights = np.bincount(answer[of], landmarks[of], minlength=total)
        return np.bincount(answer[of], minlength=total), weights.astype(np.int64)

    (classes, decided), (proposed, open_landmarks) = count(~is_open), count(is_open)
    return NameTally(
        classes=classes,
        landmarks=decided,
        proposed=proposed,
        proposed_landmarks=open_landmarks,
    )


def doubtful_classes(board: Board) -> NDArray[np.bool_]:
    """Returns the classes that a person finds doubtful, or is to be asked about."""
    return np.asarray(board.is_doubted | (board.is_open & board.asks))


def confident_classes(board: Board) -> NDArray[np.bool_]:
    """Returns the open classes of which what is proposed is all but sure."""
    sure = ~board.asks & ~board.is_doubted & (board.confidence >= CONFIDENT)
    return np.asarray(board.is_open & sure)


def matching_classes(board: Board, show: Show, query: str) -> NDArray[np.bool_]:
    """Returns the classes that a filter and a search select.

    Args:
        board: the state.
        show: the filter.
        query: part of a label, a Q-id or a super-category's name; `is:NAME` is exactly that one,
            `is:ignored` what is ignored.
    """
    chosen = _filtered(board, show)
    query = query.strip()
    if not query:
        return chosen
    if query.casefold().startswith("is:"):
        return np.asarray(chosen & (board.answer == _named(board, query[3:])))
    wanted = fold_text(" ".join(query.split()))
    told = np.fromiter((wanted in text for text in board.classes.folded), np.bool_)
    names = [fold_text(board.names.words(number)) for number in range(len(board.names))]
    named = np.array([wanted in name for name in names])
    return np.asarray(chosen & (told | named[board.answer]))


def _weighed(
    numbers: NDArray[np.int64], weights: NDArray[np.generic], total: int
) -> NDArray[np.float64]:
    """Returns the sum of the weights of each number; float64 where there is none, too."""
    return np.bincount(numbers, weights, minlength=total).astype(np.float64)


def _filtered(board: Board, show: Show) -> NDArray[np.bool_]:
    match show:
        case "open":
            return board.is_open
        case "doubtful":
            return doubtful_classes(board)
        case "new":
            return board.is_open & board.classes.is_new
        case "commented":
            return board.has_comment
        case "ignored":
            return np.asarray(board.answer == NO_NAME)
        case "all":
            return np.ones(len(board.classes), np.bool_)


def _named(board: Board, name: str) -> int:
    if name.strip().casefold() == "ignored":
        return NO_NAME
    number = board.names.find(name)
    return -1 if number is None else int(board.names.current[number])
