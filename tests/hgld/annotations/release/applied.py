"""The release before with its changes, which has to be the release: the oracle of all changes."""

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.released import IMAGE_COLUMNS, LANDMARK_COLUMNS, ReleaseTables
from hgld.tables import LABEL_CHANGES

_STRUCT = LABEL_CHANGES.schema.field("landmark").type


def apply_changes(old: ReleaseTables, changes: pa.Table) -> ReleaseTables:
    """Makes a release from the one before it.

    Args:
        old: the release before.
        changes: rows of LABEL_CHANGES, those from it to this release.

    Returns:
        The rows of this release, in any order.
    """
    told = changes.filter(pc.equal(changes["kind"], "landmark"))
    now = told.filter(pc.not_equal(told["change"], "removed"))
    fields = now["landmark"].combine_chunks().flatten()
    columns = dict(zip(_STRUCT.names, fields, strict=True))
    columns |= {name: now[name] for name in ("split", "landmark_id")}
    landmarks = pa.table({name: columns[name] for name in LANDMARK_COLUMNS})
    rows = changes.filter(pc.equal(changes["kind"], "image"))
    there = rows.filter(pc.not_equal(rows["change"], "removed"))
    renamed = {"table": "table_after", "reason": "reason_after"}
    images = pa.table({name: there[renamed.get(name, name)] for name in IMAGE_COLUMNS})
    return ReleaseTables(
        landmarks=_replaced(old.landmarks, told, landmarks),
        images=_replaced(old.images, rows, images),
    )


def _replaced(old: pa.Table, told: pa.Table, now: pa.Table) -> pa.Table:
    """Returns rows without those that something is told of, and with what they are now."""
    name = "image_id" if "image_id" in old.column_names else "landmark_id"
    kept = old.filter(pc.invert(pc.is_in(_keys(old, name), value_set=_keys(told, name))))
    return pa.concat_tables([kept, now.cast(old.schema)])


def _keys(table: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["split"], table[name].cast(pa.string()), " ")


def by_key(table: pa.Table, key: str) -> pa.Table:
    """Sorts landmarks, or images, by their split and key."""
    return table.take(pc.sort_indices(table, [("split", "ascending"), (key, "ascending")]))
