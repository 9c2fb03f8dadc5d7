"""Files of tensors that know their own digest: checkpoints.

A file is what `torch.save` writes, a zip, whose comment is the SHA-256 of all bytes before it. So
`torch.load` reads it as any other, the same content gives the same bytes, and a bit that flips
anywhere is noticed. Nothing in a file is run as code.
"""

import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import torch

from hgld.errors import DamagedError, InputError

_MARK = b"hgld-sha256:"
_SEAL_BYTES = len(_MARK) + 2 * hashlib.sha256().digest_size


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
            # torch tries to end the archive when a write has failed, and only tells of that.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
    with path.open("rb+") as file:
        file.seek(-2, 2)  # a zip ends with the length of its comment, and the comment
        file.write(struct.pack("<H", _SEAL_BYTES))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.write(_MARK + digest.encode())


def load_sealed(path: Path) -> Any:  # noqa: ANN401 - whatever was saved
    """Reads what `save_sealed` wrote.

    Args:
        path: the file.

    Returns:
        The content, its tensors on the CPU.

    Raises:
        OSError: it cannot be opened or read.
        DamagedError: it does not have the bytes it was written with.
        InputError: it has more than tensors, numbers and texts.
    """
    check_sealed(path)
    try:
        # weights_only: what names any other code is refused, and not run.
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} holds more than tensors, numbers and texts, and is not run"
        ) from error


def check_sealed(path: Path) -> None:
    """Compares a file with the digest at its end, without reading what is in it.

    Raises:
        OSError: it cannot be opened or read.
        DamagedError: it does not have the bytes it was written with.
    """
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        left = file.seek(0, 2) - _SEAL_BYTES
        file.seek(0)
        while block := file.read(max(0, min(left, 1 << 20))):
            hasher.update(block)
            left -= len(block)
        seal = file.read()
    if seal != _MARK + hasher.hexdigest().encode():
        raise DamagedError(f"{path} is damaged: it has other bytes than were written")


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's text, or its kind where it has none."""
    return str(error).partition("\n")[0] or type(error).__name__
