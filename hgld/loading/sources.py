"""`hgld.load`: what was given, and who reads it."""

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
    """Loads labels of images: of a build, a release, Google's files, or a table of one's own.

    Only the list of files is read at once; rows are read when they are asked for, and then only the
    columns and the parts of files that are needed, over the web too.

    Args:
        source: the folder of a build, its annotations/, or a release that was pulled; the address
            of a release; the folder of Google's CSV files, or `train_label_to_hierarchical.csv` in
            it; a parquet or CSV file of one's own, a table of Arrow, pandas or polars, or several
            of these by split.
        levels: columns of the labels, finest first; None: landmark_id, hierarchical_label,
            natural_or_human_made.
        image: the column of the images, in a table of one's own.
        labels: which images of a build or release, by how their label was found. classes: those
            whose label a class of their landmark gives, as published. reviewed: those whose label a
            person decided. all: those of classes, and after them those that are filled where no
            class gives a label. The id of a label is the same whatever is chosen.
        min_confidence: the least confidence of a label, 0 to 1; labels that a person decided have
            no confidence, and stay.

    Returns:
        The splits, `.train`, `.index` and `.query`, with `.hierarchy` and `.landmarks`.

    Raises:
        InputError: the source is not there, is none of these, lacks a column or a shard, has no
            fills where `all` are asked for, or does not say how its labels were found.
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
        mend = "leave out labels and min_confidence, or load a build or a release"
        raise InputError(f"{found.where} does not say how its labels were found; {mend}")
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
