"""How a published tar comes here: the list of tars with their MD5s, and one tar after the other.

A tar lies in `images/.parts/` from its first byte until its pictures are on the disk. Where its
download is stopped, by a kill too, the next run goes on with the part (`hgld.http.transfer`). The
MD5 of the publisher says whether it is right; one that came wrong is begun anew, three times at
most.
"""

import contextlib
import hashlib
import json
import logging
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hgld.engine.files import write_text
from hgld.engine.progress import progress
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import FetchError, NotFoundError
from hgld.http.download import Source
from hgld.http.transfer import discard_part

logger = logging.getLogger(__name__)

_STRIKES = 3
"""So often a tar may come wrong."""
_PARTS = "images/.parts"
_PIECE_BYTES = 1 << 20
# How a list that is damaged shows.
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
_MD5_LINE = re.compile(r"([0-9a-f]{32}) [ *](\S+)")


@dataclass(frozen=True, slots=True)
class PublishedTar:
    """A tar of a split."""

    split: str
    name: str
    md5: str | None
    """None where the source has no MD5 for it, so that there is no such tar."""

    @property
    def address(self) -> str:
        """Returns where it is, relative to the base address."""
        return f"{self.split}/{self.name}"

    @property
    def shard(self) -> str:
        """Returns the name of its shard of records."""
        return self.name.removesuffix(".tar")


def list_tars(source: Source, workspace: Workspace, split: str, count: int) -> list[PublishedTar]:
    """Asks for the MD5s that are not known yet of a base address, and keeps them.

    Raises:
        FetchError: the base address cannot be reached, or has no tar of this split.
    """
    path = _list_path(workspace, split)
    kept = _read_kept(path, split)
    md5s = kept if source.base == kept.pop("base", None) else {}
    names = [_tar_name(number) for number in range(count)]
    # A folder is asked again: that is cheap, and its files may change.
    unknown = [name for name in names if source.is_folder or name not in md5s]
    with progress(f"images: {split} MD5s", len(unknown)) as advance:
        for name in unknown:
            try:
                md5s[name] = _read_md5(source, split, name)
            except NotFoundError as error:
                if name == names[0] and name not in md5s:
                    raise FetchError(
                        f"{source.base} has no images of split {split}: {error}"
                    ) from error
            advance(1)
    values = {"base": source.base, "md5s": md5s}
    text = json.dumps({"sha256": _digest(split, values), **values}, indent=1)
    write_text(path, f"{text}\n")
    return [PublishedTar(split, name, md5s.get(name)) for name in names]


def known_tars(workspace: Workspace, split: str, count: int) -> list[PublishedTar]:
    """Returns the tars of a split with the MD5s that an earlier run kept, asking nobody."""
    kept = _read_kept(_list_path(workspace, split), split)
    names = (_tar_name(number) for number in range(count))
    return [PublishedTar(split, name, kept.get(name)) for name in names]


@dataclass(frozen=True, slots=True)
class BroughtTar:
    """A tar on this machine."""

    path: Path
    sha256: str
    """Of the file, beside the publisher's MD5, which proves little against intent."""


@contextlib.contextmanager
def brought_tar(source: Source, workspace: Workspace, tar: PublishedTar) -> Iterator[BroughtTar]:
    """Gives a tar with the right MD5; what was downloaded for it goes when the block has ended.

    Where the block does not come to its end, as on a full disk, the tar stays for the next run.

    Raises:
        NotFoundError: there is no such tar.
        FetchError: it cannot be had, or never has its MD5.
        StoppedError: another thread has ended the work.
    """
    part = _part(workspace, tar.split, tar.name)
    part.parent.mkdir(parents=True, exist_ok=True)
    brought = _obtain(source, tar, part)
    try:
        yield brought
    except tarfile.TarError:  # it would be the same again
        discard_part(part)
        raise
    discard_part(part)


def sweep_parts(workspace: Workspace, split: str, wanted: Iterable[PublishedTar]) -> None:
    """Removes what is left of downloads of a split, but for tars that are still wanted."""
    folder = workspace.path(_PARTS)
    workspace.path(f"images/.{split}.tar.part").unlink(missing_ok=True)  # of earlier versions
    kept = {_part(workspace, split, tar.name).name for tar in wanted}
    for path in folder.glob(f"{split}-*"):
        if path.name.removesuffix(".json") not in kept:
            path.unlink()
    with contextlib.suppress(OSError):  # parts of other splits are in it, or it is not there
        folder.rmdir()


def _part(workspace: Workspace, split: str, name: str) -> Path:
    return workspace.path(f"{_PARTS}/{split}-{name}")


def list_damages(workspace: Workspace, split: str) -> Iterator[Damage]:
    """Yields the list of tars of a split where it is not what was written; changes nothing."""
    path = _list_path(workspace, split)
    try:
        if path.exists():
            _parsed_list(path, split)
    except _UNREADABLE:
        yield Damage(path.relative_to(workspace.root).as_posix(), "is not what was written")


def _tar_name(number: int) -> str:
    return f"images_{number:03d}.tar"


def _list_path(workspace: Workspace, split: str) -> Path:
    return workspace.path(f"images/tars/{split}.json")


def _read_kept(path: Path, split: str) -> dict[str, str]:
    """Returns the MD5s of an earlier run, and its base address as `base`."""
    if not path.exists():
        return {}
    try:
        return _parsed_list(path, split)
    except _UNREADABLE as error:
        logger.warning("%s is damaged (%r): the MD5s are asked for again", path, error)
        return {}


def _parsed_list(path: Path, split: str) -> dict[str, str]:
    kept = _proven(json.loads(path.read_text(encoding="utf-8")), split)
    md5s = {name: md5 for name, md5 in kept["md5s"].items() if _is_md5(md5)}
    return {**md5s, "base": kept["base"]}


def _proven(values: dict[str, Any], split: str) -> dict[str, Any]:
    """Returns a list without its digest, which an earlier version did not write.

    Raises:
        ValueError: it is not what was written for this split.
    """
    if values.pop("sha256", None) not in {None, _digest(split, values)}:
        raise ValueError("its digest is another one")
    return values


def _digest(split: str, values: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps([split, values], sort_keys=True).encode()).hexdigest()


def _is_md5(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{32}", text) is not None


def _read_md5(source: Source, split: str, name: str) -> str:
    address = f"md5sum/{split}/md5.{name.removesuffix('.tar')}.txt"
    text = source.read_text(address)
    match = _MD5_LINE.fullmatch(text.strip())
    if match is None or match[2] != name:
        raise FetchError(
            f"{source.address(address)} must hold an MD5 and {name}, got {text[:60]!r}; "
            f"check the base address {source.base}"
        )
    return match[1]


def _obtain(source: Source, tar: PublishedTar, part: Path) -> BroughtTar:
    """Returns where a tar with the right MD5 lies; what fails is tried again, `_STRIKES` times."""
    hint = f"if split {tar.split} has fewer tars, lower {tar.split}_tars (--tars) and rerun"
    if tar.md5 is None:
        raise NotFoundError(f"{source.address(tar.address)} has no MD5, so it is not there; {hint}")
    for strike in range(1, _STRIKES):
        try:
            return _bring_checked(source, tar, part)
        except NotFoundError as error:
            raise NotFoundError(f"{error}; {hint}") from error
        except FetchError as error:
            logger.warning("%s; trying again, %d of %d", error, strike + 1, _STRIKES)
    return _bring_checked(source, tar, part)


def _bring_checked(source: Source, tar: PublishedTar, part: Path) -> BroughtTar:
    path = source.bring(tar.address, part)
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            md5.update(piece)
            sha256.update(piece)
    if md5.hexdigest() != tar.md5:
        discard_part(part)
        raise FetchError(
            f"{source.address(tar.address)} must have the MD5 {tar.md5}, got {md5.hexdigest()}; "
            f"rerun, and if it stays so, delete images/tars/{tar.split}.json to have the MD5 asked "
            f"for again"
        )
    return BroughtTar(path, sha256.hexdigest())
