"""Where published files come from: a web address, or a folder laid out the same way."""

import contextlib
import filecmp
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

import requests

from hgld.engine.files import writing
from hgld.errors import AnswerError, FetchError, NotFoundError
from hgld.http.session import failure, make_session, reason_of

# 403 too: that is how S3 answers for a key that is not there in a bucket it may not list.
_NOT_FOUND = (403, 404, 410)


@dataclass(frozen=True, slots=True)
class Source:
    """One base address and the files under it. Made by `open_source`."""

    base: str
    """An http(s) URL, or the absolute path of a folder."""
    session: requests.Session

    @property
    def is_folder(self) -> bool:
        """Says whether the files can be read where they lie."""
        return "://" not in self.base

    def address(self, name: str) -> str:
        """Returns how an error names a file: its URL or path."""
        if self.is_folder:
            return str((Path(self.base) / name).resolve())
        return urljoin(f"{self.base}/", name)

    def fetch(self, name: str, destination: Path) -> None:
        """Copies or downloads a file to `destination`, which the caller renames when it is whole.

        Args:
            name: relative to the base, such as `train/images_000.tar`.
            destination: where to write.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be had.
            InputError: `destination` cannot be written.
        """
        if not self.is_folder:
            with writing(destination):
                download(self.session, self.address(name), destination)
            return
        with self._open(name) as original, writing(destination), destination.open("wb") as copy:
            shutil.copyfileobj(original, copy, length=1 << 20)

    def bring(self, name: str, temporary: Path) -> Path:
        """Makes a file readable here: a folder's where it lies, any other as `temporary`.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be had.
            InputError: `temporary` cannot be written.
        """
        if self.is_folder:
            with self._open(name):
                return Path(self.address(name))
        self.fetch(name, temporary)
        return temporary

    def read_text(self, name: str) -> str:
        """Returns the text of a small UTF-8 file.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be had, or is no UTF-8.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = self.bring(name, Path(folder) / "text")
            try:
                return path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise FetchError(
                    f"{self.address(name)} must be UTF-8 text, got other bytes; "
                    f"check the base address {self.base}"
                ) from error

    def size(self, name: str) -> int:
        """Returns the announced size of a file in bytes, 0 where it is not announced.

        Raises:
            FetchError: the server cannot be reached.
        """
        if self.is_folder:
            path = Path(self.address(name))
            return path.stat().st_size if path.is_file() else 0
        try:
            answer = self.session.head(self.address(name), allow_redirects=True)
        except requests.RequestException as error:
            problem = failure(self.address(name), error)
            if isinstance(problem, AnswerError):
                return 0
            raise problem from error
        # An answer to HEAD that is no success says nothing: some servers only know GET.
        length = answer.headers.get("Content-Length", "") if answer.ok else ""
        return int(length) if length.isdecimal() else 0

    def has_changed(self, name: str, kept: Path) -> bool:
        """Says whether a folder now holds other bytes than a copy of an earlier time.

        A copy from the web counts as unchanged: published files stay as they are, and a build
        that has its files needs no network. So does one whose original is gone.
        """
        original = Path(self.address(name))
        return (
            self.is_folder and original.is_file() and not filecmp.cmp(original, kept, shallow=False)
        )

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        path = Path(self.address(name))
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise NotFoundError(
                f"{path} is not there; check the base folder {self.base}"
            ) from error
        except OSError as error:
            raise FetchError(
                f"cannot read {path}: {error.strerror}; mend that and rerun"
            ) from error
        with file:
            yield file


def download(session: requests.Session, url: str, destination: Path) -> None:
    """Streams a file to `destination`, which the caller renames when it is whole.

    Raises:
        NotFoundError: the server has no such file.
        FetchError: no answer, another error status, or fewer bytes than announced.
    """
    try:
        with session.get(url, stream=True) as answer:
            if answer.status_code in _NOT_FOUND:
                raise NotFoundError(f"{url} is not there ({answer.status_code}); check the address")
            if not answer.ok:
                raise FetchError(f"{url} answered {answer.status_code} {answer.reason}")
            with destination.open("wb") as file:
                for chunk in answer.iter_content(chunk_size=1 << 20):
                    file.write(chunk)
    except requests.RequestException as error:
        raise FetchError(
            f"cannot fetch {url}: {reason_of(error)}; check the address and rerun"
        ) from error


@contextlib.contextmanager
def open_source(base: str) -> Iterator[Source]:
    """Opens a base address for the time of a piece of work.

    Args:
        base: an http(s) URL or a folder, with or without a slash at its end.

    Yields:
        The source.

    Raises:
        FetchError: the folder is not there.
    """
    if "://" in base:
        base = base.rstrip("/")
    else:
        folder = Path(base).resolve()
        if not folder.is_dir():
            raise FetchError(
                f"the base folder {folder} is not there; give an existing folder or an http(s) URL"
            )
        base = str(folder)
    with make_session() as session:
        yield Source(base, session)


def check_base(base: str) -> None:
    """Checks that a setting can be a base address, without looking whether it is there.

    Raises:
        ValueError: it is empty, or a URL of another scheme.
    """
    if not base.strip() or ("://" in base and not base.startswith(("http://", "https://"))):
        raise ValueError(f"base_url must be an http(s) URL or a folder, got {base!r}")
