"""What a release changed since the one before."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.released import Release

MOST_CHANGES = 5_000
"""Limit of the list; label_changes.parquet has them all."""
CHANGE_COLUMNS = [
    *("kind", "change", "split", "landmark_id", "why", "category_before", "category_after"),
    *("hierarchical_label_before", "hierarchical_label_after", "reason_before", "reason_after"),
]
"""What is read of LABEL_CHANGES."""
_MOVE = ["hierarchical_label_before", "hierarchical_label_after", "why"]
_MOST_MOVES = 20

Change = dict[str, Any]
"""A row of LABEL_CHANGES, of a landmark."""


class LabelChanges:
    """The changes of landmarks that a release brought, those of labels first."""

    def __init__(self, changes: pa.Table) -> None:
        """Takes rows of LABEL_CHANGES with `CHANGE_COLUMNS`."""
        told = changes.filter(pc.equal(changes["kind"], "landmark"))
        of_label = pc.match_substring_regex(told["why"], r"\blabel(?:led)?\b")
        columns = ("split", "descending"), ("landmark_id", "ascending")
        self._table = pa.concat_tables(
            told.filter(chosen).sort_by(list(columns)) for chosen in (of_label, pc.invert(of_label))
        )
        self._of_label = told.filter(of_label)
        keys = (self._table[name].to_pylist() for name in ("split", "landmark_id"))
        self._rows = dict(zip(zip(*keys, strict=True), range(len(told)), strict=True))

    def __len__(self) -> int:
        """The number of changed landmarks."""
        return len(self._table)

    def rows(self, places: range) -> list[Change]:
        """Returns some of them."""
        return list(self._table.slice(places.start, len(places)).to_pylist())

    def of(self, key: tuple[str, int]) -> Change | None:
        """Returns the change of a landmark, by its label space and number."""
        row = self._rows.get(key)
        return None if row is None else self.rows(range(row, row + 1))[0]

    def moves(self) -> tuple[list[Change], int]:
        """Returns the most frequent changes of labels with their `count_all`, and how many more."""
        groups = self._of_label.group_by(_MOVE).aggregate([([], "count_all")])
        order = [("count_all", "descending"), *((name, "ascending") for name in _MOVE)]
        rows = groups.sort_by(order).slice(0, _MOST_MOVES).to_pylist()
        return rows, len(groups) - len(rows)


def change_counts(release: Release) -> list[tuple[str, int | None, int | None]]:
    """Returns what a release counts of its changes, of landmarks and of images.

    Empty for a first release; a row of zeros is left out.
    """
    changes: Mapping[str, Any] = release.get("changes") or {}
    landmarks, images = changes.get("landmarks") or {}, changes.get("images") or {}
    return [
        (name, landmarks.get(name), images.get(name))
        for name in dict.fromkeys((*landmarks, *images))
        if landmarks.get(name) or images.get(name)
    ]
