"""`hgld.load`: what was given, and who reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.engine.logins import redacted
from hgld.errors import InputError
from hgld.http.session import is_web_address
from hgld.loading.labelled import LabelledSet
from hgld.loading.official import LABEL_FILE, official_set
from hgld.loading.own import own_set
from hgld.loading.release import FolderShelf, WebShelf, release_set, shard_split

_HOME = "annotations"
_TABLES = (".parquet", ".csv")
_SPACES = ("train", "index")


def load(
    source: object, *, levels: Sequence[str] | None = None, image: str = "image_id"
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

    Returns:
        The splits, `.train`, `.index` and `.query`, with `.hierarchy` and `.landmarks`.

    Raises:
        InputError: what was given is not there, is none of these, or lacks a column or a shard.
        FetchError: an address cannot be reached.
        TypeError: no path and no table, or levels that are one text.

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
    match source:
        case str() if "://" in source:
            return _with_levels(_of_address(source), levels)
        case str() | Path():
            return _of_path(Path(source), levels, image)
        case Mapping():
            if not source:
                raise InputError("source must have one table or more, got none")
            return own_set(source, "the tables", levels, image)
        case _:
            return own_set({"": source}, "the table", levels, image)


def _of_address(address: str) -> LabelledSet:
    if not is_web_address(address):
        raise InputError(f"source must be a path or an http(s) address, got {redacted(address)}")
    base, _, name = address.rpartition("/data/")
    if base and shard_split(f"data/{name}"):
        return release_set(WebShelf(base), redacted(address), only=f"data/{name}")
    return release_set(WebShelf(address), redacted(address))


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
    home = path.absolute().parent
    if shard_split(f"{home.name}/{path.name}") and _is_release(home.parent):
        shelf = FolderShelf(path.parent.parent if path.parent.name else home.parent)
        return _with_levels(release_set(shelf, str(path), only=f"data/{path.name}"), levels)
    return own_set({"": path}, str(path), levels, image)


def _of_folder(folder: Path) -> LabelledSet:
    for one in (folder, folder / _HOME):
        if _is_release(one):
            return release_set(FolderShelf(one), str(one))
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
