"""GLDv2's CSV files: which there are, and how they get into a build.

The files are fetched once into `metadata/csv/` and kept. Their bytes, not their address, decide
the rows. `metadata/csv/SOURCE` names the base address they came from: under another one all of
them are fetched again, and replace the old ones together once the last has come. A folder's files
are also fetched again when they differ from the copies. Files put there by hand, without a
`SOURCE`, count as coming from the first base address used. `index.csv` is not needed: its images
are those of `index_image_to_landmark.csv`.

A file that is not what it was when it came (`hgld.metadata.records`) is fetched again. What stands
is replaced by a file that came whole and has the columns of it, and by nothing else. To have files
taken as they are, delete `metadata/csv/FILES.json`.

Source of the layout: https://github.com/cvdfoundation/google-landmark (README).
"""

import contextlib
import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.engine.files import atomic_file, record_file, write_text
from hgld.engine.logins import redacted
from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, NotFoundError
from hgld.http.download import Source, open_source
from hgld.http.patience import HttpPolicy
from hgld.metadata.records import FOLDER, RECORD, csv_damages, read_records, write_records

logger = logging.getLogger(__name__)

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

_MARKER = "SOURCE"
_LONGEST_HEADER = 1000


def fetch_files(
    workspace: Workspace, base: str, policy: HttpPolicy, *, credits_too: bool = True
) -> None:
    """Brings every file into the build, as the docstring of the module says.

    Args:
        workspace: the build.
        base: an http(s) URL or a folder.
        policy: the bounds of what is fetched.
        credits_too: whether `ATTRIBUTION` is fetched; where it lies there already it stays.

    Raises:
        FetchError: a file is missing, or the base address cannot be reached.
        InputError: a file that came is not the one that is wanted.
    """
    folder = workspace.path(FOLDER)
    for leftover in folder.glob(".*.tmp"):  # of a run that was killed, up to half a gigabyte
        leftover.unlink()
    damages = dict(csv_damages(workspace))
    names = tuple(name for name in FILES if credits_too or name != ATTRIBUTION)
    with open_source(base, policy) as source:
        if RECORD in damages:
            _replace_unchecked(source, workspace, names, damages[RECORD])
        elif (before := _came_from(folder, source)) != source.base:
            logger.warning(
                "%s holds files of %s; all are fetched from %s", folder, before, source.base
            )
            _replace_all(source, workspace, names)
        else:
            _complete(source, workspace, names, damages)


def _came_from(folder: Path, source: Source) -> str:
    """Returns the base address of the files that are there, this one where none is named."""
    try:
        text = (folder / _MARKER).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return source.base
    return redacted(text.strip())  # earlier versions wrote down a login with it


def _complete(
    source: Source, workspace: Workspace, names: Sequence[str], damages: Mapping[str, str]
) -> None:
    """Fetches the files that are not there, or not any more as they came or as the source has them.

    Args:
        source: where they come from.
        workspace: the build.
        names: of all that is wanted.
        damages: of files, by their path, with what is wrong.
    """
    for damaged, what in damages.items():
        logger.warning("%s %s; it is fetched again", workspace.path(damaged), what)
    folder = workspace.path(FOLDER)
    marker, line = folder / _MARKER, f"{source.base}\n"
    if not marker.exists() or marker.read_text(encoding="utf-8") != line:
        write_text(marker, line)
    wanted = [
        name
        for name in names
        if f"{FOLDER}/{name}" in damages or not _is_kept(source, name, folder / name)
    ]
    with progress("metadata: files", len(wanted)) as advance:
        for name in wanted:
            path = f"{FOLDER}/{name}"
            try:
                _fetch_one(source, workspace, name)
            except FetchError as error:
                # Where all else is there, a base that cannot be reached now is no reason to stop:
                # a build is made again without a network.
                if _is_dispensable(name, error) or wanted == [ATTRIBUTION]:
                    logger.warning("%s; nobody is credited as the author of an image", error)
                    continue
                if path not in damages:
                    raise
                raise FetchError(
                    f"{folder / name} {damages[path]}, and cannot be had again: {error}"
                ) from error
            advance(1)
    _record_all(workspace)


def _fetch_one(source: Source, workspace: Workspace, name: str) -> None:
    records = read_records(workspace)
    with atomic_file(workspace.path(f"{FOLDER}/{name}")) as temporary:
        _fetch(source, name, temporary)
        record = record_file(temporary)
        # Killed around the renaming, the whole file that then stands there is not said to be
        # another one.
        if records.pop(name, None):
            write_records(workspace, records)
    write_records(workspace, {**records, name: record})


def _is_dispensable(name: str, error: FetchError) -> bool:
    return name == ATTRIBUTION and isinstance(error, NotFoundError)


def _replace_unchecked(
    source: Source, workspace: Workspace, names: Sequence[str], what: str
) -> None:
    """Fetches all files, since nothing says any more what they were."""
    path = workspace.path(RECORD)
    logger.warning("%s %s; all files are fetched again", path, what)
    try:
        _replace_all(source, workspace, names)
    except FetchError as error:
        raise FetchError(
            f"{path} {what}, so that the files cannot be checked, nor had again: {error}; or "
            f"delete it, and they are taken as they are"
        ) from error


def _replace_all(source: Source, workspace: Workspace, names: Sequence[str]) -> None:
    """Fetches all files, then puts them in the place of those of another base address."""
    folder = workspace.path(FOLDER)
    marker = folder / _MARKER
    with (
        progress("metadata: files", len(names)) as advance,
        contextlib.ExitStack() as renamed_at_the_end,
    ):
        lacking = set(FILES) - set(names)
        for name in names:
            try:
                with contextlib.ExitStack() as until_it_came:
                    temporary = until_it_came.enter_context(atomic_file(folder / name))
                    _fetch(source, name, temporary)
                    renamed_at_the_end.enter_context(until_it_came.pop_all())
            except FetchError as error:
                if not _is_dispensable(name, error):
                    raise
                logger.warning("%s; nobody is credited as the author of an image", error)
                lacking.add(name)
            advance(1)
        # Killed between two renames, the folder holds files of both: no base may claim it.
        write_text(marker, "being replaced\n")
        workspace.path(RECORD).unlink(missing_ok=True)
        for name in lacking:
            (folder / name).unlink(missing_ok=True)
    write_text(marker, f"{source.base}\n")
    _record_all(workspace)


def _record_all(workspace: Workspace) -> None:
    """Writes down what is not written down yet: files put there by hand, and where all are from."""
    folder = workspace.path(FOLDER)
    before = read_records(workspace)
    there = [name for name in FILES if name != ATTRIBUTION or (folder / name).exists()]
    records = {name: before.get(name) or record_file(folder / name) for name in there}
    records[_MARKER] = record_file(folder / _MARKER)
    if records != before:
        write_records(workspace, records)


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
        raise InputError(
            f"{source.address(place)} begins with {line[:60]!r}; it needs the columns "
            f"{', '.join(_COLUMNS[name])} (mend the base's file, then rerun)"
        )


def _places(name: str) -> tuple[str, ...]:
    # The official bucket keeps the solution beside `metadata/`, not in it.
    return (name, f"../ground_truth/{name}") if name == SOLUTION else (name,)
