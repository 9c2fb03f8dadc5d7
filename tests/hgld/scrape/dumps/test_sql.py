"""Reading SQL dumps: values, statements cut anywhere, files that are not what they should be."""

import gzip
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.scrape.dumps.sql import SqlDump
from tests.worlds.wikimedia.dump_writer import COLUMNS, sql_text

_SIGNS = "'\"\\(),;nN0ULé\0\n\r\x1a \t14"


def _any_value(chance: random.Random) -> str | bytes | int | None:
    text = "".join(chance.choices(_SIGNS, k=chance.randrange(13)))
    return chance.choice([None, chance.randrange(-(2**40), 2**40), chance.randbytes(5), text])


def _as_bytes(value: str | bytes | int | None) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()


def _write(path: Path, text: bytes) -> SqlDump:
    path.write_bytes(gzip.compress(text, compresslevel=1))
    return SqlDump(path, "t")


@pytest.mark.parametrize("is_mariadb", [True, False])
def test_any_values_are_read_back_whatever_the_blocks(tmp_path: Path, is_mariadb: bool) -> None:
    chance = random.Random(0)
    for _ in range(60):
        rows = [[_any_value(chance) for _ in "abc"] for _ in range(chance.randrange(10))]
        size = chance.randrange(1, 5)
        text = sql_text("t", rows, columns="a b c", rows_a_statement=size, is_mariadb=is_mariadb)
        dump = _write(tmp_path / "t", text)
        got = list(dump.rows(("c", "a"), block_bytes=chance.randrange(1, 90)))
        assert got == [(_as_bytes(c), _as_bytes(a)) for a, _, c in rows]
        assert dump.completed_at == datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC)


def test_rows_with_other_values_are_stepped_over(tmp_path: Path) -> None:
    chance = random.Random(0)
    for _ in range(60):
        kinds = chance.choices([14, 4, "14", "1", None, "(1,14,'"], k=12)
        rows = [(_any_value(chance), kind, _any_value(chance)) for kind in kinds]
        text = sql_text("t", rows, columns="a b c", rows_a_statement=chance.randrange(1, 6))
        dump = _write(tmp_path / "t", text)
        got = list(dump.rows(("a",), {"b": ["14", "4"]}, chance.randrange(1, 90)))
        assert got == [(_as_bytes(a),) for a, b, _ in rows if b in {14, 4, "14"}]


def test_every_escape_of_mysqldump_is_undone(tmp_path: Path) -> None:
    text = sql_text("t", [], columns="a").replace(
        b"UNLOCK", rb"INSERT INTO `t` VALUES ('\0\b\n\r\t\Z\\\'\"\%'),(_binary 'x'),(0x41);" b"\nU"
    )
    rows = list(_write(tmp_path / "t", text).rows(("a",)))
    assert rows == [(b"\0\b\n\r\t\x1a\\'\"%",), (b"x",), (b"0x41",)]


def test_a_title_that_looks_like_a_row_is_none(tmp_path: Path) -> None:
    trap = "x),(9,14,'y'),(8,14,"
    dump = _write(tmp_path / "t", sql_text("t", [(1, 14, trap), (2, 0, trap)], columns="a b c"))
    assert list(dump.rows(("a", "c"), {"b": ["14"]})) == [(b"1", trap.encode())]


def test_the_columns_are_told(tmp_path: Path) -> None:
    dump = _write(tmp_path / "t", sql_text("t", [(1, 2)], columns="a b"))
    assert dump.columns() == ("a", "b")
    assert len(COLUMNS["page"].split()) == 12


def test_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    assert list(_write(tmp_path / "t", sql_text("t", [], columns="a")).rows(("a",))) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(2,'y')", b"(2)"),
        (b"(2,'y')", b"(2,'y',3)"),
        (b"(2,'y')", b"(2,'y)"),
        (b"(2,'y'),", b"(2,'y')"),
        (b"(3,'z');\n", b"(3,'z'),"),
        (b"CREATE TABLE", b"CREATE VIEW"),
        (b"`t`", b"`u`"),
        (b"INTO `t` VALUES", b"INTO `u` VALUES"),
        (b"VALUES", b"(`a`,`b`) VALUES"),
        (b"  `b`", b"  `c`"),
    ],
)
def test_a_malformed_dump_is_refused_by_name(tmp_path: Path, old: bytes, new: bytes) -> None:
    text = sql_text("t", [(1, "x"), (2, "y"), (3, "z")], columns="a b")
    assert old in text
    dump = _write(tmp_path / "t.sql.gz", text.replace(old, new))
    with pytest.raises(InputError, match=r"t\.sql\.gz"):
        list(dump.rows(("b",), {"a": ["1", "2", "3"]}))


def test_a_file_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="t"):
        list(_write(tmp_path / "t", b"-- nothing here\n").rows(()))


def test_a_gzip_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    rows = [(number, f"title {number * 7919}") for number in range(300)]
    path = tmp_path / "t"
    whole = gzip.compress(sql_text("t", rows, columns="a b"))
    for end in range(0, len(whole), 397):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match="end"):
            list(SqlDump(path, "t").rows(("a",)))
