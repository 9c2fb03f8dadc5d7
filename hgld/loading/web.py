"""The files of a release at an address, read in parts by HTTP Range: `fsspec` has the file.

http and https go over the session of `hgld.http`: its waits, retries and limits. For any other
address (`s3://`, `hf://`, ...) fsspec has a file system, from the package that it names.
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

_PIECE_BYTES = 1 << 22  # of one request, so that a slow line ends it in time


class WebFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A file on a web server: what is read of it is asked for, and nothing else."""

    def __init__(self, source: Source, name: str) -> None:
        """Asks for the size of the file.

        Args:
            source: has the address and the session.
            name: relative to it.

        Raises:
            NotFoundError: the server has no such file.
            FetchError: it cannot be had, or the server does not say its size.
        """
        self._source = source
        size = source.size(name)
        if not size:
            source.read_part(name, 0, 1)  # says it where the file is not there
            what = f"{source.address(name)} must have a known size (Content-Length)"
            raise FetchError(f"{what} to be read in parts; fetch the release first: hgld pull")
        # No cache: Arrow asks for the ranges that it needs, several of them at once.
        super().__init__(None, name, size=size, cache_type="none")

    def _fetch_range(self, start: int, end: int) -> bytes:
        end = min(end, self.size)
        places = range(start, end, _PIECE_BYTES)
        sizes = (min(_PIECE_BYTES, end - place) for place in places)
        return b"".join(map(partial(self._source.read_part, self.path), places, sizes))


def web_shelf(address: str) -> Shelf:
    """Returns the files of a release at an address.

    A web server lists no folder: the files are those of the SHA256SUMS of the release.

    Args:
        address: of the folder with SHA256SUMS.

    Raises:
        InputError: fsspec does not know such an address, or lacks a package for it.
        NotFoundError: there is no SHA256SUMS.
        HgldError: it cannot be had, or is damaged.
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
    """Returns the files that SHA256SUMS lists."""
    try:
        sums = read_text(RELEASE_SUMS)
    except NotFoundError as error:
        what = f"{base} has no {RELEASE_SUMS}, which a release has"
        raise NotFoundError(f"{what}; check the address") from error
    names = sorted(parse_sums(sums.encode(), f"{base}/{RELEASE_SUMS}"))
    return Shelf(base, names, lambda name: pa.PythonFile(opened(name), mode="r"))
