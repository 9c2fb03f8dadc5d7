"""Read files of a remote release in parts: from a web server, or an object store.

http and https use the session of `hgld.http`, with its waits, retries and limits. Other addresses
(`s3://`, `gs://`, `hf://`, ...) use `hgld.engine.store`.
"""

import io
import weakref
from functools import partial

import pyarrow as pa

from hgld.engine.logins import redacted
from hgld.engine.store import open_store
from hgld.engine.verify import RELEASE_SUMS, parse_sums
from hgld.errors import FetchError, NotFoundError
from hgld.http.download import Source
from hgld.http.session import is_web_address, make_session
from hgld.loading.release import Shelf

_PIECE_BYTES = 1 << 22  # per request, so that a slow connection finishes before the time-out


class WebFile(io.RawIOBase):
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
        self._source, self._name, self._at = source, name, 0
        self._size = source.size(name)
        if not self._size:
            source.read_part(name, 0, 1)  # raises if the file does not exist
            what = f"{source.address(name)} must have a known size (Content-Length)"
            raise FetchError(f"{what} to be read in parts; fetch the release first: hgld pull")

    def readable(self) -> bool:
        """Says that it can be read."""
        return True

    def seekable(self) -> bool:
        """Says that its parts can be read."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place in the file."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Fetches bytes; Arrow itself asks for the ranges that it needs, so there is no cache."""
        start, end = self._at, self._size
        if size is not None and size >= 0:
            end = min(end, start + size)
        places = range(start, end, _PIECE_BYTES)
        sizes = (min(_PIECE_BYTES, end - place) for place in places)
        data = b"".join(map(partial(self._source.read_part, self._name), places, sizes))
        self._at += len(data)
        return data


def web_shelf(address: str) -> Shelf:
    """Returns the files of a release at an address.

    They are the files in SHA256SUMS, because a web server does not list folders.

    Args:
        address: of the folder with SHA256SUMS.

    Raises:
        InputError: the address is not understood.
        NotFoundError: there is no SHA256SUMS.
        HgldError: it cannot be fetched, or is damaged.
    """
    store = None if is_web_address(address) else open_store(address)
    base = store.base if store else redacted(address).rstrip("/")
    session = make_session(address="" if store else address)
    source = Source(base, session, store)
    try:
        sums = source.read_text(RELEASE_SUMS)
    except NotFoundError as error:
        what = f"{base} is not a release: it has no {RELEASE_SUMS}"
        raise NotFoundError(f"{what}; check the address") from error
    names = sorted(parse_sums(sums.encode(), f"{base}/{RELEASE_SUMS}"))

    def opened(name: str) -> pa.NativeFile:
        return store.open(name) if store else pa.PythonFile(WebFile(source, name), mode="r")

    shelf = Shelf(base, names, opened)
    weakref.finalize(shelf, session.close)
    return shelf
