"""GLDv2's CSV files: fetches them into a build, and checks that they do not change.

The files are fetched once into `metadata/csv/` and kept. Their bytes, not their address, decide
the rows. `metadata/csv/FILES.json` has the base address, the size and SHA-256 of each file, and a
digest of itself. If the base address changes, all files are fetched again, and replace the old ones
together after the last has come. A file that changed since it was fetched is fetched again, and so
is a file of a folder that differs from its copy. Without FILES.json, existing files are accepted
and recorded; delete it for that purpose.

A file is only replaced by one that is complete and has its columns. `index.csv` is not needed: its
images are those of `index_image_to_landmark.csv`.

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
"""Folder of the files, relative to the workspace."""
RECORD = f"{FOLDER}/FILES.json"

SOLUTION = "retrieval_solution_v2.1.csv"
ATTRIBUTION = "train_attribution.csv"
"""The author of each train image. A build works without it if the base lacks it."""
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
"""Replaces the base address while the folder has files of two addresses."""


def fetch_files(workspace: Workspace, base: str, *, credits_too: bool = True) -> None:
    """Brings every file into the build, as described in the module's docstring.

    Args:
        workspace: the build.
        base: an http(s) URL or a folder.
        credits_too: whether to fetch `ATTRIBUTION`; an existing one stays.

    Raises:
        FetchError: a file is missing, or the base address cannot be reached.
        InputError: a fetched file has the wrong columns.
    """
    for leftover in workspace.path(FOLDER).glob(".*.tmp*"):  # of a run that was killed
        leftover.unlink()
    names = tuple(name for name in FILES if credits_too or name != ATTRIBUTION)
    with open_source(base) as source:
        try:
            before, records = _read_record(workspace)
        except DamagedError as error:
            logger.warning("%s; fetching all files again", error)
            try:
                _replace_all(source, workspace, names)
            except FetchError as gone:
                what = f"{error}, and the files cannot be fetched again: {gone}"
                raise FetchError(f"{what}; or delete it to accept the files as they are") from gone
            return
        if before not in {None, source.base}:
            came_from = before or "two addresses"
            logger.warning("replacing the files of %s with those of %s", came_from, source.base)
            _replace_all(source, workspace, names)
        else:
            if before is None and any(workspace.path(FOLDER).glob("*.csv")):
                record = workspace.path(RECORD)
                logger.warning("%s is not there; the files beside it are taken as they are", record)
            _complete(source, workspace, names, records)


def csv_damages(workspace: Workspace) -> list[Damage]:
    """Returns the CSV files that are missing or altered, by name.

    Files without a record, and a missing folder, do not count.
    """
    try:
        _, records = _read_record(workspace)
    except DamagedError:
        return [Damage(RECORD, "is damaged")]
    return workspace.damages({f"{FOLDER}/{name}": one for name, one in records.items()}, ())


def _read_record(workspace: Workspace) -> tuple[str | None, dict[str, FileRecord]]:
    """Returns the base address and the record of each file; None and {} if there is no record.

    Raises:
        DamagedError: the record is damaged.
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
    """Fetches files that are missing, damaged, or different from those of the base folder."""
    folder = workspace.path(FOLDER)
    damages = {Path(damage.path).name: damage.what for damage in csv_damages(workspace)}
    for name, what in damages.items():
        logger.warning("%s %s; fetching it again", folder / name, what)
    wanted = [n for n in names if n in damages or not _is_kept(source, n, folder / n)]
    with progress("metadata: files", len(wanted)) as advance:
        for name in wanted:
            try:
                with atomic_file(folder / name) as temporary:
                    _fetch(source, name, temporary)
                    record = record_file(temporary)
                    # Before the rename: after a kill around it, the complete new file must not
                    # count as damaged.
                    if records.pop(name, None):
                        _write_record(workspace, source.base, records)
            except FetchError as error:
                # If all other files exist, an unreachable base is no reason to stop, so that a
                # build can be repeated offline.
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
    """Fetches all files, then replaces those of another base address."""
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
    """Records files without a record, such as those that were put there by hand."""
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
    """Fetches a file from its place in the source, and checks its first line."""
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
    # It may be a proxy's login page, with status 200.
    if not set(_COLUMNS[name]) <= set(next(csv.reader([line]), [])):
        needed = f"it needs the columns {', '.join(_COLUMNS[name])}; fix it, then rerun"
        raise InputError(f"{source.address(place)} begins with {line[:60]!r}; {needed}")


def _places(name: str) -> tuple[str, ...]:
    # The official bucket keeps the solution beside `metadata/`, not in it.
    return (name, f"../ground_truth/{name}") if name == SOLUTION else (name,)
