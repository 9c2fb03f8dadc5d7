"""What is another one since the release before."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.released import Release
from hgld.pages.browse.showing.tree import landmark_at, name_of
from hgld.pages.browse.showing.wording import count_words, reason_words
from hgld.pages.browse.state.landmarks import BrowsedLandmarks
from hgld.pages.browse.views import ChangesView, ChangeView, MoveView, ReleaseView

CHANGE_ROWS = 200
"""Changes on a page."""
MOST_CHANGES = 5_000
"""That are listed; label_changes.parquet has them all."""
_MOVES = 20
_TOLD = (
    *("kind", "change", "split", "landmark_id", "why", "category_before", "category_after"),
    *("hierarchical_label_before", "hierarchical_label_after"),
    *("reason_before", "reason_after"),
)


class KnownChanges:
    """The changes of landmarks that a release brought, those of labels first."""

    def __init__(self, changes: pa.Table, landmarks: BrowsedLandmarks) -> None:
        """Takes rows of LABEL_CHANGES, of images too."""
        told = changes.select(_TOLD)
        told = told.filter(pc.equal(told["kind"], "landmark"))
        of_label = pc.match_substring_regex(told["why"], r"\blabel(?:led)?\b")
        order = pa.table(
            {"first": pc.invert(of_label), "split": told["split"], "id": told["landmark_id"]}
        )
        keys = [("first", "ascending"), ("split", "descending"), ("id", "ascending")]
        self._table = told.take(pc.sort_indices(order, keys))
        self._of_label = told.filter(of_label)
        self._landmarks = landmarks

    def __len__(self) -> int:
        """The number of changes of landmarks."""
        return len(self._table)

    def rows(self, start: int, count: int) -> tuple[ChangeView, ...]:
        """Returns some of them."""
        return tuple(map(self._view, self._table.slice(start, count).to_pylist()))

    def by_landmark(self) -> dict[tuple[str, int], ChangeView]:
        """Returns them by space and number of the landmark."""
        return {
            (row["split"], row["landmark_id"]): self._view(row) for row in self._table.to_pylist()
        }

    def moves(self) -> tuple[tuple[MoveView, ...], int]:
        """Returns the most frequent changes of labels, and how many other ones there are."""
        columns = ["hierarchical_label_before", "hierarchical_label_after", "why"]
        groups = self._of_label.group_by(columns).aggregate([([], "count_all")])
        order = [("count_all", "descending"), *((name, "ascending") for name in columns)]
        rows = groups.sort_by(order).slice(0, _MOVES).to_pylist()
        found = tuple(
            MoveView(
                before=row[columns[0]] or "",
                after=row[columns[1]] or "",
                why=_causes(row["why"]),
                landmarks=row["count_all"],
            )
            for row in rows
        )
        return found, len(groups) - len(found)

    def _view(self, row: Mapping[str, Any]) -> ChangeView:
        key = (row["split"], row["landmark_id"])
        place = self._landmarks.place.get(key)
        category = row["category_after"] or row["category_before"]
        before, after = (
            row[f"hierarchical_label_{when}"] or _none(row[f"reason_{when}"])
            for when in ("before", "after")
        )
        return ChangeView(
            change=row["change"],
            why=_causes(row["why"]),
            before=before,
            after=after,
            name=name_of(category, *key),
            at=None if place is None else landmark_at(self._landmarks, place),
            key=f"{key[0]} {key[1]}",
        )


def change_pages(changes: KnownChanges | None) -> int:
    """Returns how many pages the list of changes takes, one where there is none."""
    return max(1, -(-min(len(changes or ()), MOST_CHANGES) // CHANGE_ROWS))


def changes_view(
    releases: list[Release], changes: KnownChanges | None, note: str, page: int
) -> ChangesView:
    """Returns a page of the changes.

    Args:
        releases: this one first; may be none.
        changes: None where the release has no table of them.
        note: the release note.
        page: from 1.
    """
    moves, more = changes.moves() if changes else ((), 0)
    shown = min(len(changes or ()), MOST_CHANGES)
    start = (page - 1) * CHANGE_ROWS
    return ChangesView(
        releases=tuple(map(_release, releases)),
        counts=_counts(releases[0].get("changes") if releases else None),
        moves=moves,
        more_moves=more,
        rows=changes.rows(start, min(CHANGE_ROWS, shown - start)) if changes else (),
        total=len(changes or ()),
        shown=shown,
        page=page,
        pages=change_pages(changes),
        note=note,
    )


def _causes(why: str) -> str:
    """Returns the causes of a change in words: the table has them one after another.

    Example:
        >>> _causes("other_landmark label")
        'other landmark, label'
    """
    return ", ".join(why.split()).replace("_", " ")


def _none(reason: str | None) -> str:
    return f"none: {reason_words(reason)}" if reason else ""


def _release(release: Release) -> ReleaseView:
    counts = release.get("counts") or {}
    return ReleaseView(
        version=str(release["version"]),
        date=str(release["date"] or ""),
        follows=str(release.get("follows") or ""),
        images=sum((counts.get("images") or {}).values()),
        landmarks=int(counts.get("landmarks_with_label") or 0),
        labels=int(counts.get("labels") or 0),
    )


def _counts(changes: Mapping[str, Any] | None) -> tuple[tuple[str, str, str], ...]:
    """Returns what is counted, of landmarks and images; what is 0 for both is left out."""
    if not changes:
        return ()
    kinds = (changes.get("landmarks") or {}, changes.get("images") or {})
    names = dict.fromkeys(name for kind in kinds for name in kind)
    rows = (
        (count_words(name), _count(kinds[0].get(name)), _count(kinds[1].get(name)))
        for name in names
    )
    return tuple(row for row in rows if set(row[1:]) - {"", "0"})


def _count(number: int | None) -> str:
    r"""Returns a number as the pages have it.

    Example:
        >>> _count(2382), _count(None)
        ('2\u202f382', '')
    """
    # With the narrow space that the templates have between thousands.
    return "" if number is None else f"{number:,}".replace(",", "\u202f")
