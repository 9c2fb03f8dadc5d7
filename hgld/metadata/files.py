"""GLDv2's CSV files: which there are, how they get into a build, and whether they stayed the same.

The files are fetched once into `metadata/csv/` and kept. Their bytes, not their address, decide
the rows. `metadata/csv/FILES.json` holds the base address they came from, size and SHA-256 of
each, and a digest of itself. Under another base address all files are fetched again, and replace
the old ones together once the last has come. A file that is not what it was when it came is fetched
again, and so is one of a folder that differs from its copy. Without FILES.json the files that are
there are taken as they are, and written down; delete it to have that.

What stands is only replaced by a file that came whole and has its columns. `index.csv` is not
needed: its images are those of `index_image_to_landmark.csv`.

Source of the layout: https://github.com/cvdfoundation/google-landmark (README).
"""

import contextlib
import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.engine.files import FileRecord, atomic_file, read_sealed, record_file, write_sealed
from hgld.engine.progress import progress
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, FetchError, InputError, NotFoundError
from hgld.http.download import Source, open_source

logger = logging.getLogger(__name__)

FOLDER = "metadata/csv"
"""Where the files lie, relative to the workspace."""
RECORD = f"{FOLDER}/FILES.json"

SOLUTION = "retrieval_solution_v2.1.csv"
ATTRIBUTION = "train_attribution.csv"
"""Who made each train image. A build goes without where the base lacks it."""
_COLUMNS = {
    "train_label_to_category.csv": ("landmark_id", "category"),
    "train.csv": ("id", "landmark_id"),
    "train_clean.csv": ("images",),
    "index_label_to_category.csv": ("landmark_id", "category"),
    "index_image_to_landmark.csv": ("id", "landmark_id"),
    "test.csv": ("id",),
    SOLUTION: ("id", "images", "Usage"),
    ATTRIBUTION: ("id", "url", "author", "license", "title"),
}
FILES = tuple(_COLUMNS)
"""The CSV files of GLDv2 that a build reads."""

_LONGEST_HEADER = 1000
_BEING_REPLACED = ""
"""In place of a base address, while files of two addresses lie in the folder."""


def fetch_files(workspace: Workspace, base: str, *, credits_too: bool = True) -> None:
    """Brings every file into the build, as the docstring of the module says.

    Args:
        workspace: the build.
        base: an http(s) URL or a folder.
        credits_too: whether `ATTRIBUTION` is fetched; where it lies there already it stays.

    Raises:
        FetchError: a file is missing, or the base address cannot be reached.
        InputError: a file that came is not the one that is wanted.
    """
    for leftover in workspace.path(FOLDER).glob(".*.tmp*"):  # of a run that was killed
        leftover.unlink()
    names = tuple(name for name in FILES if credits_too or name != ATTRIBUTION)
    with open_source(base) as source:
        try:
            before, records = _read_record(workspace)
        except DamagedError as error:
            logger.warning("%s; all files are fetched again", error)
            try:
                _replace_all(source, workspace, names)
            except FetchError as gone:
                what = f"{error}, and the files cannot be fetched again: {gone}"
                raise FetchError(f"{what}; or delete it, and they are taken as they are") from gone
            return
        if before not in {None, source.base}:
            came_from = before or "two addresses"
            logger.warning("the files of %s are replaced by those of %s", came_from, source.base)
            _replace_all(source, workspace, names)
        else:
            _complete(source, workspace, names, records)


def csv_damages(workspace: Workspace) -> list[Damage]:
    """Returns what is gone or altered of the CSV files, by name; empty where all is as it came.

    Files that were never written down, and a folder that is not there, are none.
    """
    try:
        _, records = _read_record(workspace)
    except DamagedError:
        return [Damage(RECORD, "is not what was written")]
    return workspace.damages({f"{FOLDER}/{name}": one for name, one in records.items()}, ())


def _read_record(workspace: Workspace) -> tuple[str | None, dict[str, FileRecord]]:
    """Returns the base address and the record of each file; None and {} where nothing is recorded.

    Raises:
        DamagedError: they are not what was written.
    """
    if not workspace.path(RECORD).exists():
        return None, {}
    values = read_sealed(workspace.path(RECORD))
    return values["base"], {name: FileRecord(*one) for name, one in values["files"].items()}


def _write_record(workspace: Workspace, base: str, records: Mapping[str, FileRecord]) -> None:
    write_sealed(workspace.path(RECORD), {"base": base, "files": records})


def _complete(
    source: Source, workspace: Workspace, names: Sequence[str], records: dict[str, FileRecord]
) -> None:
    """Fetches the files that are not there, or not as they came, or not as a folder has them."""
    folder = workspace.path(FOLDER)
    damages = {Path(damage.path).name: damage.what for damage in csv_damages(workspace)}
    for name, what in damages.items():
        logger.warning("%s %s; it is fetched again", folder / name, what)
    wanted = [n for n in names if n in damages or not _is_kept(source, n, folder / n)]
    with progress("metadata: files", len(wanted)) as advance:
        for name in wanted:
            try:
                with atomic_file(folder / name) as temporary:
                    _fetch(source, name, temporary)
                    record = record_file(temporary)
                    # Killed around the renaming, the whole file that then stands there is not said
                    # to be another one.
                    if records.pop(name, None):
                        _write_record(workspace, source.base, records)
            except FetchError as error:
                # Where all else is there, a base that cannot be reached now is no reason to stop:
                # a build is made again without a network.
                if _is_dispensable(name, error) or wanted == [ATTRIBUTION]:
                    logger.warning("%s; no image has a credit", error)
                    continue
                if name not in damages:
                    raise
                what = f"{folder / name} {damages[name]}, and cannot be fetched again"
                raise FetchError(f"{what}: {error}") from error
            records[name] = record
            _write_record(workspace, source.base, records)
            advance(1)
    _record_all(source, workspace, records)


def _replace_all(source: Source, workspace: Workspace, names: Sequence[str]) -> None:
    """Fetches all files, then puts them in the place of those of another base address."""
    folder = workspace.path(FOLDER)
    lacking = set(FILES) - set(names)
    with (
        progress("metadata: files", len(names)) as advance,
        contextlib.ExitStack() as renamed_at_the_end,
    ):
        for name in names:
            try:
                with contextlib.ExitStack() as until_it_came:
                    temporary = until_it_came.enter_context(atomic_file(folder / name))
                    _fetch(source, name, temporary)
                    renamed_at_the_end.enter_context(until_it_came.pop_all())
            except FetchError as error:
                if not _is_dispensable(name, error):
                    raise
                logger.warning("%s; no image has a credit", error)
                lacking.add(name)
            advance(1)
        _write_record(workspace, _BEING_REPLACED, {})
        for name in lacking:
            (folder / name).unlink(missing_ok=True)
    _record_all(source, workspace, {})


def _record_all(source: Source, workspace: Workspace, records: dict[str, FileRecord]) -> None:
    """Writes down what is not written down yet, such as files that were put there by hand."""
    folder = workspace.path(FOLDER)
    there = [name for name in FILES if name != ATTRIBUTION or (folder / name).exists()]
    now = {name: records.get(name) or record_file(folder / name) for name in there}
    if (source.base, now) != _read_record(workspace):
        _write_record(workspace, source.base, now)


def _is_dispensable(name: str, error: FetchError) -> bool:
    return name == ATTRIBUTION and isinstance(error, NotFoundError)


def _is_kept(source: Source, name: str, kept: Path) -> bool:
    return kept.exists() and not any(source.has_changed(place, kept) for place in _places(name))


def _fetch(source: Source, name: str, temporary: Path) -> None:
    """Fetches a file from the place where the source has it, and looks at its first line."""
    place, *others = _places(name)
    try:
        source.fetch(place, temporary)
    except NotFoundError:
        if not others:
            raise
        place = others[0]
        source.fetch(place, temporary)
    with temporary.open("rb") as file:
        line = file.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace").rstrip()
    # Such as the page of a proxy that asks for a password, with status 200.
    if not set(_COLUMNS[name]) <= set(next(csv.reader([line]), [])):
        needed = f"it needs the columns {', '.join(_COLUMNS[name])}; mend it, then rerun"
        raise InputError(f"{source.address(place)} begins with {line[:60]!r}; {needed}")


def _places(name: str) -> tuple[str, ...]:
    # The official bucket keeps the solution beside `metadata/`, not in it.
    return (name, f"../ground_truth/{name}") if name == SOLUTION else (name,)
