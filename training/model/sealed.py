"""Files of tensors that know their own digest: models and checkpoints.

A file is what `torch.save` writes, a zip, whose comment is the SHA-256 of all bytes before it. So
`torch.load` reads it as any other, the same content gives the same bytes, and a bit that flips
anywhere is noticed. Nothing in a file is run as code.
"""

import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any, BinaryIO

import torch

from hgld.errors import DamagedError, InputError

_MARK = b"hgld-sha256:"
_SEAL_BYTES = len(_MARK) + 2 * hashlib.sha256().digest_size
_START = b"PK\x03\x04"
# The last record of a zip; it ends with the length of the comment, 2 bytes, and the comment.
_END = b"PK\x05\x06"
_END_BYTES = 22


def save_sealed(content: object, path: Path) -> None:
    """Writes tensors, numbers, texts, and lists and dicts of them.

    Args:
        content: what `load_sealed` is to return.
        path: the file to write, in place: rename it when it is whole.

    Raises:
        OSError: there is no room, or the file system refuses.
    """
    # Through an open file: given a path, torch writes the file's name into the archive.
    with path.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch tries to end the archive when a write has failed, and tells of that alone.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
    with path.open("rb+") as file:
        file.seek(-2, 2)
        file.write(struct.pack("<H", _SEAL_BYTES))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.write(_MARK + digest.encode())


def load_sealed(path: Path) -> Any:  # noqa: ANN401 - whatever was saved; whoever asked checks it
    """Reads what `save_sealed` wrote, or an earlier version of this program, without a digest.

    Args:
        path: the file.

    Returns:
        The content, its tensors on the CPU.

    Raises:
        OSError: it cannot be opened or read.
        DamagedError: it does not have the bytes it was written with.
        InputError: it is no file of tensors, or one that would run code.
    """
    with path.open("rb") as file:
        _check_seal(path, file)
        try:
            # weights_only: what names any other code is refused, and not run.
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{path} holds more than tensors, numbers and texts, and is not run"
            ) from error
        except (RuntimeError, EOFError, LookupError, TypeError, ValueError, MemoryError) as error:
            raise InputError(f"{path} is no file of tensors ({first_line(error)})") from error


def check_sealed(path: Path) -> None:
    """Compares a file with the digest at its end, without reading what is in it.

    Raises:
        OSError: it cannot be opened or read.
        DamagedError: it does not have the bytes it was written with.
    """
    with path.open("rb") as file:
        _check_seal(path, file)


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's text, or its kind where it has none."""
    return str(error).partition("\n")[0] or type(error).__name__


def _check_seal(path: Path, file: BinaryIO) -> None:
    """Compares a file with the digest at its end, and goes back to its start.

    Raises:
        DamagedError: it is another one, or none where there has to be one.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _SEAL_BYTES))
    seal = file.read()
    file.seek(0)
    if not seal.startswith(_MARK):
        # Of an earlier version is only what ends as a zip without a comment does.
        is_whole = seal[-_END_BYTES:].startswith(_END) and seal.endswith(b"\0\0")
        is_zip = file.read(len(_START)) == _START
        file.seek(0)
        if is_whole or not is_zip:  # what never was a file of tensors is told by torch
            return
        raise DamagedError(f"{path} is damaged: it does not end as it was written")
    hasher = hashlib.sha256()
    left = size - _SEAL_BYTES
    while block := file.read(min(left, 1 << 20)):
        hasher.update(block)
        left -= len(block)
    file.seek(0)
    if seal != _MARK + hasher.hexdigest().encode():
        raise DamagedError(f"{path} is damaged: it has other bytes than were written")
