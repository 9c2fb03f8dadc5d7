"""A release brought here: every file is what SHA256SUMS says, or the folder stays as it was.

Files come into a folder beside the one that is wanted, `.NAME.pull`, where a stopped run goes on,
also in the middle of a file. When all of them are whole that folder takes the place of the other
one. What the folder has already is not fetched again; files of one's own in it are kept.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hgld.annotations.sharing.places import HUB, ReleasePlace, open_place
from hgld.engine.files import file_digest, flush_folder, room_for
from hgld.engine.progress import progress
from hgld.engine.verify import RELEASE_SUMS, SIGNATURE, read_sums
from hgld.errors import (
    DamagedError,
    FetchError,
    InputError,
    NotFoundError,
    WorkspaceBusyError,
)
from hgld.http.patience import HttpPolicy
from hgld.http.transfer import discard_part

CheckSignature = Callable[[Path], None]
"""Refuses a folder whose SHA256SUMS is not signed as it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """What a pull did."""

    fetched: int
    """Files that came."""
    kept: int
    """Files that were there already."""
    bytes: int
    """Of the release."""

    def words(self) -> str:
        """Returns that in a line."""
        count = f"{self.fetched + self.kept:,} files, {self.bytes:,} bytes"
        return (
            f"{count}: {self.fetched:,} fetched, {self.kept:,} were there; all as SHA256SUMS says"
        )


def pull_release(
    ref: str,
    out: Path,
    policy: HttpPolicy,
    *,
    check: CheckSignature | None = None,
    endpoint: str = HUB,
) -> PullReport:
    """Brings a release into a folder.

    Args:
        ref: where it is; see `open_place`.
        out: the folder, new, empty, or with an earlier release.
        policy: the bounds of what is fetched.
        check: called with a folder that has SHA256SUMS and its signature, before anything else is
            fetched.
        endpoint: of the hub.

    Returns:
        What was done.

    Raises:
        InputError: the folder has files and no release, `ref` is no place, or the disk is full.
        NotFoundError: there is no release, or it lacks a file.
        FetchError: a file cannot be had, or is not what SHA256SUMS says. The folder is as it was.
        DamagedError: SHA256SUMS cannot be read, or `check` refuses it.
        WorkspaceBusyError: another process brings something there.
    """
    out = out.absolute()
    staging, old = (out.with_name(f".{out.name}.{word}") for word in ("pull", "old"))
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} must be a folder, and is a file; name another")
    try:
        with room_for(staging):
            staging.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}; name another folder") from error
    with _held(staging.with_name(f"{staging.name}.lock"), out), _left_out_if_empty(staging):
        _finish_swap(out, old)
        if out.exists() and not (out / RELEASE_SUMS).is_file() and any(out.iterdir()):
            raise InputError(
                f"{out} has files and no release ({RELEASE_SUMS}); name another folder, or empty it"
            )
        with open_place(ref, policy, endpoint=endpoint) as place, room_for(staging):
            sums = _signed_sums(place, ref, staging, check)
            fetched = _bring_all(place, sums, staging, out)
        size = sum((staging / name).stat().st_size for name in sums)
        _clear(staging, sums)
        _swap(staging, out, old)
    return PullReport(fetched=fetched, kept=len(sums) - fetched, bytes=size)


def _signed_sums(
    place: ReleasePlace, ref: str, staging: Path, check: CheckSignature | None
) -> Mapping[str, str]:
    """Brings the list of files, and its signature where there is one."""
    for name in (RELEASE_SUMS, SIGNATURE):  # of an earlier run, and of another release maybe
        (staging / name).unlink(missing_ok=True)
        discard_part(_part_of(staging / name))
    try:
        sums = _come(place, RELEASE_SUMS, staging / RELEASE_SUMS)
    except NotFoundError as error:
        raise NotFoundError(
            f"{ref} holds no release: {error}; that of a build lies in its folder annotations"
        ) from error
    _keep(sums, staging / RELEASE_SUMS)
    with contextlib.suppress(NotFoundError):
        _keep(_come(place, SIGNATURE, staging / SIGNATURE), staging / SIGNATURE)
    if check:
        check(staging)
    return read_sums(staging / RELEASE_SUMS)


def _bring_all(place: ReleasePlace, sums: Mapping[str, str], staging: Path, out: Path) -> int:
    """Brings every file that is not there yet; returns how many came."""
    fetched = 0
    with progress("pull: files", len(sums)) as advance:
        for name, digest in sums.items():
            target = staging / name
            if not _is(target, digest):
                target.parent.mkdir(parents=True, exist_ok=True)
                if _is(out / name, digest):
                    _link(out / name, target)
                else:
                    _fetch(place, name, target, digest)
                    fetched += 1
            advance(1)
    return fetched


def _fetch(place: ReleasePlace, name: str, target: Path, digest: str) -> None:
    part = _come(place, name, target)
    if (got := file_digest(part)) != digest:
        discard_part(part)
        raise FetchError(
            f"{name} has SHA-256 {got}, where {RELEASE_SUMS} says {digest}; the release is not "
            f"whole there: rerun, or tell its publisher"
        )
    _keep(part, target)


def _come(place: ReleasePlace, name: str, target: Path) -> Path:
    """Brings a file beside its place, and goes on with what came of it before."""
    part = _part_of(target)
    came = place.bring(name, part)
    if came != part:  # it lies in a folder, which stays as it is
        shutil.copyfile(came, part)
    return part


def _keep(part: Path, target: Path) -> None:
    part.replace(target)
    discard_part(part)  # what was noted of it


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _link(there: Path, target: Path) -> None:
    """Makes a file that is there one of the new folder, without a copy where that can be."""
    try:
        os.link(there, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(there, target)


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and file_digest(path) == digest


def _clear(staging: Path, sums: Mapping[str, str]) -> None:
    """Removes what a run that wanted another release left."""
    for path in sorted(staging.rglob("*"), reverse=True):
        name = path.relative_to(staging).as_posix()
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.rmdir()
        elif name not in sums and name not in {RELEASE_SUMS, SIGNATURE}:
            path.unlink()


def _swap(staging: Path, out: Path, old: Path) -> None:
    """Puts the new folder in the place of the old one."""
    if out.exists():
        out.replace(old)
    staging.replace(out)
    flush_folder(out.parent)
    _finish_swap(out, old)


def _finish_swap(out: Path, old: Path) -> None:
    """Ends a swap, also one in whose midst a run was killed: it is undone, or done to the end."""
    done = old.with_name(f"{old.name}.done")
    if old.exists():
        if not out.exists():
            old.replace(out)
            return
        listed, is_sure = _listed(old, out)
        for path in _others(old, listed):
            target = out / path.relative_to(old)
            # A table that may be of the old release must not be read as one of the new.
            if target.exists() or (target.suffix == ".parquet" and not is_sure):
                target = target.with_name(f"{target.name}.before")
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        old.replace(done)  # so that a folder that is half removed is never looked through
    shutil.rmtree(done, ignore_errors=True)


def _listed(old: Path, out: Path) -> tuple[set[str], bool]:
    """Returns the files of an old release, and whether that is all of them.

    Where its list is damaged, which a pull mends like any other file, they are those of the new
    release, and whatever else there is may be somebody's own.
    """
    listed = {RELEASE_SUMS, SIGNATURE}
    if not (old / RELEASE_SUMS).is_file():
        return listed, True
    try:
        return listed | set(read_sums(old / RELEASE_SUMS)), True
    except DamagedError:
        return listed | set(read_sums(out / RELEASE_SUMS)), False


def _others(folder: Path, listed: set[str]) -> list[Path]:
    """Returns the files of a folder but for those that are listed."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())
    return [path for path in files if path.relative_to(folder).as_posix() not in listed]


@contextlib.contextmanager
def _left_out_if_empty(folder: Path) -> Iterator[None]:
    """Removes a folder at the end of the block, where nothing is in it or it is gone."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _held(path: Path, out: Path) -> Iterator[None]:
    """Keeps every other process from bringing something into the same folder."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkspaceBusyError(f"another process brings a release into {out}") from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
