"""Folders in object stores, such as `s3://bucket/prefix`, read and written by `pyarrow.fs`.

The query of an address says where the store is (`?region=eu-west-1`, or
`?endpoint_override=localhost:9000&scheme=http`), or the environment does (AWS_ENDPOINT_URL and
AWS_REGION); otherwise Amazon is asked for the region of the bucket. The login is in the environment
too, as pyarrow reads it. `s3://anonymous@bucket/prefix` signs no request. A password in an address
is refused, because addresses are shown and recorded.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

from hgld.engine.logins import redacted
from hgld.errors import FetchError, InputError, NotFoundError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_STORE = re.compile(r"(?:s3|gs|gcs|abfss?|hf|fsspec\+[a-z0-9]+)://[^/?#]")
_PASSWORD = re.compile(r"://[^/?#@\s]*:\S*@")
_CHUNK_BYTES = 1 << 24  # a request each


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of an object store, or one of its files. Made by `open_store`."""

    base: str
    """Its address, without a query or login."""
    files: pafs.FileSystem
    root: str
    """Its path in `files`, such as `bucket/prefix`."""

    def open(self, name: str) -> pa.NativeFile:
        """Opens a file to read parts of it.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be read.
        """
        with self._asking("read", name):
            return self.files.open_input_file(self._path(name))

    def chunks(self, name: str, most_bytes: int | None = None) -> Iterator[bytes]:
        """Yields the content of a file, in pieces.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be read, or has more than `most_bytes`.
        """
        with self.open(name) as file, self._asking("read", name):
            if most_bytes is not None and (size := file.size()) > most_bytes:
                raise FetchError(
                    f"{self.base}/{name} must have at most {most_bytes:,} bytes, got {size:,}; "
                    f"check the address"
                )
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def digest(self, name: str) -> str:
        """Returns the SHA-256 of a file, as hex; reads all of it.

        Raises:
            FetchError: it cannot be read.
        """
        digest = hashlib.sha256()
        for chunk in self.chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def sizes(self) -> dict[str, int]:
        """Returns the size of every file in the folder, by its name relative to it.

        Raises:
            FetchError: there is no such bucket, or it cannot be listed.
        """
        with self._asking("list"):
            found = self.files.get_file_info(
                pafs.FileSelector(self.root, recursive=True, allow_not_found=True)
            )
            bucket = self.root.partition("/")[0]
            is_bucket = bool(found) or self.files.type_name.startswith("py::")  # of fsspec
            if not (is_bucket or self.files.get_file_info(bucket).type):
                raise FileNotFoundError
        below = len(self.root) + 1
        return {one.path[below:]: one.size for one in found if one.type == pafs.FileType.File}

    def size(self, name: str) -> int | None:
        """Returns the size of a file in bytes, or None if there is none.

        Raises:
            FetchError: the store cannot be reached.
        """
        with self._asking("read", name):
            size: int | None = self.files.get_file_info(self._path(name)).size
        return size

    def send(self, path: Path, name: str) -> None:
        """Uploads a file. A process killed meanwhile leaves nothing, or the earlier file.

        If the upload fails otherwise, a part may be there under the name.

        Raises:
            FetchError: it cannot be written.
        """
        with (
            self._asking("write", name),
            path.open("rb") as file,
            self.files.open_output_stream(self._path(name)) as stream,
        ):
            while chunk := file.read(_CHUNK_BYTES):
                stream.write(chunk)

    def copy(self, name: str, to: str) -> None:
        """Copies a file within the store, which needs no upload; it appears as a whole.

        Raises:
            FetchError: it cannot be copied.
        """
        with self._asking("write", to):
            self.files.copy_file(self._path(name), self._path(to))

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with all its files.

        Raises:
            FetchError: it cannot be removed.
        """
        with self._asking("remove", name):
            path = self._path(name)
            is_file = self.files.get_file_info(path).type == pafs.FileType.File
            (self.files.delete_file if is_file else self.files.delete_dir)(path)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    @contextlib.contextmanager
    def _asking(self, what: str, name: str = "") -> Iterator[None]:
        """Turns errors of the store into ours."""
        address = f"{self.base}/{name}" if name else self.base
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(f"{address} does not exist; check the address") from error
        except (OSError, pa.ArrowException) as error:
            raise FetchError(
                f"cannot {what} {address}: {error}; check the bucket, its region and endpoint, "
                f"and your credentials, then rerun"
            ) from error


def open_store(address: str) -> Store:
    """Opens a folder or a file of an object store.

    Raises:
        InputError: the address is not understood, or its bucket is not found.
    """
    try:
        check_store_address(address)
        files, root = pafs.FileSystem.from_uri(address)
    except (ImportError, OSError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"{redacted(address)} cannot be opened: {error}; check the address"
        ) from error
    return Store(redacted(address).partition("?")[0].rstrip("/"), files, root.rstrip("/"))


def check_store_address(address: str) -> None:
    """Checks an address, without a request.

    Raises:
        ValueError: it is of no known object store, or has a password.
    """
    if not is_store_address(address):
        raise ValueError(
            f"an object store must be named like s3://bucket/prefix, gs://bucket/prefix or "
            f"abfs://container@account/prefix, got {redacted(address)}"
        )
    if _PASSWORD.search(address):
        raise ValueError(
            f"an address must have no password, got one for {redacted(address)}; set the "
            f"variables of the store instead, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )


def is_store_address(text: str) -> bool:
    """Says whether a text is the address of an object store, by its scheme."""
    return _STORE.match(text) is not None


def has_scheme(text: str) -> bool:
    """Says whether a text begins like an address: `s3:b` does, the folder `./s3:b` does not."""
    return _SCHEME.match(text) is not None


def address_of(path: Path) -> str:
    """Returns the address that a path was made of, which took a slash from it; else "".

    Example:
        >>> str(Path("s3://bucket/a")), address_of(Path("s3://bucket/a")), address_of(Path("a"))
        ('s3:/bucket/a', 's3://bucket/a', '')
    """
    scheme, *names = path.parts or ("",)
    return f"{scheme}//{'/'.join(names)}" if _SCHEME.fullmatch(scheme) else ""


def refuse_address(path: Path) -> None:
    """Refuses an address where hgld needs a folder of this machine.

    Raises:
        InputError: it is an address.
    """
    if address := address_of(path):
        raise InputError(
            f"{redacted(address)} must be a folder or file on this machine, because a build locks "
            f"and renames its files; name one, and use `hgld publish --to` and `hgld pull`"
        )
