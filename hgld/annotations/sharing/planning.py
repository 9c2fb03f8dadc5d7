"""What of a release a place lacks, so that nothing is sent that is there already."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hgld.engine.verify import RELEASE_SUMS, SIGNATURE, parse_sums, read_sums
from hgld.errors import NotFoundError


class Missing(NamedTuple):
    """What has to be done for a place to have a release."""

    new: list[str]
    """Files that it lacks, or has others of."""
    gone: list[str]
    """Files of the release there that this one has not."""
    lists: list[str]
    """Of the signature and the list of files those that are to be sent, in this order, and last."""
    drops_signature: bool
    """Whether the signature there is of another release, and this one has none."""
    there: str
    """The list of files that the place has, empty where it has none."""

    @property
    def signature(self) -> str:
        """What becomes of the signature there: sent, removed, or nothing."""
        return "sent" if SIGNATURE in self.lists else "removed" if self.drops_signature else ""


def missing_there(folder: Path, read: Callable[[str], str]) -> Missing:
    """Compares a release with what a place has.

    Args:
        folder: with the release.
        read: gives the text of a file there, or raises NotFoundError.

    Returns:
        What is to be done. A release that is there already keeps the signature that it has there,
        unless it comes with another one.
    """
    sums = read_sums(folder / RELEASE_SUMS)
    there, signature_there = (_text(read, name) for name in (RELEASE_SUMS, SIGNATURE))
    before = parse_sums(there.encode(), RELEASE_SUMS) if there else {}
    ours = _signature(folder)
    is_other = sums != before
    lists = [SIGNATURE] if ours and (is_other or ours != signature_there) else []
    return Missing(
        new=[name for name, digest in sums.items() if before.get(name) != digest],
        gone=sorted(before.keys() - sums.keys()),
        lists=[*lists, RELEASE_SUMS] if is_other else lists,
        drops_signature=bool(is_other and signature_there and not ours),
        there=there,
    )


def keep_signature(folder: Path, before: Path) -> None:
    """Gives a release that is the one before, byte for byte, the signature which that one has.

    Args:
        folder: with the release; a signature that it has already stays.
        before: the folder of the release before.
    """
    sums, signature = (before / name for name in (RELEASE_SUMS, SIGNATURE))
    is_same = sums.read_bytes() == (folder / RELEASE_SUMS).read_bytes()
    if is_same and signature.is_file() and not (folder / SIGNATURE).is_file():
        (folder / SIGNATURE).write_bytes(signature.read_bytes())


def _signature(folder: Path) -> str:
    path = folder / SIGNATURE
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _text(read: Callable[[str], str], name: str) -> str:
    try:
        return read(name)
    except NotFoundError:
        return ""
