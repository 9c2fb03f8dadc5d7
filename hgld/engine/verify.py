"""Whether what lies on the disk is what was written there: builds, and releases of them."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hgld.engine.files import file_digest
from hgld.engine.manifest import load_manifest
from hgld.engine.stage import Stage
from hgld.engine.successor import is_being_placed, read_started
from hgld.engine.workspace import FOREIGN, GONE, Damage, Workspace, command_of
from hgld.errors import DamagedError

RELEASE_SUMS = "SHA256SUMS"
"""Of a release: a line a file, its SHA-256, two spaces, its name relative to this one."""

MOST_SUMS_BYTES = 64_000_000
"""Of that file: about half a million lines, so that nobody's list fills the memory."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def verify_stages(workspace: Workspace) -> Iterator[Damage]:
    """Compares every file that a stage wrote with what it was then.

    Args:
        workspace: the build.

    Yields:
        Each file with what is wrong with it and what mends that, or with an empty text.

    Raises:
        InputError: a later version of this program wrote a manifest.
    """
    for path in sorted(workspace.path("stages").glob("*.json")):
        name = path.relative_to(workspace.root).as_posix()
        mended = f"; {workspace.command(command_of(path.stem))}"
        if is_being_placed(workspace, path.stem):
            yield Damage(name, f"is about to be replaced by a run that was stopped{mended} goes on")
            continue
        try:
            manifest = load_manifest(path)
        except DamagedError:
            yield Damage(name, f"is damaged{mended} writes it again")
            continue
        yield Damage(name, "")
        folders = manifest.outputs.keys() - manifest.records
        wrong = {one.path: one.what for one in workspace.damages(manifest.records, folders)}
        for file in sorted(manifest.records.keys() | wrong):
            what = wrong.get(file, "")
            ends = "moves it aside" if what == FOREIGN else "makes it again"
            yield Damage(file, what and f"{what}{mended} {ends}")


def verify_begun(workspace: Workspace, stage: Stage) -> Iterator[Damage]:
    """Yields the manifest of a stage that is gone although it has output and no run has begun."""
    places = [path for dataset in stage.outputs for path in workspace.shards(dataset)]
    places += [workspace.path(name) for name in stage.output_files]
    path = workspace.manifest_path(stage.name)
    is_there = any(place.exists() for place in places)
    if is_there and not path.exists() and read_started(workspace, stage.name) is None:
        name = path.relative_to(workspace.root).as_posix()
        command = workspace.command(command_of(stage.name))
        yield Damage(name, f"{GONE}, and what it told of is there; {command} writes it again")


def read_sums(path: Path) -> dict[str, str]:
    """Reads the list of the files of a release; see `parse_sums`."""
    return parse_sums(_sums_bytes(path), path)


def parse_sums(content: bytes, where: object) -> dict[str, str]:
    """Reads the list of the files of a release.

    Args:
        content: of a file SHA256SUMS.
        where: as which an error names that.

    Returns:
        The SHA-256 of each file, by its name relative to that one.

    Raises:
        DamagedError: a line is no digest and name of a file below, or names a file again, or there
            is none.
    """
    found = {}
    for number, line, listed in _listed(content):
        if listed is None:
            raise DamagedError(
                f"{where}: line {number} must be a SHA-256, two spaces and the name of a file "
                f"below it that no other line names, got {line[:100]!r}; fetch the release again"
            )
        found[listed.name] = listed.digest
    if not found:
        raise DamagedError(f"{where} lists no file; fetch the release again")
    return found


def verify_sums(folder: Path) -> Iterator[Damage]:
    """Compares the files of a release with its SHA256SUMS.

    Args:
        folder: with the file SHA256SUMS.

    Yields:
        Each file by its path relative to the folder, with what is wrong with it and what mends
        that, or with an empty text.
    """
    again = "fetch the release again"
    names = set[str]()
    for number, _, listed in _listed(_sums_bytes(folder / RELEASE_SUMS)):
        if listed is None:
            yield Damage(RELEASE_SUMS, f"line {number} lists no file, or one again; {again}")
            continue
        names.add(listed.name)
        path = folder / listed.name
        if not path.is_file():
            yield Damage(listed.name, f"{GONE}; {again}")
        elif file_digest(path) != listed.digest:
            yield Damage(listed.name, f"has other bytes than were released; {again}")
        else:
            yield Damage(listed.name, "")
    if not names:
        yield Damage(RELEASE_SUMS, f"lists no file; {again}")
    for path in sorted(folder.rglob("*.parquet")):
        name = path.relative_to(folder).as_posix()
        if name not in names and not any(part.startswith(".") for part in Path(name).parts):
            yield Damage(
                name, f"is not in {RELEASE_SUMS}; remove it, readers take all files of a folder"
            )


class _Listed(NamedTuple):
    digest: str
    name: str


def _listed(content: bytes) -> Iterator[tuple[int, str, _Listed | None]]:
    """Yields each line by its number, with what it lists.

    None where that is no file below, or one that a line before has: two digests of one file would
    let a changed file pass.
    """
    seen = set[str]()
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None or _leaves(match[2]):
            yield number, line, None
        else:  # as `sha256sum ./*` writes it, a name may begin with ./
            name = str(PurePosixPath(match[2]))
            yield number, line, None if name in seen else _Listed(match[1], name)
            seen.add(name)


def _sums_bytes(path: Path) -> bytes:
    """Returns the list of the files of a release.

    Raises:
        DamagedError: it cannot be read, or is too large to be one.
    """
    try:
        if (size := path.stat().st_size) <= MOST_SUMS_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise DamagedError(f"cannot read {path}: {error.strerror}") from error
    raise DamagedError(
        f"{path} must have at most {MOST_SUMS_BYTES:,} bytes, got {size:,}; fetch the release again"
    )


def _leaves(name: str) -> bool:
    """Says whether a name leads out of the folder, to itself, or to what programs keep hidden.

    A release has no hidden files, and one in somebody's folder, as `.git/config`, may run programs.
    """
    path = PurePosixPath(name)
    is_hidden = any(part.startswith(".") for part in path.parts)  # ".." too
    return path.is_absolute() or is_hidden or not path.parts or "\0" in name
