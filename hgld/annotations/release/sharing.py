"""A release brought here or sent elsewhere, each file as its SHA256SUMS says.

All files that a folder lacks come into `.pull` inside it first, where a stopped pull goes on. Only
when the last one is whole do they take their places, the list of files after all others: whoever
is stopped between has the old list, `hgld verify` says what differs, and the next pull ends it.
"""

import contextlib
import dataclasses
import fcntl
import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hgld.engine.files import file_digest, flush_folder
from hgld.engine.progress import progress
from hgld.engine.verify import MOST_SUMS_BYTES, RELEASE_SUMS, read_sums, verify_sums
from hgld.errors import (
    DamagedError,
    FetchError,
    InputError,
    NotFoundError,
    WorkspaceBusyError,
    how_to_install,
)
from hgld.http.download import check_base, open_source
from hgld.http.patience import HttpPolicy
from hgld.http.session import is_web_address
from hgld.http.transfer import discard_part

HUB = "https://huggingface.co"
_HUB_NAME = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_STAGING = ".pull"

Bring = Callable[[str, Path], None]
"""Brings a file of a release, by its name, into a folder, and goes on with a part that is there."""


class Transfer(NamedTuple):
    """How many files a pull or a publication fetched or sent, and how many were there already."""

    moved: int
    kept: int


def pull_release(ref: str, out: Path, policy: HttpPolicy, *, endpoint: str = HUB) -> Transfer:
    """Brings a release into a folder.

    Args:
        ref: a folder, an http(s) address, or `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`.
        out: the folder: new, empty, or with an earlier release. Files of one's own in it stay.
        policy: the bounds of what is fetched from an address.
        endpoint: of the hub.

    Raises:
        InputError: `out` is a link, a file, has files and no release, or one of one's own where the
            release has a file; it cannot be written; or `ref` is no place.
        NotFoundError: there is no release, or it lacks a file.
        FetchError: a file cannot be had, or is not what SHA256SUMS says; `out` is as it was.
        DamagedError: SHA256SUMS cannot be read.
        WorkspaceBusyError: another process brings something there.
    """
    out = out.absolute()
    _check_target(out)
    staging = out / _STAGING
    with _as_sentences(out), _held(out):
        before = dict[str, str]()
        with contextlib.suppress(DamagedError):  # or it is not there: the new list mends it
            before = read_sums(out / RELEASE_SUMS)
        staging.mkdir(exist_ok=True)
        try:
            with _opened(ref, policy, endpoint) as bring:
                sums = _bring_sums(bring, ref, staging)
                missing = {
                    name: digest for name, digest in sums.items() if not _is(out / name, digest)
                }
                _check_inside(out, missing, before)
                _bring_all(bring, missing, staging)
            _place(staging, out, missing, before.keys() - sums.keys())
            shutil.rmtree(staging)
        finally:
            (staging / RELEASE_SUMS).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # other files that came stay, for the next pull
                staging.rmdir()
        return Transfer(len(missing), len(sums) - len(missing))


def publish_release(
    folder: Path, to: str, policy: HttpPolicy, *, before: Path | None, endpoint: str = HUB
) -> Transfer:
    """Sends a release where others fetch it.

    Args:
        folder: with the release: SHA256SUMS and all that it lists.
        to: a folder; or `hf:OWNER/NAME`, which is made where it is not there, and gets all files
            in one commit.
        policy: as `pull_release` takes it.
        before: what `release_before` returned for that place.
        endpoint: of the hub, whose login is the one of `hf auth login`, or HF_TOKEN.

    Raises:
        DamagedError: a file of the release is not what SHA256SUMS says; nothing is sent.
        InputError: the folder cannot be read or written.
        FetchError: the hub does not take the release.
    """
    with _as_sentences(folder):
        for damage in verify_sums(folder):
            if damage.what:
                raise DamagedError(f"{folder / damage.path} {damage.what}; nothing was sent")
    if to.startswith("hf:"):
        return _to_hub(folder, to, before, endpoint)
    return pull_release(str(folder), Path(to), policy)


def release_before(
    to: str, folder: Path, policy: HttpPolicy, *, endpoint: str = HUB
) -> Path | None:
    """Returns a folder with the release that a place has, None where it has none yet.

    Args:
        to: the place; see `publish_release`.
        folder: where one from the hub is brought to, so that the next call finds it there.
        policy: as `pull_release` takes it.
        endpoint: of the hub.

    Raises:
        FetchError: it cannot be had, or is not what its SHA256SUMS says.
        InputError: `to` is no place.
    """
    if is_web_address(to) or (to.startswith("hf:") and _hub_name(to)[1]):
        raise InputError(
            f"a release is sent to a folder or to hf:OWNER/NAME, without a revision, got {to}; for "
            f"a web server publish into a folder and copy that, SHA256SUMS last"
        )
    if not to.startswith("hf:"):
        return Path(to) if (Path(to) / RELEASE_SUMS).is_file() else None
    try:
        pull_release(to, folder, policy, endpoint=endpoint)
    except NotFoundError:
        return None
    return folder


def _check_target(out: Path) -> None:
    """Refuses a folder that is not ours to write to."""
    if out.is_symlink():
        raise InputError(f"{out} is a link; name the folder that it leads to, {out.resolve()}")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} must be a folder, and is a file; name another")
    with _as_sentences(out):
        is_empty = not out.is_dir() or {path.name for path in out.iterdir()} <= {_STAGING}
        if not is_empty and not (out / RELEASE_SUMS).is_file():
            raise InputError(
                f"{out} has files and no release ({RELEASE_SUMS}); name another folder, or empty it"
            )


def _check_inside(out: Path, missing: Iterable[str], before: Collection[str]) -> None:
    """Refuses to write over a file of somebody's own, or through a link that leads elsewhere."""
    for name in missing:
        path = out / name
        if not path.parent.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path.parent} leads out of {out}; remove that link, then rerun")
        if path.is_dir() or (path.exists() and name not in before):
            raise InputError(f"{path} is none of the release that is there; move it, then rerun")


@contextlib.contextmanager
def _opened(ref: str, policy: HttpPolicy, endpoint: str) -> Iterator[Bring]:
    """Opens the place of a release for the time of a pull."""
    if ref.startswith("hf:"):
        yield _bring_from_hub(ref, endpoint)
        return
    try:
        check_base(ref)
    except ValueError as error:
        raise InputError(
            f"{ref} must be a folder, an http(s) address, or hf:OWNER/NAME: {error}"
        ) from error
    small = dataclasses.replace(policy, download_bytes=MOST_SUMS_BYTES)
    with open_source(ref, policy) as source, open_source(ref, small) as of_sums:

        def bring(name: str, folder: Path) -> None:
            target = folder / name
            if name == RELEASE_SUMS:  # from its start: a part may be of another release
                of_sums.fetch(name, target)
            elif (came := source.bring(name, target)) != target:  # it lies in a folder
                shutil.copyfile(came, target)

        yield bring


def _bring_from_hub(ref: str, endpoint: str) -> Bring:
    dataset, revision = _hub_name(ref)
    from huggingface_hub import errors, hf_hub_download

    there: dict[str, Any] = {"repo_type": "dataset", "revision": revision, "endpoint": endpoint}

    def bring(name: str, folder: Path) -> None:
        try:
            hf_hub_download(dataset, name, local_dir=folder, **there)
        except errors.LocalEntryNotFoundError as error:  # which is an EntryNotFoundError, too
            raise FetchError(f"cannot reach {endpoint} ({error}); rerun") from error
        except (errors.EntryNotFoundError, errors.RepositoryNotFoundError) as error:
            raise NotFoundError(
                f"{endpoint} has no {name} of {dataset}, or none that is public"
            ) from error
        except OSError as error:  # what else the hub answers is one
            raise FetchError(f"cannot fetch {name} of {dataset}: {error}; rerun") from error

    return bring


def _to_hub(folder: Path, to: str, before: Path | None, endpoint: str) -> Transfer:
    dataset, _ = _hub_name(to)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    sums = read_sums(folder / RELEASE_SUMS)
    there = read_sums(before / RELEASE_SUMS) if before else {}
    new = [name for name, digest in sums.items() if there.get(name) != digest]
    changes: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(name, folder / name) for name in (*new, RELEASE_SUMS)),
        *(CommitOperationDelete(name) for name in sorted(there.keys() - sums.keys())),
    ]
    api = HfApi(endpoint=endpoint)
    # The bases of the hub's error are those of a broken line; a thread that sends raises the last.
    refusals: tuple[type[Exception], ...] = (*HfHubHTTPError.__bases__, OSError, RuntimeError)
    try:
        api.create_repo(dataset, repo_type="dataset", exist_ok=True)
        if there != sums:
            api.create_commit(
                dataset, changes, commit_message="Publish a release", repo_type="dataset"
            )
    except refusals as error:
        raise FetchError(
            f"cannot send {to}: {error}; log in with `hf auth login`, then rerun"
        ) from error
    return Transfer(len(new), len(sums) - len(new))


def _hub_name(ref: str) -> tuple[str, str | None]:
    """Returns OWNER/NAME of a data set on the hub, and its revision.

    Raises:
        InputError: it is no such name, or the package that speaks with the hub is not installed.
    """
    match = _HUB_NAME.fullmatch(ref)
    if match is None:
        raise InputError(f"a data set on the hub must be named hf:OWNER/NAME[@REVISION], got {ref}")
    if not importlib.util.find_spec("huggingface_hub"):
        raise InputError(f"{ref} needs the package 'huggingface_hub': {how_to_install('hub')}")
    return match["name"], match["revision"]


def _bring_sums(bring: Bring, ref: str, staging: Path) -> dict[str, str]:
    (staging / RELEASE_SUMS).unlink(missing_ok=True)
    try:
        bring(RELEASE_SUMS, staging)
    except NotFoundError as error:
        raise NotFoundError(
            f"{ref} holds no release: {error}; that of a build lies in its folder annotations"
        ) from error
    return read_sums(staging / RELEASE_SUMS)


def _bring_all(bring: Bring, missing: Mapping[str, str], staging: Path) -> None:
    """Brings the missing files, each with its digest."""
    with progress("pull: files", len(missing)) as advance:
        for name, digest in missing.items():
            target = staging / name
            if not _is(target, digest):
                target.parent.mkdir(parents=True, exist_ok=True)
                bring(name, staging)
                if (got := file_digest(target)) != digest:
                    discard_part(target)
                    raise FetchError(
                        f"{name} has SHA-256 {got}, where {RELEASE_SUMS} says {digest}; the "
                        f"release is not whole there: rerun, or tell its publisher"
                    )
            advance(1)


def _place(staging: Path, out: Path, missing: Iterable[str], gone: Iterable[str]) -> None:
    """Moves whole files to their places, and removes what only the earlier release has."""
    for name in missing:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(out / name)
    for name in sorted(gone, reverse=True):
        (out / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # files of one's own are in it
            (out / name).parent.rmdir()
    (staging / RELEASE_SUMS).replace(out / RELEASE_SUMS)
    flush_folder(out)


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and file_digest(path) == digest


@contextlib.contextmanager
def _held(out: Path) -> Iterator[None]:
    """Makes a folder and keeps every other pull out of it; removed again where it stays empty."""
    out.mkdir(parents=True, exist_ok=True)
    folder = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkspaceBusyError(f"another process brings a release into {out}") from error
        yield
    finally:
        os.close(folder)
        with contextlib.suppress(OSError):
            out.rmdir()


@contextlib.contextmanager
def _as_sentences(folder: Path) -> Iterator[None]:
    """Turns what the file system refuses into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot read or write {error.filename or folder}: {error.strerror or error}; mend "
            f"that or name another folder, then rerun"
        ) from error
