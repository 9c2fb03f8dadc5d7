"""Files of labels in the published format, and two of them side by side."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hgld.benchmarks.labels.agreement.config import LABEL_FILES
from hgld.engine.dataset import read_csv
from hgld.errors import InputError

LEVEL_COLUMNS = ("hierarchical_label", "natural_or_human_made")
"""The columns that are compared."""
_COLUMNS = {
    "landmark_id": pa.int64(),
    **dict.fromkeys(("category", "supercategory", *LEVEL_COLUMNS), pa.string()),
}
_SPLIT_IN_NAME = re.compile(r"(?<![a-z])(train|index)(?![a-z])")
_KEY = ["split", "landmark_id"]


def official_files(official: Sequence[Path], split: str) -> dict[str, Path]:
    """Finds out of which label space each file is.

    Args:
        official: the files.
        split: that of files whose name does not say it; empty: none is known.

    Returns:
        Split to file.

    Raises:
        InputError: no file, a file of an unknown split, or two of one.
    """
    if not official:
        raise InputError(
            "no official labels are named; name train_label_to_hierarchical.csv, "
            "index_label_to_hierarchical.csv or both with --official"
        )
    found: dict[str, Path] = {}
    for path in official:
        its_split = split_of(path, split)
        if its_split in found:
            raise InputError(
                f"{found[its_split]} and {path} are both of {its_split} landmarks; name one file "
                f"of each split"
            )
        found[its_split] = path
    return found


def split_of(path: Path, otherwise: str) -> str:
    """Returns the split that the name of a file says, or the one given where it says none.

    Args:
        path: such as `train_label_to_hierarchical.csv`.
        otherwise: the split of a file whose name has none, or both.

    Raises:
        InputError: neither says it, or they contradict each other.

    Example:
        >>> split_of(Path("index_label_to_hierarchical.csv"), ""), split_of(Path("a.csv"), "train")
        ('index', 'train')
    """
    its_split = _split_in_name(path) or otherwise
    if not its_split:
        raise InputError(
            f"{path}: its name must say whether its landmarks are of train or of index, as "
            f"train_label_to_hierarchical.csv does; say it with --split"
        )
    if otherwise and its_split != otherwise:
        raise InputError(
            f"{path} is of {its_split} landmarks by its name, and of {otherwise} ones by --split; "
            f"rename it, or leave out --split"
        )
    return its_split


def our_files(place: Path, splits: Collection[str], split: str) -> dict[str, Path]:
    """Finds the labels to compare with official ones.

    Args:
        place: a file, or a folder with the files of a release or with its folder `annotations/`.
        splits: the splits wanted.
        split: that of a file whose name does not say it; empty: none is known.

    Returns:
        Split to file, of the splits wanted that are there.

    Raises:
        InputError: there is no file of any of these splits.
    """
    if place.is_dir():
        names = {one: LABEL_FILES[one] for one in splits}
        files = {
            one: path
            for one, name in names.items()
            for path in (place / name, place / Path(name).name)
            if path.is_file()
        }
        wanted = " or ".join(Path(name).name for name in names.values())
        if not files:
            raise InputError(f"{place} must hold {wanted}; name the folder of it with --ours")
        return files
    if not split and len(splits) == 1:  # the only one there is
        its_split = _split_in_name(place) or next(iter(splits))
    else:
        its_split = split_of(place, split)
    if its_split not in splits:
        raise InputError(
            f"{place} is of {its_split} landmarks, and the official labels are of "
            f"{' and '.join(splits)} ones; name files of the same split"
        )
    return {its_split: place}


def read_label_files(files: Mapping[str, Path]) -> pa.Table:
    """Reads files of labels.

    Args:
        files: split to file.

    Returns:
        The columns of the files after the split; a blank cell is null, and every other text is as
        it stands, with the blanks around it.

    Raises:
        InputError: a file that cannot be read, is no UTF-8, has other columns, no landmark id, or
            the same one twice; or one with no row at all.
    """
    tables = []
    for split, path in files.items():
        _refuse_other_encodings(path)
        rows = read_csv(path, _COLUMNS, unique="landmark_id")
        if rows["landmark_id"].null_count:
            raise InputError(f"{path}: landmark_id must not be empty, got none; give each row one")
        if not len(rows):
            raise InputError(f"{path} has no rows; it needs one for each landmark")
        for place, (name, kind) in enumerate(_COLUMNS.items()):
            if pa.types.is_string(kind):
                is_blank = pc.equal(pc.utf8_trim_whitespace(rows[name]), "")
                column = pc.if_else(is_blank, pa.scalar(None, pa.string()), rows[name])
                rows = rows.set_column(place, name, column)
        tables.append(rows.add_column(0, "split", pa.repeat(pa.scalar(split), len(rows))))
    return pa.concat_tables(tables)


def side_by_side(official: pa.Table, ours: pa.Table) -> pa.Table:
    """Joins the labels of the landmarks that are in both files.

    Args:
        official: what `read_label_files` returns.
        ours: likewise.

    Returns:
        One row for each, by split and landmark: split, landmark_id, category (the official one
        where there is one), class_label (the text of ours) and, for each level, `official_` and
        `our_` with its name: the label without the blanks around it, by which labels are compared.

    Raises:
        InputError: no landmark is in both.
    """
    labels = {
        f"{side}_{name}": pc.utf8_trim_whitespace(table[name])
        for side, table in (("official", official), ("our", ours))
        for name in LEVEL_COLUMNS
    }
    theirs = pa.table(
        {name: official[name] for name in (*_KEY, "category")}
        | {name: labels[name] for name in labels if name.startswith("official_")}
    )
    own = pa.table(
        {name: ours[name] for name in _KEY}
        | {"our_category": ours["category"], "class_label": ours["supercategory"]}
        | {name: labels[name] for name in labels if name.startswith("our_")}
    )
    joined = theirs.join(own, _KEY, join_type="inner")
    if not len(joined):
        raise InputError(
            "no landmark is in both the official labels and ours; compare files of the same split "
            "and the same version of GLDv2"
        )
    category = pc.fill_null(pc.coalesce(joined["category"], joined["our_category"]), "")
    joined = joined.drop_columns(["our_category"])
    joined = joined.set_column(joined.column_names.index("category"), "category", category)
    return joined.sort_by([(name, "ascending") for name in _KEY])


def spellings_of(column: pa.ChunkedArray) -> dict[str, str]:
    """Returns how a column writes each of its labels: without the blanks around it, to with them.

    Of several spellings of one label, the most frequent; of equally frequent ones, the first in
    the order of texts.
    """
    counts = pc.value_counts(column.drop_null())
    texts, times = (counts.field(name).to_pylist() for name in ("values", "counts"))
    labels = pc.utf8_trim_whitespace(counts.field("values")).to_pylist()
    found: dict[str, str] = {}
    for _, text, label in sorted(
        (-count, text, label) for count, text, label in zip(times, texts, labels, strict=True)
    ):
        found.setdefault(label, text)
    return found


def _split_in_name(path: Path) -> str:
    named = set(_SPLIT_IN_NAME.findall(path.name.lower()))
    return named.pop() if len(named) == 1 else ""


def _refuse_other_encodings(path: Path) -> None:
    try:
        path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} must be UTF-8, got {error.object[error.start : error.start + 1]!r} at byte "
            f"{error.start}; save it as `CSV UTF-8`"
        ) from error
