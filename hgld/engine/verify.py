"""Checks that the files of a build or a release did not change since they were written."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hgld.engine.files import GONE, file_damage
from hgld.engine.stage import Stage, manifest_beside
from hgld.engine.workspace import Damage, Workspace, command_of, load_manifest
from hgld.errors import DamagedError

RELEASE_SUMS = "SHA256SUMS"
"""File of a release with a line per file: its SHA-256, two spaces, its relative name."""

MOST_SUMS_BYTES = 64_000_000
"""Limit of its size, about half a million lines, so that a hostile list cannot fill the memory."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def verify_stages(workspace: Workspace) -> Iterator[Damage]:
    """Compares every file that a stage wrote with its record.

    Args:
        workspace: the build.

    Yields:
        Each file with its damage and the remedy, or with an empty text.

    Raises:
        InputError: a later version of this program wrote a manifest.
    """
    for path in sorted(workspace.path("stages").glob("*.json")):
        name = path.relative_to(workspace.root).as_posix()
        mended = f"{workspace.command(command_of(path.stem))} mends it"
        if manifest_beside(workspace, path.stem).exists():
            yield Damage(name, f"is about to be replaced by a run that was stopped; {mended}")
            continue
        try:
            manifest = load_manifest(path)
        except DamagedError:
            yield Damage(name, f"is damaged; {mended}")
            continue
        yield Damage(name, "")
        wrong = dict(workspace.damages(manifest.records, manifest.patterns))
        for file in sorted(manifest.records.keys() | wrong):
            yield Damage(file, f"{wrong[file]}; {mended}" if file in wrong else "")


def verify_begun(workspace: Workspace, stage: Stage) -> Iterator[Damage]:
    """Yields the manifest of a stage if it is missing although output exists."""
    places = [path for dataset in stage.outputs for path in workspace.shards(dataset)]
    places += [workspace.path(name) for name in stage.output_files]
    path = workspace.manifest_path(stage.name)
    is_there = any(place.exists() for place in places)
    if is_there and not path.exists() and not manifest_beside(workspace, stage.name).exists():
        name = path.relative_to(workspace.root).as_posix()
        command = workspace.command(command_of(stage.name))
        yield Damage(name, f"{GONE}, but its files exist; {command} writes it again")


def read_sums(path: Path) -> dict[str, str]:
    """Reads the list of the files of a release; see `parse_sums`."""
    return parse_sums(_sums_bytes(path), path)


def parse_sums(content: bytes, where: object) -> dict[str, str]:
    """Reads the list of the files of a release.

    Args:
        content: of the file SHA256SUMS.
        where: the name of that file, for an error.

    Returns:
        The SHA-256 of each file, by its name relative to SHA256SUMS.

    Raises:
        DamagedError: a line is malformed, repeats a file or names one elsewhere, or there is none.
    """
    sums, wrong = _listed(content)
    if wrong:
        raise DamagedError(f"{where}: {wrong[0]}; fetch the release again")
    return sums


def verify_sums(folder: Path) -> Iterator[Damage]:
    """Compares the files of a release with its SHA256SUMS.

    Args:
        folder: with the file SHA256SUMS.

    Yields:
        Each file by its path relative to the folder, with its damage and the remedy, or with an
        empty text.
    """
    again = "fetch the release again"
    sums, wrong = _listed(_sums_bytes(folder / RELEASE_SUMS))
    for name, sha256 in sums.items():
        what = file_damage(folder / name, None, sha256)
        yield Damage(name, what and f"{what}; {again}")
    yield from (Damage(RELEASE_SUMS, f"{what}; {again}") for what in wrong)
    for path in sorted(folder.rglob("*.parquet")):
        name = path.relative_to(folder).as_posix()
        if name not in sums and not any(part.startswith(".") for part in Path(name).parts):
            yield Damage(
                name, f"is not in {RELEASE_SUMS}; remove it, because readers would read it"
            )


def _sums_bytes(path: Path) -> bytes:
    """Returns the bytes of a release's list of files.

    Raises:
        DamagedError: it cannot be read, or is too large.
    """
    try:
        if (size := path.stat().st_size) <= MOST_SUMS_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise DamagedError(f"cannot read {path}: {error.strerror}") from error
    raise DamagedError(f"{path} must have at most {MOST_SUMS_BYTES:,} bytes, got {size:,}")


def _listed(content: bytes) -> tuple[dict[str, str], list[str]]:
    """Returns the digest of each listed file, by name, and the errors in the list."""
    sums: dict[str, str] = {}
    wrong = []
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        name = str(PurePosixPath(match[2])) if match else ""  # `sha256sum ./*` writes ./ before it
        if match and not _leaves(name) and name not in sums:
            sums[name] = match[1]
        else:
            must = "a SHA-256, two spaces and the name of one more file below it"
            wrong.append(f"line {number} must be {must}, got {line[:100]!r}")
    return sums, wrong if sums or wrong else ["it lists no files"]


def _leaves(name: str) -> bool:
    """Says whether a name leads out of the folder, to the folder itself, or to a hidden file.

    A release has no hidden files, and writing one, such as `.git/config`, could run programs.
    """
    path = PurePosixPath(name)
    is_hidden = any(part.startswith(".") for part in path.parts)  # ".." too
    return path.is_absolute() or is_hidden or not path.parts or "\0" in name
