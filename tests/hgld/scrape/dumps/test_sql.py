"""Reading SQL dumps: values, statements cut anywhere, files that are not what they should be."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.errors import InputError
from hgld.scrape.dumps.sql import SqlDump
from tests.worlds.wikimedia.dump_writer import COLUMNS, sql_text

_VALUES = st.one_of(
    st.none(),
    st.integers(-(2**40), 2**40),
    st.binary(max_size=12),
    st.text(alphabet="'\"\\(),;nN0ULé\0\n\r\x1a \t14", max_size=12),
)


def _as_bytes(value: str | bytes | int | None) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()


def _write(path: Path, text: bytes) -> SqlDump:
    path.write_bytes(gzip.compress(text, compresslevel=1))
    return SqlDump(path, "t")


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(_VALUES, _VALUES, _VALUES), max_size=9),
    rows_a_statement=st.integers(1, 4),
    block_bytes=st.integers(1, 90),
    is_mariadb=st.booleans(),
)
def test_any_values_are_read_back_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str | bytes | int | None, ...]],
    rows_a_statement: int,
    block_bytes: int,
    *,
    is_mariadb: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "hypothesis.sql.gz"
    text = sql_text(
        "t", rows, columns="a b c", rows_a_statement=rows_a_statement, is_mariadb=is_mariadb
    )
    dump = _write(path, text)
    got = list(dump.rows(("c", "a"), block_bytes=block_bytes))
    assert got == [(_as_bytes(c), _as_bytes(a)) for a, _, c in rows]
    assert dump.completed_at == datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(_VALUES, st.sampled_from([14, 4, "14", "1", None, "(1,14,'"]), _VALUES),
        max_size=12,
    ),
    rows_a_statement=st.integers(1, 5),
    block_bytes=st.integers(1, 90),
)
def test_rows_with_other_values_are_stepped_over(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str | bytes | int | None, ...]],
    rows_a_statement: int,
    block_bytes: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "hypothesis-where.sql.gz"
    text = sql_text("t", rows, columns="a b c", rows_a_statement=rows_a_statement)
    got = list(_write(path, text).rows(("a",), {"b": ["14", "4"]}, block_bytes))
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
    ("old", "new", "words"),
    [
        (b"(2,'y')", b"(2)", r"cannot read on at b\"\(2\),\(3,'z'\)"),
        (b"(2,'y')", b"(2,'y',3)", r"cannot read on at b\"\(2,'y',3\)"),
        (b"(2,'y')", b"(2,'y)", r"cannot read on at b\"\(2,'y\)"),
        (b"(2,'y'),", b"(2,'y')", r"cannot read on at b\"\(2,'y'\)\(3,"),
        (b"(3,'z');\n", b"(3,'z'),", r"cannot read on at b'/\*!40000"),
        (b"CREATE TABLE", b"CREATE VIEW", "it has rows before its CREATE TABLE"),
        (b"`t`", b"`u`", "it holds the table u; check its name"),
        (b"INTO `t` VALUES", b"INTO `u` VALUES", "it holds the table u"),
        (b"VALUES", b"(`a`,`b`) VALUES", "make it with mysqldump's --opt"),
        (b"  `b`", b"  `c`", "it has no column b; its columns are a, c"),
    ],
)
def test_a_malformed_dump_is_refused(tmp_path: Path, old: bytes, new: bytes, words: str) -> None:
    text = sql_text("t", [(1, "x"), (2, "y"), (3, "z")], columns="a b")
    assert old in text
    dump = _write(tmp_path / "t", text.replace(old, new))
    with pytest.raises(InputError, match=words):
        list(dump.rows(("b",), {"a": ["1", "2", "3"]}))


def test_a_file_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it has no CREATE TABLE `t`"):
        list(_write(tmp_path / "t", b"-- nothing here\n").rows(()))


def test_a_value_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    text = sql_text("t", [(1,)], columns="a").replace(b"(1)", b"('" + b"x" * (9 << 20))
    with pytest.raises(InputError, match="cannot read on at"):
        list(_write(tmp_path / "t", text).rows(("a",)))


def test_a_gzip_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    rows = [(number, f"title {number * 7919}") for number in range(300)]
    path = tmp_path / "t"
    whole = gzip.compress(sql_text("t", rows, columns="a b"))
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match="stops before its end"):
            list(SqlDump(path, "t").rows(("a",)))
