"""`hgld.load`: what was given, and who reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.engine.logins import redacted
from hgld.errors import InputError
from hgld.http.session import is_web_address
from hgld.loading.labelled import LabelledSet
from hgld.loading.official import LABEL_FILE, official_set
from hgld.loading.own import own_set
from hgld.loading.release import PUBLISHED_LABELS, FolderShelf, WebShelf, release_set, shard_split
from hgld.tables import LabelOrigin, OriginChoice

_HOME = "annotations"
_TABLES = (".parquet", ".csv")
_SPACES = ("train", "index")


def load(
    source: object,
    *,
    levels: Sequence[str] | None = None,
    image: str = "image_id",
    labels: LabelOrigin = "classes",
    min_confidence: float = 0.0,
) -> LabelledSet:
    """Loads labels of images: of a release, of Google's files, or of a table of one's own.

    Nothing but the list of files is read until it is asked for, and then only the columns and the
    parts of files that are needed; over http(s) too, by Range requests.

    Args:
        source: the folder of a build, its annotations/, or a release that was pulled; the http(s)
            address of a release; one of its shards; the folder of Google's CSV files, or
            `train_label_to_hierarchical.csv` in it; a parquet or CSV file of one's own, a table of
            Arrow, pandas or polars, or several of these by split.
        levels: columns of the labels, finest first; None: landmark_id, hierarchical_label,
            natural_or_human_made.
        image: the column of the images, in a table of one's own.
        labels: of a build or release, which images, by how their labels came to be. classes: those
            whose label a class of their landmark gives, as published. reviewed: those whose label a
            person decided. all: those of classes, and after them those that are filled where no
            class gives a label. An id is of the same label whatever is chosen. One shard alone is
            read as it is, unless `reviewed`.
        min_confidence: the least confidence of a label, 0 to 1; labels without one were decided by
            a person, and stay.

    Returns:
        The splits, `.train`, `.index` and `.query`, with `.hierarchy` and `.landmarks`.

    Raises:
        InputError: what was given is not there, is none of these, lacks a column or a shard, has no
            fills where `all` are asked for, or does not say how its labels came to be.
        FetchError: an address cannot be reached.
        TypeError: no path and no table, or levels that are one text.
        ValueError: no such labels, or a confidence that is not from 0 to 1.

    Example:
        >>> import pyarrow as pa
        >>> shop = pa.table(
        ...     {
        ...         "image_id": ["a.jpg", "b.jpg", "c.jpg"],
        ...         "product": ["mug", "cup", "mug"],
        ...         "category": ["ware", "ware", "ware"],
        ...     }
        ... )
        >>> images = load(shop, levels=("product", "category")).train
        >>> images.labels().tolist(), images.names("product")
        ([[1, 0], [0, 0], [1, 0]], ('cup', 'mug'))
    """
    choice = OriginChoice(labels=labels, min_confidence=min_confidence)
    match source:
        case str() if "://" in source:
            return _with_levels(_of_address(source, choice), levels)
        case str() | Path():
            found = _of_release(Path(source), choice)
            if found is not None:
                return _with_levels(found, levels)
            found = _of_path(Path(source), levels, image)
            _require_no_choice(choice, str(source))
            return found
        case Mapping():
            if not source:
                raise InputError("source must have one table or more, got none")
            _require_no_choice(choice, "the tables")
            return own_set(source, "the tables", levels, image)
        case _:
            _require_no_choice(choice, "the table")
            return own_set({"": source}, "the table", levels, image)


def _of_address(address: str, choice: OriginChoice) -> LabelledSet:
    if not is_web_address(address):
        raise InputError(f"source must be a path or an http(s) address, got {redacted(address)}")
    above, _, name = address.rpartition("/")
    base, _, folder = above.rpartition("/")
    shard = f"{folder}/{name}"
    if base and shard_split(shard):
        return release_set(WebShelf(base), redacted(address), choice, only=shard)
    return release_set(WebShelf(address), redacted(address), choice)


def _of_release(path: Path, choice: OriginChoice) -> LabelledSet | None:
    """Returns the labels of a build or release, or of one of its shards; None: it is neither."""
    if path.is_dir():
        for one in (path, path / _HOME):
            if _is_release(one):
                return release_set(FolderShelf(one), str(one), choice)
        return None
    home = path.absolute().parent
    shard = f"{home.name}/{path.name}"
    if path.is_file() and shard_split(shard) and _is_release(home.parent):
        shelf = FolderShelf(path.parent.parent if path.parent.name else home.parent)
        return release_set(shelf, str(path), choice, only=shard)
    return None


def _require_no_choice(choice: OriginChoice, where: str) -> None:
    """Refuses a choice by what only a release says."""
    if choice != PUBLISHED_LABELS:
        raise InputError(
            f"{where} does not say how its labels came to be, which labels and min_confidence "
            f"choose by; leave them out, or load the folder or address of a build or release"
        )


def _of_path(path: Path, levels: Sequence[str] | None, image: str) -> LabelledSet:
    if path.is_dir():
        return _with_levels(_of_folder(path), levels)
    if str(path).startswith("hf:"):
        raise InputError(
            f"{path} must be here to be read: `hgld pull {path} --out labels`, then load that"
        )
    if not path.exists():
        raise InputError(f"{path} is not there; give a folder, a parquet or CSV file, or a URL")
    if path.name in map(LABEL_FILE.format, _SPACES):
        return _with_levels(official_set(path.parent), levels)
    if path.suffix not in _TABLES:
        raise InputError(f"{path} must be a folder or end in {' or '.join(_TABLES)}")
    return own_set({"": path}, str(path), levels, image)


def _of_folder(folder: Path) -> LabelledSet:
    if any((folder / LABEL_FILE.format(space)).is_file() for space in _SPACES):
        return official_set(folder)
    raise InputError(
        f"{folder} must hold the annotations of a build or release (data/ and hierarchy.parquet), "
        f"or Google's {LABEL_FILE.format('train')}, and holds neither; name another folder, or "
        f"make annotations with `hgld annotate`"
    )


def _is_release(folder: Path) -> bool:
    return (folder / "hierarchy.parquet").is_file() or (
        folder.name == _HOME and (folder / "data").is_dir()
    )


def _with_levels(labelled: LabelledSet, levels: Sequence[str] | None) -> LabelledSet:
    return labelled if levels is None else labelled.with_levels(levels)
