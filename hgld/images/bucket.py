"""List GLDv2's tars, and download them with checked MD5s.

A tar is in `images/.parts/` from its first byte until its pictures are on the disk. The next run
resumes an interrupted download, even after a kill (`hgld.http.transfer`). A tar that does not match
the publisher's MD5 is downloaded again, at most three times in all.
"""

import contextlib
import hashlib
import logging
import re
import shutil
import tarfile
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from hgld.engine.files import read_sealed, write_sealed
from hgld.engine.progress import progress
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, FetchError, InputError, NotFoundError
from hgld.http.download import Source
from hgld.http.redirects import PoliteSession
from hgld.http.transfer import StoppedError, discard_part
from hgld.images.config import ImagesConfig
from hgld.images.records import records_table
from hgld.images.tars import Extracted, extract_images

logger = logging.getLogger(__name__)

_STRIKES = 3
"""How often a tar is downloaded if its MD5 is wrong."""
_PARTS = "images/.parts"
_ASKING = 8  # threads that ask for sizes, which mostly wait
_MD5_LINE = re.compile(r"([0-9a-f]{32}) [ *](\S+)")


@dataclass(frozen=True, slots=True)
class PublishedTar:
    """A tar of a split."""

    split: str
    name: str
    md5: str | None
    """None if the source has no MD5 for it, and thus no such tar."""

    @property
    def address(self) -> str:
        """Returns its path, relative to the base address."""
        return f"{self.split}/{self.name}"

    @property
    def shard(self) -> str:
        """Returns the name of its shard of records."""
        return self.name.removesuffix(".tar")


def list_tars(
    source: Source, workspace: Workspace, split: str, count: int
) -> tuple[list[PublishedTar], bool]:
    """Fetches and saves the MD5s that are not known yet for a base address.

    Returns:
        The tars, and whether the source has no others.

    Raises:
        FetchError: the base address cannot be reached, or has no tar of this split.
    """
    md5s: dict[str, str | None] = {}
    try:
        base, kept = _read_list(workspace, split)
        md5s = kept if base == source.base else {}
    except DamagedError as error:
        logger.warning("%s: fetching the MD5s again", error)
    *names, beyond = (_tar_name(number) for number in range(count + 1))
    # A folder is always read again, because that is cheap and its files may change.
    unknown = [name for name in names if source.is_folder or not md5s.get(name)]
    if source.is_folder or beyond not in md5s:
        unknown.append(beyond)
    with progress(f"images: {split} MD5s", len(unknown)) as advance:
        for name in unknown:
            try:
                md5s[name] = _read_md5(source, split, name)
            except NotFoundError as error:
                if name == names[0]:
                    what = f"{source.base} has no images of split {split}"
                    raise FetchError(f"{what}: {error}") from error
                md5s[name] = None
            advance(1)
    values = {"split": split, "base": source.base, "md5s": md5s}
    write_sealed(_list_path(workspace, split), values)
    if absent := [name for name in names if md5s[name] is None]:
        first = source.address(f"{split}/{absent[0]}")
        what = f"{len(absent)} of {count} tars of {split} are missing, first {first}"
        logger.warning("images: %s; %s", what, _fewer(split))
    return [PublishedTar(split, name, md5s[name]) for name in names], md5s[beyond] is None


def known_tars(workspace: Workspace, split: str, count: int) -> list[PublishedTar]:
    """Returns the tars of a split with the MD5s that an earlier run saved, without requests."""
    kept: dict[str, str | None] = {}
    with contextlib.suppress(DamagedError):
        _, kept = _read_list(workspace, split)
    names = (_tar_name(number) for number in range(count))
    return [PublishedTar(split, name, kept.get(name)) for name in names]


def list_damages(workspace: Workspace, split: str) -> Iterator[Damage]:
    """Yields the saved list of tars of a split if it is damaged; changes nothing."""
    try:
        _read_list(workspace, split)
    except DamagedError:
        path = _list_path(workspace, split)
        yield Damage(path.relative_to(workspace.root).as_posix(), "is damaged")


def _tar_name(number: int) -> str:
    return f"images_{number:03d}.tar"


def _list_path(workspace: Workspace, split: str) -> Path:
    return workspace.path(f"images/tars/{split}.json")


def _read_list(workspace: Workspace, split: str) -> tuple[str, dict[str, str | None]]:
    """Returns the base address and the MD5s of an earlier run; both empty without a run.

    Raises:
        DamagedError: the list is damaged, or belongs to another split.
    """
    path = _list_path(workspace, split)
    if not path.exists():
        return "", {}
    values = read_sealed(path)
    if values["split"] != split:
        raise DamagedError(f"{path} belongs to {values['split']}")
    return values["base"], values["md5s"]


def _read_md5(source: Source, split: str, name: str) -> str:
    address = f"md5sum/{split}/md5.{name.removesuffix('.tar')}.txt"
    text = source.read_text(address)
    match = _MD5_LINE.fullmatch(text.strip())
    if match is None or match[2] != name:
        got = f"{name}, got {text[:60]!r}; check the base address {source.base}"
        raise FetchError(f"{source.address(address)} must contain an MD5 and {got}")
    return match[1]


def _fewer(split: str) -> str:
    return f"if split {split} has fewer tars, lower {split}_tars (--tars) and rerun"


@dataclass(frozen=True, slots=True)
class TarReader:
    """Downloads tars and extracts their pictures."""

    workspace: Workspace
    source: Source
    config: ImagesConfig

    @property
    def session(self) -> PoliteSession:
        """The session of the source."""
        return self.source.session

    def fetch(self, tar: PublishedTar, wanted: Collection[str] | None) -> pa.Table:
        """Fetches a tar and extracts its pictures, or only the wanted ones.

        Returns:
            Rows of IMAGE_FILES, with one failed row if the tar could not be fetched or fully read.

        Raises:
            FetchError: the server cannot be reached; its other errors become failed rows.
            InputError: a picture cannot be written.
            StoppedError: another thread stopped the work.
        """
        images, root = [], self.workspace.root
        try:
            with self._brought(tar) as path:
                for image in extract_images(path, tar.split, root, self.config, wanted):
                    images.append(image)
                    if self.session.stopping.is_set():
                        raise StoppedError(f"{tar.address}: stopped")
        except FetchError as error:
            if tar.md5:
                logger.warning("%s: %s", tar.address, error)
                self.source.size(tar.address)  # ends the run if the server is unreachable
            images.append(Extracted("failed", error=str(error)))
        except tarfile.TarError as error:
            what = f"{self.source.address(tar.address)} is not a complete plain tar ('{error}')"
            why = f"{what}, but has the right MD5; tell its publisher, or {_fewer(tar.split)}"
            images.append(Extracted("failed", error=why))
        return records_table(tar.split, ((tar.name, image) for image in images), tar.md5)

    def check_room(self, tars: Sequence[PublishedTar], *, keeps_all: bool) -> None:
        """Checks, before the first download, that the disk has room for all tars.

        Args:
            tars: the tars to fetch.
            keeps_all: whether all pictures are kept at full size.

        Raises:
            FetchError: the server cannot be reached.
            InputError: too little space.
        """
        if not tars:
            return
        sizes = announced_sizes(self.source, tars)
        needed = 0 if self.source.is_folder else sum(sorted(sizes)[-self.config.parallel :])
        needed += sum(sizes) if keeps_all else 0
        what = f"{len(tars)} tars of {tars[0].split} and their images, first {tars[0].address}"
        require_room(self.workspace, needed, what)

    @contextlib.contextmanager
    def _brought(self, tar: PublishedTar) -> Iterator[Path]:
        """Gives a tar with the right MD5, and deletes the download after the block.

        If the block fails, for example on a full disk, the tar stays for the next run.
        """
        address = self.source.address(tar.address)
        if tar.md5 is None:
            raise NotFoundError(f"{address} does not exist; {_fewer(tar.split)}")
        part = part_path(self.workspace, tar)
        part.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_STRIKES):
            try:
                path = self.source.bring(tar.address, part)
            except NotFoundError as error:
                raise NotFoundError(f"{error}; {_fewer(tar.split)}") from error
            if (md5 := _md5_of(path)) == tar.md5:
                break
            discard_part(part)
            logger.warning("%s arrived with MD5 %s, not %s", address, md5, tar.md5)
        else:
            again = f"rerun, or delete images/tars/{tar.split}.json to fetch the MD5 again"
            raise FetchError(f"{address} must have the MD5 {tar.md5}, got {md5}; {again}")
        yield path
        discard_part(part)


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def part_path(workspace: Workspace, tar: PublishedTar) -> Path:
    """Returns the path of a tar until its pictures are extracted."""
    return workspace.path(f"{_PARTS}/{tar.split}-{tar.name}")


def sweep_parts(workspace: Workspace, split: str, keep: Collection[str]) -> None:
    """Removes files that earlier runs left in `images/.parts/`, except the names in `keep`."""
    folder = workspace.path(_PARTS)
    for path in folder.glob(f"{split}-*"):
        if path.name not in keep:
            path.unlink()
    with contextlib.suppress(OSError):  # it has parts of other splits, or does not exist
        folder.rmdir()


def announced_sizes(source: Source, tars: Sequence[PublishedTar]) -> list[int]:
    """Asks for the sizes of tars, in bytes; 0 if the server does not say.

    Raises:
        FetchError: the server cannot be reached.
    """
    with ThreadPoolExecutor(_ASKING) as pool:
        return list(pool.map(lambda tar: source.size(tar.address), tars))


def free_bytes(workspace: Workspace) -> int:
    """Returns the free bytes on the disk of a build, which need not exist yet."""
    folder = workspace.path("images").absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free


def require_room(workspace: Workspace, needed: int, what: str) -> None:
    """Checks the free space of the disk.

    Raises:
        InputError: fewer than `needed` bytes are free.
    """
    free = free_bytes(workspace)
    if free < needed:
        sizes = f"{needed / 1e9:.2f} GB free for {what}, got {free / 1e9:.2f} GB"
        mend = "free some space, fetch less or choose another --root, then rerun"
        raise InputError(f"{workspace.path('images')} must have {sizes}; {mend}")
