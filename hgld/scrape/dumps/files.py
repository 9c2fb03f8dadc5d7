"""The dump files of Wikimedia that a scrape can read instead of asking anybody.

They are found by their names in one folder, as https://dumps.wikimedia.org gives them:

    commonswiki-*-page.sql.gz                   needed
    commonswiki-*-redirect.sql.gz               needed
    commonswiki-*-page_props.sql.gz             this one, the next one, or both
    wikidatawiki-*-wb_items_per_site.sql.gz
    *-all.json.gz                               this one, the next one, or both
    *-truthy*.nt.gz
    commonswiki-*-categorylinks.sql.gz          these three together, for soft redirects
    commonswiki-*-pagelinks.sql.gz
    commonswiki-*-linktarget.sql.gz

The parents of categories take `page_props`, `categorylinks` and, since MediaWiki 1.45,
`linktarget`.
"""

import hashlib
import json
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO

from hgld.engine.progress import Advance, progress
from hgld.errors import InputError

BLOCK_BYTES = 1 << 20
_MB = 1 << 20
_READ_BYTES = 1 << 18
_GZIP = 31  # zlib's code for a gzip header and trailer with checks

_PATTERNS = {
    "page": "commonswiki-*-page.sql.gz",
    "redirect": "commonswiki-*-redirect.sql.gz",
    "page_props": "commonswiki-*-page_props.sql.gz",
    "wb_items_per_site": "wikidatawiki-*-wb_items_per_site.sql.gz",
    "entities": "*-all.json.gz",
    "truthy": "*-truthy*.nt.gz",
    "categorylinks": "commonswiki-*-categorylinks.sql.gz",
    "pagelinks": "commonswiki-*-pagelinks.sql.gz",
    "linktarget": "commonswiki-*-linktarget.sql.gz",
}
_NEEDED = (
    ("page",),
    ("redirect",),
    ("page_props", "wb_items_per_site"),
    ("entities", "truthy"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFiles:
    """Where each dump lies; None for one that is not there."""

    page: Path
    redirect: Path
    page_props: Path | None = None
    wb_items_per_site: Path | None = None
    entities: Path | None = None
    """Every entity of Wikidata with all ranks; does not have those that were merged away."""
    truthy: Path | None = None
    """The best statements of every entity of Wikidata, and what was merged into what."""
    categorylinks: Path | None = None
    pagelinks: Path | None = None
    linktarget: Path | None = None

    def digest(self) -> str:
        """Returns a digest of names, sizes and times: the contents are too large to read twice."""
        paths = [getattr(self, field.name) for field in fields(self)]
        stats = [(path.name, path.stat()) for path in paths if path is not None]
        told = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def unreadable(self, error: Exception) -> InputError:
        """Returns the error that says of these dumps that a reader met what no dump holds."""
        return InputError(
            f"the dumps in {self.page.parent} cannot be read ({error}); download them again"
        )

    def need(self, name: str) -> Path:
        """Returns where a dump lies, such as `categorylinks`.

        Raises:
            InputError: it is not there.
        """
        path: Path | None = getattr(self, name)
        if path is None:
            raise InputError(
                f"{self.page.parent} has no {_PATTERNS[name]}; download it from "
                f"https://dumps.wikimedia.org"
            )
        return path

    def tell_soft_redirects(self) -> bool:
        """Says whether the three tables are there that soft redirects take."""
        return None not in {self.categorylinks, self.pagelinks, self.linktarget}


def find_dumps(folder: Path) -> DumpFiles:
    """Finds the dump files in a folder.

    Args:
        folder: where they lie, with the names they were downloaded under.

    Raises:
        InputError: no such folder, a file that is needed is missing, or one is there twice.
    """
    if not folder.is_dir():
        raise InputError(f"dumps must be a folder of dump files, got {folder}; it is not there")
    found: dict[str, Path] = {}
    for name, pattern in _PATTERNS.items():
        paths = sorted(folder.glob(pattern))
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise InputError(f"{folder} has {names}; keep one of them, all files of one date")
        found.update((name, path) for path in paths)
    for choice in _NEEDED:
        if not any(name in found for name in choice):
            patterns = " or ".join(_PATTERNS[name] for name in choice)
            raise InputError(
                f"{folder} has no {patterns}; download it from https://dumps.wikimedia.org"
            )
    return DumpFiles(**found)


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yields what a gzip file holds, in blocks, in bounded memory; says how far it is.

    Not with `gzip`: before Python 3.12 it reads 8 KiB at a time, at half the speed.

    Args:
        path: a gzip file, of one member or several.
        block_bytes: the most that a block holds.

    Raises:
        InputError: the file cannot be read, is no gzip file, or stops before its end.
    """
    try:
        with (
            path.open("rb") as file,
            progress(f"scrape: MB of {path.name}", path.stat().st_size // _MB) as advance,
        ):
            is_whole = yield from _decompressed(file, block_bytes, advance)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except zlib.error as error:
        raise InputError(f"{path} is no whole gzip file ({error}); download it again") from error
    if not is_whole:
        raise InputError(f"{path} stops before its end; download it again")


def _decompressed(
    file: BinaryIO, block_bytes: int, advance: Advance
) -> Generator[bytes, None, bool]:
    """Yields blocks; returns whether the file ended where a member of it does."""
    decoder = zlib.decompressobj(wbits=_GZIP)
    while data := file.read(_READ_BYTES):
        advance(file.tell() // _MB - (file.tell() - len(data)) // _MB)
        while data:
            if decoder.eof:
                decoder = zlib.decompressobj(wbits=_GZIP)
            if block := decoder.decompress(data, block_bytes):
                yield block
            # Some programs fill up the last record with zeros.
            data = decoder.unused_data.lstrip(b"\0") or decoder.unconsumed_tail
    while not decoder.eof and (block := decoder.decompress(b"", block_bytes)):
        yield block
    return decoder.eof


def read_line_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yields what a gzip file holds in blocks that end where a line ends.

    Args:
        path: a gzip file of text; its last line needs no line feed.
        block_bytes: about how much a block holds; more where a line is longer.

    Raises:
        InputError: as `read_blocks`.
    """
    parts: list[bytes] = []
    for block in read_blocks(path, block_bytes):
        end = block.rfind(b"\n") + 1
        if end:
            yield b"".join([*parts, block[:end]])
            parts = [block[end:]]
        else:
            parts.append(block)
    if rest := b"".join(parts):
        yield rest + b"\n"
