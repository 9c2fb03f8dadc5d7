"""Select pictures by a list, by landmark, or by super-category."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.images.config import ImagesConfig
from hgld.tables import IMAGES, of_split
from hgld.tables.csv_files import read_csv_list

_ID = re.compile(r"[0-9a-f]{16}")
_COLUMNS = ("image_id", "id")


def wanted_images(workspace: Workspace, split: str, config: ImagesConfig) -> frozenset[str] | None:
    """Returns the ids of the pictures of a split that meet all conditions; None: all pictures.

    Args:
        workspace: the build; its annotations or metadata have the landmarks of the pictures.
        split: `train`, `index` or `test`.
        config: `only`, `landmark` and `supercategory` are the conditions.

    Raises:
        InputError: not a list of images, or a name or number that no picture of the split has.
        MissingInputError: the build does not have the landmarks of the pictures yet.
    """
    found = []
    if config.only is not None:
        found.append(_listed(workspace, split, config.only, is_one_split=bool(config.split)))
    if config.landmark:
        numbers = pa.array([int(landmark) for landmark in config.landmark], pa.int64())
        found.append(_having(image_labels(workspace, split, ["landmark_id"]), numbers, split))
    if config.supercategory:
        table = image_labels(workspace, split, ["hierarchical_label"])
        names = pa.array(_official(table, config.supercategory), pa.string())
        found.append(_having(table, names, split))
    return frozenset.intersection(*found) if found else None


def _having(table: pa.Table, values: pa.Array, split: str) -> frozenset[str]:
    column = table.column_names[1]
    rows = table.filter(pc.is_in(table[column], values))
    if not rows.num_rows:
        shown = ", ".join(str(value) for value in values.to_pylist()[:3])
        mend = "check it and --split: train and index number their landmarks separately"
        raise InputError(f"no picture of {split} has the {column} {shown}; {mend}")
    return frozenset(rows["image_id"].to_pylist())


def _official(table: pa.Table, names: Sequence[str]) -> list[str]:
    """Returns super-categories as the build spells them; blanks and slashes may differ."""
    there = {_slug(name): name for name in table["hierarchical_label"].unique().to_pylist() if name}
    for name in names:
        if _slug(name) not in there:
            known = ", ".join(sorted(there.values())) or "none"
            raise InputError(f"no picture has the super-category {name!r}; the build has {known}")
    return [there[_slug(name)] for name in names]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def image_labels(workspace: Workspace, split: str, columns: list[str]) -> pa.Table:
    """Returns the ids of a split's pictures with their labels in a build or release.

    Args:
        workspace: the folder of either.
        split: `train`, `index` or `test`.
        columns: columns of the annotations; the metadata also have `landmark_id`.

    Raises:
        MissingInputError: there are no labels.
        InputError: a shard lacks a column, or cannot be read.
    """
    wanted = ["image_id", *columns]
    for pattern in (f"annotations/data/{split}-*.parquet", f"data/{split}-*.parquet"):
        shards = sorted(workspace.root.glob(pattern))
        if shards:
            return _plain(pa.concat_tables([_read(shard, wanted) for shard in shards]))
    if "hierarchical_label" not in columns:
        table = workspace.read(IMAGES, ["split", *wanted])
        return of_split(table, split).select(wanted)
    mend = f"run {workspace.command('annotate')}, or name a release's folder with --root"
    raise MissingInputError(f"{workspace.path('annotations')} has no labels of {split}; {mend}")


def _read(shard: Path, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(shard, columns=columns, partitioning=None).select(columns)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        why = next(iter(str(error).splitlines()), "")[:200]
        raise InputError(f"{shard} must have the columns {', '.join(columns)}: {why}") from error


def _plain(table: pa.Table) -> pa.Table:
    """Decodes dictionary columns, because shards may have different dictionaries."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table[place].cast(field.type.value_type))
    return table


def _listed(workspace: Workspace, split: str, path: Path, *, is_one_split: bool) -> frozenset[str]:
    """Returns the ids of a split in a list; without splits, the metadata decide."""
    rows = read_list(path)
    if any(one for _, one in rows):
        return frozenset(image_id for image_id, one in rows if one == split)
    ids = frozenset(image_id for image_id, _ in rows)
    if is_one_split:
        return ids
    try:
        known = workspace.read(IMAGES, ["split", "image_id"])
    except MissingInputError as error:
        mend = f"give the split with --split, or run {workspace.command('metadata')} first"
        raise InputError(f"{path} has no column split; {mend}") from error
    if strangers := ids.difference(known["image_id"].to_pylist()):
        what = f"{len(strangers):,} of {len(ids):,} images are in no split, first {min(strangers)}"
        raise InputError(f"{path}: {what}; remove them")
    return ids.intersection(of_split(known, split)["image_id"].to_pylist())


def read_list(path: Path) -> list[tuple[str, str]]:
    """Reads a list of pictures, from `hgld subset` or from the user.

    Args:
        path: parquet or CSV with a column `image_id` (or `id`) and optionally `split`; or text with
            one id per line.

    Returns:
        The id and the split of each picture; the split is empty if there is none.

    Raises:
        InputError: it cannot be read, is empty, or contains an invalid id or split.
    """
    try:
        rows = _parquet_rows(path) if path.suffix == ".parquet" else _text_rows(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        why = next(iter(str(error).splitlines()), "")[:200]
        raise InputError(f"cannot read {path} as a list of images: {why}") from error
    for image_id, split in rows:
        if not _ID.fullmatch(image_id) or split not in {"", "train", "index", "test"}:
            got = image_id if not _ID.fullmatch(image_id) else split
            what = "ids of 16 hex digits, in a column image_id or one per line, and known splits"
            raise InputError(f"{path} must name images by {what}; got {got[:60]!r}")
    if not rows:
        raise InputError(f"{path} names no image; leave out --only to fetch all")
    return rows


def _parquet_rows(path: Path) -> list[tuple[str, str]]:
    table = pq.read_table(path, partitioning=None)
    name = next((one for one in _COLUMNS if one in table.column_names), None)
    if name is None:
        raise InputError(f"{path} must have a column image_id, got {table.column_names}")
    splits = table["split"].to_pylist() if "split" in table.column_names else [""] * len(table)
    ids = table[name].to_pylist()
    return [(str(one), str(split or "")) for one, split in zip(ids, splits, strict=True)]


def _text_rows(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    header = next(csv.reader(lines[:1]), [])
    name = next((one for one in _COLUMNS if one in header), None)
    if name is None:
        return [(line.strip(), "") for line in lines if line.strip()]
    rows = read_csv_list(path, (name,), ("split",), fewest=0)
    return [(cells[name], cells.get("split", "")) for _, cells in rows]
