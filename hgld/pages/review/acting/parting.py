"""Parts into which a group can be split."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hgld.labels.clustering.kmeans import settled_groups, unit_rows
from hgld.labels.proposing.proposals import Proposal, parts
from hgld.pages.review.state.board import Board
from hgld.pages.review.state.namebook import NO_NAME

if TYPE_CHECKING:
    from numpy.typing import NDArray


def answered(board: Board, rows: "NDArray[np.int64]") -> list[Proposal]:
    """Returns the proposals of classes with the answers that are shown: decided, and renamed."""
    found = []
    for row, number in zip(rows.tolist(), board.answer[rows].tolist(), strict=True):
        label = None if number == NO_NAME else board.names.now(number).hierarchical_label
        one = board.proposals[row]
        found.append(one if one.proposed_label == label else one._replace(proposed_label=label))
    return found


def proposed_parts(board: Board, rows: "NDArray[np.int64]") -> "list[NDArray[np.int64]]":
    """Returns the classes of each proposed part but the largest, which stays with the rest."""
    answers = answered(board, rows)
    labels = np.array([each.proposed_label or "" for each in answers], dtype=object)
    return [rows[labels == (part.proposed_label or "")] for part in parts(answers)[1:]]


def parts_by_vectors(board: Board, rows: "NDArray[np.int64]", k: int) -> "list[NDArray[np.int64]]":
    """Splits classes into k parts by their vectors (K-Means), the same each time.

    It starts from the class nearest to the middle, then each time from the one that is farthest
    from all starts; classes of the same vector stay together.

    Returns:
        All parts but the one with most landmarks, which stays; fewer than k - 1 where there are
        not so many distinct vectors.

    Source:
        Gonzalez, Clustering to minimize the maximum intercluster distance, 1985 (the starts).
    """
    points, place = np.unique(board.classes.vectors[rows], axis=0, return_inverse=True)
    place = place.reshape(-1)
    landmarks = np.maximum(board.classes.landmarks[rows], 1).astype(np.float64)
    weights = np.bincount(place, landmarks).astype(np.float64)
    k = min(k, len(points))
    starts = _far_apart(points, weights, k)
    nearest = (points @ points[starts].T).argmax(axis=1)
    groups = settled_groups(points, weights, nearest.astype(np.int64), k)[place]
    stays = int(np.bincount(groups, landmarks, minlength=k).argmax())
    return [rows[groups == part] for part in range(k) if part != stays]


def _far_apart(
    points: "NDArray[np.float32]", weights: "NDArray[np.float64]", k: int
) -> Sequence[int]:
    middle = unit_rows((weights @ points)[None])[0]
    starts = [int((points @ middle).argmax())]
    nearest = points @ points[starts[0]]
    while len(starts) < k:
        starts.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, points @ points[starts[-1]])
    return starts
