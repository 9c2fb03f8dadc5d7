"""`hgld.load`: recognizes the kind of source and loads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.errors import InputError
from hgld.loading.labelled import LabelledSet
from hgld.loading.official import LABEL_FILE, SPACES, official_set
from hgld.loading.own import TABLE_ENDINGS, own_set
from hgld.loading.release import HOME, folder_shelf, release_set
from hgld.tables import LabelOrigin, OriginChoice


def load(
    source: object,
    *,
    levels: Sequence[str] | None = None,
    image: str = "image_id",
    labels: LabelOrigin = "classes",
    min_confidence: float = 0.0,
) -> LabelledSet:
    """Loads labels of images from a build, a release, Google's files, or your own tables.

    It first reads only the list of files. Rows are read on demand, and only the needed columns and
    parts of files, also over the web.

    Args:
        source: the folder of a build, its annotations/, or a pulled release; the URL of a release;
            the folder of Google's CSV files, or `train_label_to_hierarchical.csv` in it; your own
            parquet or CSV file, a table of Arrow, pandas or polars, or a mapping of splits to
            these.
        levels: columns of the labels, finest first; None: landmark_id, hierarchical_label,
            natural_or_human_made.
        image: the column of the images, in your own table.
        labels: which images of a build or release to load, by the origin of their label. classes:
            a class of their landmark, as published. reviewed: a person's decision. all: classes,
            followed by labels filled from other evidence. The ids of labels do not depend on this.
        min_confidence: the lowest confidence of a label, 0 to 1; labels decided by a person have no
            confidence and are always loaded.

    Returns:
        The splits, `.train`, `.index` and `.query`, with `.hierarchy` and `.landmarks`.

    Raises:
        InputError: the source does not exist, is none of these, lacks a column or a shard, has no
            fills for `all`, or does not have the origin of its labels.
        FetchError: a URL cannot be reached.
        TypeError: not a path or table, or levels is a single text.
        ValueError: an unknown value of labels, or a confidence outside 0 to 1.

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
    if isinstance(source, str) and "://" in source:
        from hgld.loading.web import web_shelf

        shelf = web_shelf(source)
        return release_set(shelf, shelf.base, choice, levels)
    if isinstance(source, str | Path):
        path = Path(source)
        for folder in (path, path / HOME):
            if _is_release(folder):
                return release_set(folder_shelf(folder), str(path), choice, levels)
        found = _of_path(path, levels, image)
    elif isinstance(source, Mapping):
        found = own_set(source, "the tables", levels, image)
    else:
        found = own_set({"": source}, "the table", levels, image)
    if choice != OriginChoice():
        mend = "leave out labels and min_confidence, or load a build or release"
        raise InputError(f"{found.where} does not have the origin of its labels; {mend}")
    return found


def _is_release(folder: Path) -> bool:
    is_named_so = folder.name == HOME and (folder / "data").is_dir()
    return is_named_so or (folder / "hierarchy.parquet").is_file()


def _of_path(path: Path, levels: Sequence[str] | None, image: str) -> LabelledSet:
    names = [LABEL_FILE.format(space) for space in SPACES]
    if path.name in names:
        return official_set(path.parent, levels)
    if any((path / name).is_file() for name in names):
        return official_set(path, levels)
    if path.suffix in TABLE_ENDINGS and not path.is_dir():
        return own_set({"": path}, str(path), levels, image)
    known = f"a build, a release (data/ and hierarchy.parquet), a folder with Google's {names[0]}"
    known += f" or a {' or '.join(TABLE_ENDINGS)} file"
    raise InputError(f"{path} must be {known}; check the path, or run `hgld annotate`")
