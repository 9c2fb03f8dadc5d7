"""Published files, from a web address, an object store or a folder with the same layout."""

import contextlib
import filecmp
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urljoin

import requests

from hgld.engine.files import writing
from hgld.engine.logins import redacted
from hgld.engine.store import Store, check_store_address, has_scheme, is_store_address, open_store
from hgld.errors import AnswerError, FetchError, NotFoundError
from hgld.http.bodies import announced_bytes
from hgld.http.patience import HttpPolicy
from hgld.http.redirects import PoliteSession
from hgld.http.session import failure, is_web_address, make_session
from hgld.http.transfer import PLAIN, StoppedError, check_status, discard_notes, download


@dataclass(frozen=True, slots=True)
class Source:
    """One base address and the files under it. Made by `open_source`."""

    base: str
    """An http(s) URL or an object store, without its login, or the absolute path of a folder."""
    session: PoliteSession
    """Its policy limits the downloads."""
    store: Store | None = None
    """The object store, if it is one."""

    @property
    def is_folder(self) -> bool:
        """Whether the base is a folder, so that files need no download."""
        return "://" not in self.base

    def address(self, name: str) -> str:
        """Returns the URL or path of a file."""
        if self.is_folder:
            return str((Path(self.base) / name).resolve())
        if self.store:
            return f"{self.base}/{name}"
        # A name may have characters that are special in a URL: `?`, `#`, `%`.
        return urljoin(f"{self.base}/", quote(name))

    def fetch(self, name: str, destination: Path) -> None:
        """Copies or downloads a file to `destination`, which the caller renames when complete.

        Args:
            name: relative to the base, such as `train/images_000.tar`.
            destination: path to write to.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be fetched.
            InputError: `destination` cannot be written.
        """
        try:
            came = self.bring(name, destination)
        finally:
            discard_notes(destination)
        if came != destination:
            with writing(destination):
                shutil.copyfile(came, destination)

    def bring(self, name: str, temporary: Path) -> Path:
        """Returns a local path of a file: in the folder itself, or downloaded to `temporary`.

        A download resumes the part that an earlier call left at `temporary`, and leaves its part
        there if the connection breaks; the caller removes it (`hgld.http.transfer.discard_part`).
        One from an object store starts anew.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be fetched.
            InputError: `temporary` cannot be written.
        """
        if self.is_folder:
            with self._open(name):
                return Path(self.address(name))
        with writing(temporary):
            if self.store is None:
                download(self.session, self.address(name), temporary)
                return temporary
            with temporary.open("wb") as file:
                for chunk in self.store.chunks(name, self.session.policy.download_bytes):
                    if self.session.stopping.is_set():
                        raise StoppedError(f"{self.address(name)}: stopped")
                    file.write(chunk)
        return temporary

    def read_part(self, name: str, offset: int, size: int) -> bytes:
        """Returns bytes of a file at a web address.

        Raises:
            NotFoundError: the server has no such file.
            FetchError: they cannot be fetched, or the server sends other bytes or the whole file.
        """
        address, last = self.address(name), offset + size - 1
        answer = self._asked(name, {**PLAIN, "Range": f"bytes={offset}-{last}"})
        came = answer.headers.get("Content-Range", "")
        if answer.status_code != HTTPStatus.PARTIAL_CONTENT:
            check_status(address, answer)
        wanted = f"bytes {offset}-{last}/"
        if not came.startswith(wanted) or len(answer.content) != size:
            raise FetchError(f"{address} sent {came!r:.60} where {wanted} was asked for")
        return answer.content

    def read_text(self, name: str) -> str:
        """Returns the text of a small UTF-8 file.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be fetched, is not UTF-8, or is larger than an answer may be.
        """
        address, most_bytes = self.address(name), self.session.policy.answer_bytes
        if self.is_folder:
            with self._open(name) as file:
                data = file.read(most_bytes + 1)
            if len(data) > most_bytes:
                raise FetchError(f"{address} has more than {most_bytes:,} bytes; check {self.base}")
        elif self.store:
            data = b"".join(self.store.chunks(name, most_bytes))
        else:
            answer = self._asked(name, {})
            check_status(address, answer)
            data = answer.content
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FetchError(f"{address} must be UTF-8 text; check {self.base}") from error

    def _asked(self, name: str, headers: dict[str, str], method: str = "GET") -> requests.Response:
        """Returns the complete response to a request for a file."""
        address = self.address(name)
        try:
            return self.session.request(method, address, headers=headers)
        except requests.RequestException as error:
            raise failure(address, error) from error

    def size(self, name: str) -> int:
        """Returns the announced size of a file in bytes, or 0.

        Raises:
            FetchError: the server cannot be reached.
        """
        if self.is_folder:
            path = Path(self.address(name))
            return path.stat().st_size if path.is_file() else 0
        if self.store:
            return self.store.size(name) or 0
        try:
            answer = self._asked(name, PLAIN, "HEAD")
        except AnswerError:
            return 0
        # A failed HEAD means nothing, because some servers only support GET. Nor does the size of a
        # compressed transfer.
        says = answer.ok and "Content-Encoding" not in answer.headers
        return (announced_bytes(answer.headers) or 0) if says else 0

    def has_changed(self, name: str, kept: Path) -> bool:
        """Says whether a file of a folder differs from an earlier copy.

        A copy from the web counts as unchanged, because published files do not change and a build
        that has its files should need no network. So does a copy whose original is missing.
        """
        original = Path(self.address(name))
        is_there = self.is_folder and original.is_file()
        return is_there and not filecmp.cmp(original, kept, shallow=False)

    def _open(self, name: str) -> BinaryIO:
        path = Path(self.address(name))
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise NotFoundError(f"{path} does not exist; check the folder {self.base}") from error
        except OSError as error:
            raise FetchError(f"cannot read {path}: {error.strerror}; fix that") from error


@contextlib.contextmanager
def open_source(base: str, policy: HttpPolicy | None = None) -> Iterator[Source]:
    """Opens a base address for the duration of the block.

    Args:
        base: an http(s) URL, an object store or a folder, with or without a final slash. The login
            of a URL is sent to its server, but is not part of `Source.base`.
        policy: the limits of the downloads.

    Yields:
        The source.

    Raises:
        FetchError: the folder does not exist.
        InputError: the object store cannot be opened.
    """
    if is_store_address(base):
        store = open_store(base)
        with make_session(policy=policy) as session:
            yield Source(store.base, session, store)
        return
    is_folder = "://" not in base
    place = str(Path(base).resolve()) if is_folder else redacted(base).rstrip("/")
    if is_folder and not Path(place).is_dir():
        raise FetchError(f"{place} does not exist; give an existing folder or an http(s) URL")
    with make_session(policy=policy, address="" if is_folder else base) as session:
        yield Source(place, session)


def check_base(base: str) -> None:
    """Checks that a setting can be a base address, without checking that it exists.

    Raises:
        ValueError: it is empty, an address of another scheme or without a host, or that of an
            object store with a password.
    """
    if is_store_address(base):
        check_store_address(base)
    elif not base.strip() or (has_scheme(base) and not is_web_address(base)):
        raise ValueError(
            f"base_url must be an http(s) URL, an object store (s3://bucket/prefix) or a folder, "
            f"got {redacted(base)!r}"
        )
