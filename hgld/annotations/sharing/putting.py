"""A release sent to an http(s) address that takes files by PUT.

The list of files is sent last, so that a pull from there refuses what is half sent. What the server
took is noted here, in `.NAME.sent` beside the release, so that a run that was stopped goes on.
"""

import dataclasses
import hashlib
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import requests

from hgld.annotations.sharing.planning import Missing, missing_there
from hgld.engine.files import append_bytes, write_text
from hgld.engine.logins import redacted
from hgld.engine.progress import progress
from hgld.engine.verify import RELEASE_SUMS, SIGNATURE, read_sums
from hgld.errors import FetchError
from hgld.http.download import Source, open_source
from hgld.http.patience import HttpPolicy

_GONE = (404, 410)


def put_release(folder: Path, base: str, policy: HttpPolicy) -> Missing:
    """Sends a release to an address.

    Args:
        folder: with the release.
        base: the address.
        policy: the bounds of what is asked of it. A file may take as long as a download may.

    Returns:
        What the address lacked.

    Raises:
        FetchError: it does not take a file, or does not remove the signature of another release.
    """
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    slowest_s = max(sizes) / policy.slowest_bytes_per_s
    policy = dataclasses.replace(policy, deadline_s=policy.deadline_s + slowest_s)
    with open_source(base, policy) as source:
        missing = missing_there(folder, source.read_text)
        if missing.drops_signature:
            _remove(source, SIGNATURE)
        taken = _Taken.of(folder, f"{source.base} {_digest(missing.there)}")
        names = [*(name for name in missing.new if name not in taken), *missing.lists]
        with progress("publish: files", len(names)) as advance:
            for name in names:
                _put(source, name, folder / name)
                taken.add(name)
                advance(1)
    taken.path.unlink(missing_ok=True)
    return missing


class _Taken:
    """The files that an address took while it still had another list of files."""

    def __init__(self, path: Path, head: str, sums: dict[str, str]) -> None:
        self.path = path
        self._sums = sums
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if lines[:1] != [head]:  # of another address, or somebody has published there since
            write_text(path, f"{head}\n")
        self._lines = set(lines[1:]) if lines[:1] == [head] else set[str]()

    @classmethod
    def of(cls, folder: Path, head: str) -> "_Taken":
        """Returns what was noted of a release under a head."""
        path = folder.absolute().with_name(f".{folder.absolute().name}.sent")
        return cls(path, head, read_sums(folder / RELEASE_SUMS))

    def __contains__(self, name: str) -> bool:
        return self._line(name) in self._lines

    def add(self, name: str) -> None:
        """Notes a file."""
        append_bytes(self.path, f"{self._line(name)}\n".encode())

    def _line(self, name: str) -> str:
        return f"{self._sums.get(name, '')}  {name}"


def _put(source: Source, name: str, path: Path) -> None:
    url = urljoin(f"{source.base}/", name)
    try:
        with path.open("rb") as file:
            answer = source.session.put(url, data=file, allow_redirects=False)
    except requests.RequestException as error:
        raise FetchError(f"cannot send {redacted(url)}: {error}; rerun") from error
    if not _is_done(answer):
        raise FetchError(
            f"{redacted(url)} answered PUT with {answer.status_code} {answer.reason}; "
            f"the address must take files by PUT, with your login in it if it asks for "
            f"one; then rerun, what was sent is kept"
        )


def _remove(source: Source, name: str) -> None:
    url = urljoin(f"{source.base}/", name)
    try:
        answer = source.session.delete(url, allow_redirects=False)
    except requests.RequestException as error:
        raise FetchError(f"cannot remove {redacted(url)}: {error}; rerun") from error
    if not _is_done(answer) and answer.status_code not in _GONE:
        raise FetchError(
            f"{redacted(url)} signs the release before and must go, since this one is not signed; "
            f"it answered DELETE with {answer.status_code} {answer.reason}, and nothing was sent: "
            f"sign this one (--secret-key), or remove that file there, then rerun"
        )


def _is_done(answer: requests.Response) -> bool:
    """Says whether a server did what it was asked; it has not where it names another place."""
    return HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
