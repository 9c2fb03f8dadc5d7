"""What a release changed since the one before."""

import pyarrow.compute as pc

from hgld.annotations.release.released import Release
from hgld.pages.browse.folder import BrowsedFolder, Row, if_readable
from hgld.pages.browse.landmarks import numbered
from hgld.tables import LABEL_CHANGES

MOST_CHANGES = 5_000
"""Limit of the list; label_changes.parquet has them all."""
_COLUMNS = [
    *("kind", "change", "split", "landmark_id", "why", "category_before", "category_after"),
    *("hierarchical_label_before", "hierarchical_label_after", "reason_before", "reason_after"),
]
_MOVE = ["hierarchical_label_before", "hierarchical_label_after", "why"]
_MOST_MOVES = 20
_ORDER = [("of_label", "descending"), ("split", "descending"), ("landmark_id", "ascending")]


class LabelChanges:
    """The changes of landmarks that a release brought, those of labels first."""

    def __init__(self, folder: BrowsedFolder) -> None:
        """Reads them; none if they are missing or damaged."""
        table = LABEL_CHANGES.schema.empty_table().select(_COLUMNS)
        if folder.has(LABEL_CHANGES):
            table = if_readable(lambda: folder.read(LABEL_CHANGES, _COLUMNS), table)
        table = table.filter(pc.equal(table["kind"], "landmark"))
        is_of_label = pc.match_substring_regex(table["why"], r"\blabel(?:led)?\b")
        self._table = table.append_column("of_label", is_of_label).sort_by(_ORDER)
        self._rows = numbered(self._table)

    def __len__(self) -> int:
        """The number of changed landmarks."""
        return len(self._table)

    def rows(self, places: range) -> list[Row]:
        """Returns some of them."""
        return list(self._table.slice(places.start, len(places)).to_pylist())

    def of(self, key: tuple[str, int]) -> Row | None:
        """Returns the change of a landmark, by its label space and number."""
        row = self._rows.get(key)
        return None if row is None else self.rows(range(row, row + 1))[0]

    def moves(self) -> tuple[list[Row], int]:
        """Returns the most frequent changes of labels with their `count_all`, and how many more."""
        of_label = self._table.filter(self._table["of_label"])
        groups = of_label.group_by(_MOVE).aggregate([([], "count_all")])
        order = [("count_all", "descending"), *((name, "ascending") for name in _MOVE)]
        rows = groups.sort_by(order).slice(0, _MOST_MOVES).to_pylist()
        return rows, len(groups) - len(rows)


def change_counts(release: Release) -> list[tuple[str, int | None, int | None]]:
    """Returns what a release counts of its changes, of landmarks and of images.

    Empty for a first release; a row of zeros is left out.
    """
    changes = release.get("changes") or {}
    landmarks, images = changes.get("landmarks") or {}, changes.get("images") or {}
    rows = [(one, landmarks.get(one), images.get(one)) for one in landmarks | images]
    return [row for row in rows if any(row[1:])]
