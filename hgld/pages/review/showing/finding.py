"""What is found over all groups: by words, by nearness, and on the map."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.labels.clustering.kmeans import unit_rows
from hgld.labels.embedding.label_map import quick_projection
from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.showing.bench import Bench
from hgld.pages.review.showing.rows import member_row
from hgld.pages.review.state.board import Board
from hgld.pages.review.state.landmarks import LandmarkIndex
from hgld.pages.review.state.lookup import Lookup
from hgld.pages.review.state.namebook import NO_NAME, OPEN
from hgld.pages.review.state.pictures import PictureIndex
from hgld.pages.review.views import FoundClass, FoundLandmark, FoundView, SimilarRow, SimilarView
from hgld.tables import LABEL_MAP

_FOUND = 20
_SIMILAR = 200
_NOTHING = -1
_DIGITS = 4


class Finding:
    """Finds classes and landmarks of the state."""

    def __init__(self, board: Board, landmarks: LandmarkIndex, bench: Bench) -> None:
        """Takes the state."""
        self._board, self._bench = board, bench
        self.landmarks = landmarks
        self._places: NDArray[np.float64] = np.zeros((len(board.classes), 2))
        self._labels: tuple[int, str] = (_NOTHING, "")

    def lookup(self) -> Lookup:
        """Returns what finds names."""
        return Lookup(self._board.classes, self.landmarks)

    def place_all(self, workspace: Workspace) -> None:
        """Puts all classes on the map: as `labels/map` has them, or by their principal components.

        Raises:
            DamagedError: the table is not as it was written.
        """
        qids = self._board.classes.qids
        try:
            table = workspace.read(LABEL_MAP)
        except MissingInputError:
            table = LABEL_MAP.schema.empty_table()
        rows = pc.index_in(pa.array(qids, pa.string()), value_set=table["class_qid"])
        if rows.null_count:  # made before the last scrape
            self._places = quick_projection(self._board.classes.vectors).astype(np.float64)
            return
        columns = (table[name].take(rows).to_numpy() for name in ("x", "y"))
        self._places = np.column_stack(list(columns)).astype(np.float64)

    def show_pictures(self, pictures: PictureIndex) -> None:
        """Has pictures shown from now on."""
        self._bench.show_pictures(pictures)

    def words(self, lookup: Lookup, query: str) -> FoundView:
        """Returns what a search over everything finds."""
        board = self._board
        return FoundView(
            query=query,
            classes=tuple(self._found_class(row) for row in lookup.classes(query, _FOUND)),
            landmarks=tuple(
                FoundLandmark(
                    self.landmarks.link(landmark),
                    board.classes.qids[row],
                    board.classes.labels[row],
                    board.group_of(row),
                )
                for landmark in lookup.landmarks(query, _FOUND)
                for row in (self.landmarks.first_class(landmark),)
            ),
        )

    def similar(self, qids: Sequence[str], least: float) -> SimilarView:
        """Returns the classes near to the mean of a selection.

        Args:
            qids: the selection.
            least: the least cosine.

        Raises:
            RefusedError: nothing is selected, or a class that the build does not have.
        """
        board = self._board
        rows = [row for qid in qids if (row := board.classes.row.get(qid)) is not None]
        if not rows:
            raise RefusedError("tick a class first, to which others are to be similar")
        cosines = (
            board.classes.vectors @ unit_rows(board.classes.vectors[rows].sum(axis=0)[None])[0]
        )
        cosines[rows] = -1
        near = np.flatnonzero(cosines >= least)
        near = near[np.argsort(-cosines[near], kind="stable")]
        return SimilarView(
            of=tuple((board.classes.qids[row], board.classes.labels[row]) for row in rows),
            least=least,
            rows=tuple(
                SimilarRow(
                    member_row(board, self.landmarks, row),
                    board.group_of(row),
                    self._bench.name_of(int(board.group[row])),
                    min(float(cosines[row]), 1.0),
                )
                for row in near[:_SIMILAR].tolist()
            ),
            matching=len(near),
        )

    def labels(self) -> str:
        """Returns all classes as JSON: Q-id, label, landmarks, group and answer of each."""
        board = self._board
        if self._labels[0] != board.revision:
            names = [board.names.words(number) for number in range(len(board.names))]
            columns = zip(
                board.classes.qids,
                board.classes.labels,
                board.classes.landmarks.tolist(),
                board.group.tolist(),
                board.answer.tolist(),
                strict=True,
            )
            rows = [
                {"q": qid, "l": label, "n": n, "g": board.group_ids[group], "a": names[answer]}
                for qid, label, n, group, answer in columns
            ]
            self._labels = (board.revision, json.dumps(rows, ensure_ascii=False))
        return self._labels[1]

    def points(self) -> str:
        """Returns the map as JSON; a point is Q-id, label, x, y, name, open, landmarks, group."""
        board = self._board
        columns = zip(
            board.classes.qids,
            board.classes.labels,
            self._places[:, 0].round(_DIGITS).tolist(),
            self._places[:, 1].round(_DIGITS).tolist(),
            (board.answer - 1).tolist(),  # -1: ignored
            (board.decided == OPEN).astype(int).tolist(),
            board.classes.landmarks.tolist(),
            board.group.tolist(),
            strict=True,
        )
        names = [board.names.now(number) for number in range(NO_NAME + 1, len(board.names))]
        told = {
            "names": [name.hierarchical_label for name in names],
            "sides": [name.natural_or_human_made for name in names],
            "groups": board.group_ids,
            "points": list(columns),
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    def _found_class(self, row: int) -> FoundClass:
        board = self._board
        return FoundClass(
            board.classes.qids[row],
            board.classes.labels[row],
            board.group_of(row),
            self._bench.name_of(int(board.group[row])),
            int(board.classes.landmarks[row]),
            board.names.words(board.answer_of(row)),
            bool(board.decided[row] == OPEN),
        )
