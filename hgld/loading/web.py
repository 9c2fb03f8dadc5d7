"""Read files of a remote release in parts, with HTTP Range and `fsspec`.

http and https use the session of `hgld.http`, with its waits, retries and limits. Other URLs
(`s3://`, `hf://`, ...) use a file system of fsspec, which may need another package.
"""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import fsspec
import pyarrow as pa
from fsspec.spec import AbstractBufferedFile

from hgld.engine.logins import redacted
from hgld.engine.verify import RELEASE_SUMS, parse_sums
from hgld.errors import FetchError, InputError, NotFoundError
from hgld.http.download import Source
from hgld.http.session import is_web_address, make_session
from hgld.loading.release import Shelf

_PIECE_BYTES = 1 << 22  # per request, so that a slow connection finishes before the time-out


class WebFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A file on a web server, of which only the parts that are read are fetched."""

    def __init__(self, source: Source, name: str) -> None:
        """Asks for the size of the file.

        Args:
            source: the base URL and its session.
            name: path relative to the base.

        Raises:
            NotFoundError: the server has no such file.
            FetchError: it cannot be fetched, or the server does not give its size.
        """
        self._source = source
        size = source.size(name)
        if not size:
            source.read_part(name, 0, 1)  # raises if the file does not exist
            what = f"{source.address(name)} must have a known size (Content-Length)"
            raise FetchError(f"{what} to be read in parts; fetch the release first: hgld pull")
        # No cache, because Arrow itself asks for the ranges that it needs, several at once.
        super().__init__(None, name, size=size, cache_type="none")

    def _fetch_range(self, start: int, end: int) -> bytes:
        end = min(end, self.size)
        places = range(start, end, _PIECE_BYTES)
        sizes = (min(_PIECE_BYTES, end - place) for place in places)
        return b"".join(map(partial(self._source.read_part, self.path), places, sizes))


def web_shelf(address: str) -> Shelf:
    """Returns the files of a release at a URL.

    They are the files in SHA256SUMS, because a web server does not list folders.

    Args:
        address: URL of the folder with SHA256SUMS.

    Raises:
        InputError: fsspec does not support the URL, or lacks a package for it.
        NotFoundError: there is no SHA256SUMS.
        HgldError: it cannot be fetched, or is damaged.
    """
    base = redacted(address).rstrip("/")
    if is_web_address(address):
        session = make_session(address=address)
        source = Source(base, session)
        shelf = _listed(base, source.read_text, partial(WebFile, source))
        weakref.finalize(shelf, session.close)
        return shelf
    try:
        files, root = fsspec.core.url_to_fs(address.rstrip("/"))
    except (ImportError, OSError, ValueError) as error:
        raise InputError(f"{base} cannot be opened: {redacted(str(error))}") from error

    def read_text(name: str) -> str:
        try:
            return str(files.read_text(f"{root}/{name}", encoding="utf-8"))
        except OSError as error:
            raise NotFoundError(f"{base}/{name} cannot be read: {redacted(str(error))}") from error

    return _listed(base, read_text, lambda name: files.open(f"{root}/{name}", cache_type="none"))


def _listed(base: str, read_text: Callable[[str], str], opened: Callable[[str], Any]) -> Shelf:
    """Returns the files in SHA256SUMS."""
    try:
        sums = read_text(RELEASE_SUMS)
    except NotFoundError as error:
        what = f"{base} is not a release: it has no {RELEASE_SUMS}"
        raise NotFoundError(f"{what}; check the URL") from error
    names = sorted(parse_sums(sums.encode(), f"{base}/{RELEASE_SUMS}"))
    return Shelf(base, names, lambda name: pa.PythonFile(opened(name), mode="r"))
