"""GLDv2's CSV files: which there are, and how they get into a build.

The files are fetched once into `metadata/csv/` and kept. Their bytes, not their address, decide
the rows. `metadata/csv/SOURCE` names the base address they came from: under another one all of
them are fetched again, and replace the old ones together once the last has come. A folder's files
are also fetched again when they differ from the copies. Files put there by hand, without a
`SOURCE`, count as coming from the first base address used. `index.csv` is not needed: its images
are those of `index_image_to_landmark.csv`.

Source of the layout: https://github.com/cvdfoundation/google-landmark (README).
"""

import contextlib
from pathlib import Path

from hgld.engine.files import atomic_file, write_text
from hgld.engine.progress import progress
from hgld.errors import NotFoundError
from hgld.http.download import Source, open_source

FOLDER = "metadata/csv"
"""Where they lie, relative to the workspace."""
SOLUTION = "retrieval_solution_v2.1.csv"
FILES = (
    "train_label_to_category.csv",
    "train.csv",
    "train_clean.csv",
    "index_label_to_category.csv",
    "index_image_to_landmark.csv",
    "test.csv",
    SOLUTION,
)
"""The CSV files of GLDv2 that a build reads."""


def fetch_files(base: str, folder: Path) -> None:
    """Brings every file into `folder`, as the docstring of the module says.

    Args:
        base: an http(s) URL or a folder.
        folder: where they are kept.

    Raises:
        FetchError: a file is missing, or the base address cannot be reached.
    """
    marker = folder / "SOURCE"
    for leftover in folder.glob(".*.tmp"):  # of a run that was killed, up to half a gigabyte
        leftover.unlink()
    with open_source(base) as source:
        if not marker.exists():
            write_text(marker, f"{source.base}\n")
        if marker.read_text(encoding="utf-8").strip() == source.base:
            _complete(source, folder)
        else:
            _replace_all(source, folder)


def _complete(source: Source, folder: Path) -> None:
    """Fetches the files that are not there, or not any more as the source has them."""
    wanted = [name for name in FILES if not _is_kept(source, name, folder / name)]
    with progress("metadata: files", len(wanted)) as advance:
        for name in wanted:
            with atomic_file(folder / name) as temporary:
                _fetch(source, name, temporary)
            advance(1)


def _replace_all(source: Source, folder: Path) -> None:
    """Fetches all files, then puts them in the place of those of another base address."""
    marker = folder / "SOURCE"
    with (
        progress("metadata: files", len(FILES)) as advance,
        contextlib.ExitStack() as renamed_at_the_end,
    ):
        for name in FILES:
            temporary = renamed_at_the_end.enter_context(atomic_file(folder / name))
            _fetch(source, name, temporary)
            advance(1)
        # Killed between two renames, the folder holds files of both: no base may claim it.
        write_text(marker, "being replaced\n")
    write_text(marker, f"{source.base}\n")


def _is_kept(source: Source, name: str, kept: Path) -> bool:
    return kept.exists() and not any(source.has_changed(place, kept) for place in _places(name))


def _fetch(source: Source, name: str, temporary: Path) -> None:
    first, *others = _places(name)
    try:
        source.fetch(first, temporary)
    except NotFoundError:
        if not others:
            raise
        source.fetch(others[0], temporary)


def _places(name: str) -> tuple[str, ...]:
    # The official bucket keeps the solution beside `metadata/`, not in it.
    return (name, f"../ground_truth/{name}") if name == SOLUTION else (name,)
