"""Finding dump files, and reading them in blocks."""

import gzip
import random
import zlib
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.scrape.dumps.files import find_dumps, read_blocks, read_line_blocks
from tests.worlds.wikimedia.dump_writer import write_small_dumps


def test_every_file_is_found_by_its_name(tmp_path: Path) -> None:
    write_small_dumps(tmp_path)
    files = find_dumps(tmp_path)
    assert files.page == tmp_path / "commonswiki-20261101-page.sql.gz"
    assert files.truthy == tmp_path / "latest-truthy.nt.gz"
    assert files.tell_soft_redirects()
    digest = files.digest()
    assert find_dumps(tmp_path).digest() == digest
    assert files.truthy is not None
    files.truthy.rename(tmp_path / "wikidata-20261101-truthy-BETA.nt.gz")
    assert find_dumps(tmp_path).digest() != digest
    assert files.linktarget is not None
    files.linktarget.unlink()
    assert not find_dumps(tmp_path).tell_soft_redirects()


@pytest.mark.parametrize("pattern", ["*-redirect.sql.gz", "*-p*.sql.gz", "*a*.sql.gz", "*y*.nt.gz"])
def test_a_file_is_needed_or_not(tmp_path: Path, pattern: str) -> None:
    write_small_dumps(tmp_path)
    for path in tmp_path.glob(pattern):
        path.unlink()
    if pattern == "*y*.nt.gz":
        assert find_dumps(tmp_path).truthy is None
    else:
        with pytest.raises(InputError, match="download"):
            find_dumps(tmp_path)


def test_a_gzip_file_of_several_members_and_zeros_after_them_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(gzip.compress(b"one ") + gzip.compress(b"two") + b"\0" * 512)
    assert b"".join(read_blocks(path)) == b"one two"


def test_blocks_are_bounded_however_well_a_file_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(gzip.compress(b"\n" * 3_000_000))
    sizes = [len(block) for block in read_blocks(path, 1000)]
    assert max(sizes) == 1000
    assert sum(sizes) == 3_000_000


def test_blocks_of_lines_end_where_a_line_ends(tmp_path: Path) -> None:
    chance, path = random.Random(0), tmp_path / "t.gz"
    for _ in range(40):
        data = bytes(chance.choices(b"ab\n", k=chance.randrange(60)))
        path.write_bytes(gzip.compress(data, compresslevel=0))
        blocks = list(read_line_blocks(path, chance.randrange(1, 20)))
        assert all(block.endswith(b"\n") for block in blocks)
        whole = data if data.endswith(b"\n") or not data else data + b"\n"
        assert b"".join(blocks) == whole


def test_a_damaged_or_absent_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with pytest.raises(InputError, match="t"):
        list(read_blocks(path))
    data = bytearray(gzip.compress(zlib.compress(bytes(range(256)) * 9)))
    data[-6] ^= 1  # the checksum
    path.write_bytes(data)
    with pytest.raises(InputError, match="gzip"):
        list(read_blocks(path))
