"""Pull and publish releases; every file is checked against SHA256SUMS.

Missing files first go to `.pull` inside the target folder, where an interrupted pull resumes. Only
when all are complete are they moved into place, SHA256SUMS last. If that move is interrupted, the
old list remains, `hgld verify` reports what differs, and the next pull finishes the move.

A release is published to an object store in the same way: files go to `.publish`, each under its
digest, where an interrupted upload resumes; complete, they are copied into place by the store.
"""

import contextlib
import dataclasses
import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hgld.engine.files import file_digest, flush_folder, lock_alone
from hgld.engine.logins import redacted
from hgld.engine.progress import progress
from hgld.engine.store import Store, has_scheme, is_store_address, open_store
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
from hgld.http.transfer import discard_part

_HUB_NAME = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_STAGING = ".pull"
_SENDING = ".publish"

Bring = Callable[[str, Path], None]
"""Fetches a file of a release, by its name, into a folder, and resumes a partial file."""


class Transfer(NamedTuple):
    """How many files were fetched or sent, and how many were already there."""

    moved: int
    kept: int


def pull_release(ref: str, out: Path, policy: HttpPolicy) -> Transfer:
    """Fetches a release into a folder.

    Args:
        ref: a folder, an http(s) URL, an object store (`s3://bucket/prefix`), `hf:OWNER/NAME` or
            `hf:OWNER/NAME@REVISION` on the Hugging Face Hub, or the one in HF_ENDPOINT.
        out: the folder: new, empty, or with an earlier release. Your own files in it stay.
        policy: the limits for HTTP.

    Raises:
        InputError: `out` is a link or a file, has files but no release, has a file of your own
            where the release has one, or cannot be written; or `ref` is not valid.
        NotFoundError: there is no release, or it lacks a file.
        FetchError: a file cannot be fetched or does not match SHA256SUMS; `out` is unchanged.
        DamagedError: SHA256SUMS cannot be read.
        WorkspaceBusyError: another process is pulling into `out`.
    """
    out = out.absolute()
    _check_target(out)
    staging = out / _STAGING
    with _as_sentences(out), _held(out):
        before = dict[str, str]()
        with contextlib.suppress(DamagedError):  # missing or damaged: the new list replaces it
            before = read_sums(out / RELEASE_SUMS)
        staging.mkdir(exist_ok=True)
        try:
            with _opened(ref, policy) as bring:
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
            with contextlib.suppress(OSError):  # fetched files stay for the next pull
                staging.rmdir()
        return Transfer(len(missing), len(sums) - len(missing))


def publish_release(folder: Path, to: str, policy: HttpPolicy, *, before: Path | None) -> Transfer:
    """Sends a release to a folder, to an object store or to the Hugging Face Hub.

    Args:
        folder: the release: SHA256SUMS and all files that it lists.
        to: a folder, an object store (`s3://bucket/prefix`), or `hf:OWNER/NAME`, which is created
            if needed and gets all files in one commit; log in with `hf auth login` or HF_TOKEN.
        policy: see `pull_release`.
        before: the result of `release_before` for `to`.

    Raises:
        DamagedError: a file does not match SHA256SUMS; nothing is sent.
        InputError: the folder cannot be read or written, or files of your own are in the way.
        FetchError: the hub or the store refused the release.
        WorkspaceBusyError: another release than `before` is in the store by now.
    """
    with _as_sentences(folder):
        for damage in verify_sums(folder):
            if damage.what:
                raise DamagedError(f"{folder / damage.path} {damage.what}; nothing was sent")
    if to.startswith("hf:"):
        return _to_hub(folder, to, before)
    if is_store_address(to):
        return _to_store(folder, open_store(to), before)
    return pull_release(str(folder.absolute()), Path(to), policy)


def release_before(to: str, folder: Path, policy: HttpPolicy) -> Path | None:
    """Returns a folder with the release now published at `to`, or None if there is none yet.

    Args:
        to: see `publish_release`.
        folder: where to cache a release from the hub or an object store.
        policy: see `pull_release`.

    Raises:
        FetchError: the release cannot be fetched, or does not match its SHA256SUMS.
        InputError: `to` is not valid, or has files of your own and no release.
    """
    is_hub, is_store = to.startswith("hf:"), is_store_address(to) and not to.startswith("hf:")
    if (is_hub and _hub_name(to)[1]) or not (is_hub or is_store or not has_scheme(to)):
        raise InputError(
            f"a release is published to a folder, to an object store (s3://bucket/prefix) or to "
            f"hf:OWNER/NAME without a revision, got {redacted(to)}; for a web server, publish to a "
            f"folder and copy that, SHA256SUMS last"
        )
    if is_store:
        store = open_store(to)
        _check_free(store, store.sizes(), {}, ())
    elif not is_hub:
        return Path(to) if (Path(to) / RELEASE_SUMS).is_file() else None
    try:
        pull_release(to, folder, policy)
    except NotFoundError:
        return None
    return folder


def _check_target(out: Path) -> None:
    """Refuses a folder that a pull may not write to."""
    if out.is_symlink():
        raise InputError(f"{out} is a link; name the folder that it points to, {out.resolve()}")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} must be a folder, but is a file; name a folder")
    with _as_sentences(out):
        is_empty = not out.is_dir() or {path.name for path in out.iterdir()} <= {_STAGING}
        if not is_empty and not (out / RELEASE_SUMS).is_file():
            raise InputError(
                f"{out} has files but no release ({RELEASE_SUMS}); name another folder, or empty it"
            )


def _check_inside(out: Path, missing: Iterable[str], before: Collection[str]) -> None:
    """Refuses to overwrite a file of the user, or to follow a link out of the folder."""
    for name in missing:
        path = out / name
        if not path.parent.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path.parent} points outside {out}; remove that link, then rerun")
        if path.is_dir() or (path.exists() and name not in before):
            raise InputError(f"{path} is in the way and not from a release; move it, then rerun")


@contextlib.contextmanager
def _opened(ref: str, policy: HttpPolicy) -> Iterator[Bring]:
    """Opens the source of a release while a pull runs."""
    if ref.startswith("hf:"):
        yield _bring_from_hub(ref)
        return
    try:
        check_base(ref)
    except ValueError as error:
        raise InputError(
            f"{redacted(ref)} must be a folder, an http(s) address, an object store "
            f"(s3://bucket/prefix) or hf:OWNER/NAME: {error}"
        ) from error
    small = dataclasses.replace(policy, download_bytes=MOST_SUMS_BYTES)
    with open_source(ref, policy) as source, open_source(ref, small) as of_sums:

        def bring(name: str, folder: Path) -> None:
            target = folder / name
            if name == RELEASE_SUMS:  # never resumed: a partial file may be of another release
                of_sums.fetch(name, target)
            elif (came := source.bring(name, target)) != target:  # the source is a folder
                shutil.copyfile(came, target)

        yield bring


def _bring_from_hub(ref: str) -> Bring:
    dataset, revision = _hub_name(ref)
    from huggingface_hub import constants, errors, hf_hub_download

    endpoint = constants.ENDPOINT
    there: dict[str, Any] = {"repo_type": "dataset", "revision": revision, "endpoint": endpoint}

    def bring(name: str, folder: Path) -> None:
        try:
            hf_hub_download(dataset, name, local_dir=folder, **there)
        except errors.LocalEntryNotFoundError as error:  # also an EntryNotFoundError
            raise FetchError(f"cannot reach {endpoint} ({error}); rerun") from error
        except (errors.EntryNotFoundError, errors.RepositoryNotFoundError) as error:
            raise NotFoundError(
                f"{endpoint} has no public {name} of {dataset}; check the name, or log in"
            ) from error
        except OSError as error:  # all other errors of the hub
            raise FetchError(f"cannot fetch {name} of {dataset}: {error}; rerun") from error

    return bring


def _to_hub(folder: Path, to: str, before: Path | None) -> Transfer:
    dataset, _ = _hub_name(to)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    sums = read_sums(folder / RELEASE_SUMS)
    there = read_sums(before / RELEASE_SUMS) if before else {}
    new = [name for name, digest in sums.items() if there.get(name) != digest]
    changes: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(name, folder / name) for name in (*new, RELEASE_SUMS)),
        *(CommitOperationDelete(name) for name in sorted(there.keys() - sums.keys())),
    ]
    api = HfApi(endpoint=constants.ENDPOINT)
    # The bases of the hub's error cover connection errors; upload threads raise RuntimeError.
    refusals: tuple[type[Exception], ...] = (*HfHubHTTPError.__bases__, OSError, RuntimeError)
    try:
        api.create_repo(dataset, repo_type="dataset", exist_ok=True)
        if there != sums:
            api.create_commit(
                dataset, changes, commit_message="Publish a release", repo_type="dataset"
            )
    except refusals as error:
        raise FetchError(
            f"cannot publish to {to}: {error}; log in with `hf auth login`, then rerun"
        ) from error
    return Transfer(len(new), len(sums) - len(new))


def _to_store(folder: Path, store: Store, before: Path | None) -> Transfer:
    sums = read_sums(folder / RELEASE_SUMS)
    there = read_sums(before / RELEASE_SUMS) if before else {}
    sizes = store.sizes()
    listed = b"".join(store.chunks(RELEASE_SUMS)) if RELEASE_SUMS in sizes else None
    if listed != ((before / RELEASE_SUMS).read_bytes() if before else None):
        raise WorkspaceBusyError(
            f"another release came to {store.base} meanwhile; rerun, to continue from that one"
        )
    _check_free(store, sizes, there, sums)
    is_resumed = any(name.startswith(f"{_SENDING}/") for name in sizes)

    def is_kept(name: str) -> bool:
        size = (folder / name).stat().st_size
        is_listed = there.get(name) == sums[name] and sizes.get(name) == size
        # An interrupted publish may have put a file of its release in the place of a listed one.
        return is_listed and (not is_resumed or store.digest(name) == sums[name])

    new = {name: digest for name, digest in sums.items() if not is_kept(name)}
    if new or there != sums or is_resumed:
        gone = sorted((there.keys() - sums.keys()) & sizes.keys())
        _send_all(folder, store, new, gone, sizes)
    return Transfer(len(new), len(sums) - len(new))


def _send_all(
    folder: Path, store: Store, new: dict[str, str], gone: Iterable[str], sizes: Mapping[str, int]
) -> None:
    """Uploads files, and puts them in place once all are there, the list last."""
    listed = {RELEASE_SUMS: file_digest(folder / RELEASE_SUMS)}
    with progress("publish: files", len(new) + 1) as advance:
        for name, digest in (new | listed).items():
            staged = f"{_SENDING}/{digest}"
            if sizes.get(staged) != (folder / name).stat().st_size:
                store.send(folder / name, staged)
            advance(1)
    for name, digest in new.items():
        store.copy(f"{_SENDING}/{digest}", name)
    for name in gone:
        store.remove(name)
    store.copy(f"{_SENDING}/{listed[RELEASE_SUMS]}", RELEASE_SUMS)
    store.remove(_SENDING)


def _check_free(
    store: Store, sizes: Mapping[str, int], there: Collection[str], sums: Collection[str]
) -> None:
    """Refuses to publish among, or over, files that are not of a release."""
    if any(name.startswith(f"{_SENDING}/") for name in sizes):
        return  # an interrupted publish found the place free
    own = sizes.keys() - {*there, RELEASE_SUMS}
    if own and RELEASE_SUMS not in sizes:
        raise InputError(
            f"{store.base} has files but no release ({RELEASE_SUMS}); name another prefix"
        )
    if in_the_way := sorted(own.intersection(sums)):
        raise InputError(
            f"{store.base}/{in_the_way[0]} is in the way and not from a release; move it, then "
            f"rerun"
        )


def _hub_name(ref: str) -> tuple[str, str | None]:
    """Returns OWNER/NAME of a data set on the hub, and its revision.

    Raises:
        InputError: the name is not valid, or the package `huggingface_hub` is not installed.
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
            f"{ref} has no release: {error}; a build has its release in the folder annotations"
        ) from error
    return read_sums(staging / RELEASE_SUMS)


def _bring_all(bring: Bring, missing: Mapping[str, str], staging: Path) -> None:
    """Fetches the missing files and checks their digests."""
    with progress("pull: files", len(missing)) as advance:
        for name, digest in missing.items():
            target = staging / name
            if not _is(target, digest):
                target.parent.mkdir(parents=True, exist_ok=True)
                bring(name, staging)
                if (got := file_digest(target)) != digest:
                    discard_part(target)
                    raise FetchError(
                        f"{name} has SHA-256 {got}, but {RELEASE_SUMS} says {digest}; rerun, and "
                        f"if that fails, tell the publisher that the release is damaged"
                    )
            advance(1)


def _place(staging: Path, out: Path, missing: Iterable[str], gone: Iterable[str]) -> None:
    """Moves the complete files into place, and removes files that only the old release has."""
    for name in missing:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(out / name)
    for name in sorted(gone, reverse=True):
        (out / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it has other files
            (out / name).parent.rmdir()
    (staging / RELEASE_SUMS).replace(out / RELEASE_SUMS)
    flush_folder(out)


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and file_digest(path) == digest


@contextlib.contextmanager
def _held(out: Path) -> Iterator[None]:
    """Creates and locks a folder for one pull; removes it afterwards if it is empty."""
    out.mkdir(parents=True, exist_ok=True)
    folder = os.open(out, os.O_RDONLY)
    try:
        lock_alone(folder, f"another process is pulling a release into {out}; wait for it")
        yield
    finally:
        os.close(folder)
        with contextlib.suppress(OSError):
            out.rmdir()


@contextlib.contextmanager
def _as_sentences(folder: Path) -> Iterator[None]:
    """Turns errors of the file system into an InputError that says what to do."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot read or write {error.filename or folder}: {error.strerror or error}; fix "
            f"that or name another folder, then rerun"
        ) from error
