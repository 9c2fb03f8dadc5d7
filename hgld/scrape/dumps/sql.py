r"""The rows of a table in a dump that mysqldump or mariadb-dump wrote, streamed.

What is read of such a file, and nothing else:

    CREATE TABLE `page_props` (
      `pp_page` int(10) unsigned NOT NULL,
      `pp_propname` varbinary(60) NOT NULL,
      `pp_value` blob NOT NULL,
      `pp_sortkey` float DEFAULT NULL,
      PRIMARY KEY (`pp_page`,`pp_propname`)
    ) ENGINE=InnoDB DEFAULT CHARSET=binary;
    INSERT INTO `page_props` VALUES (1,'wikibase_item','Q1',NULL),(2,'title','O\'Hara',NULL);
    -- Dump completed on 2026-11-01  3:04:05

Columns go by name, since MediaWiki adds and drops them. Rows are found by a regular expression that
runs over whole blocks: it steps over the rows that are not wanted without coming back to Python.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hgld.errors import InputError
from hgld.scrape.dumps.files import BLOCK_BYTES, read_blocks

_LONGEST_ROW = 4 << 20  # the longest value of these tables is a blob of 64 KiB
_STRING = rb"(?:_binary )?'[^'\\]*+(?:\\.[^'\\]*+)*+'"
_VALUE = rb"(?>" + _STRING + rb"|[^'(),;\s]++)"

_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?`(\w+)`")
_COLUMN = re.compile(rb"\s*`(\w+)` ")
_INSERT = re.compile(rb"INSERT INTO `(\w+)` VALUES(?=[\s(])")
_COMPLETED = re.compile(rb"-- Dump completed on (\d+-\d+-\d+) +(\d+:\d+:\d+)")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPES = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}

_SEMICOLON = ord(";")

SqlRow = tuple[bytes | None, ...]


@dataclass(slots=True)
class SqlDump:
    """A dump of one table."""

    path: Path
    table: str
    completed_at: datetime | None = field(default=None, init=False)
    """When it was made, in UTC, as its last line says; known once `rows` has come to the end."""

    def rows(
        self,
        columns: Sequence[str],
        where: Mapping[str, Sequence[str]] | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> Iterator[SqlRow]:
        """Reads the rows in the order of the file.

        Args:
            columns: which columns to give.
            where: column to the values it may have, as plain words or numbers; rows with others
                are stepped over, about three times faster than they are given.
            block_bytes: how much is looked at in one piece.

        Yields:
            For each row the columns' values: None for NULL, else bytes without SQL's escapes.

        Raises:
            InputError: the file is no dump of this table, lacks a column, or is cut off.
        """
        scan = _Scan(self, tuple(columns), dict(where or {}))
        for block in read_blocks(self.path, block_bytes):
            for row in scan.feed(block):
                yield tuple(map(_unquoted, row))
        for row in scan.feed(b"\n"):
            yield tuple(map(_unquoted, row))
        scan.end()

    def columns(self) -> tuple[str, ...]:
        """Returns the names of the table's columns, from the head of the file.

        Raises:
            InputError: the file is no dump of this table.
        """
        scan = _Scan(self, (), {})
        for block in read_blocks(self.path):
            next(scan.feed(block), None)
            if scan.is_in_rows:
                break
        return tuple(scan.known)

    def malformed(self, why: str) -> InputError:
        """Returns the error for a file that cannot be read as a dump of this table."""
        return InputError(f"{self.path} is no whole dump of the table {self.table}: {why}")


@dataclass(slots=True)
class _Scan:
    """Where a pass over a dump stands."""

    dump: SqlDump
    columns: tuple[str, ...]
    where: dict[str, Sequence[str]]
    known: list[str] = field(default_factory=list)
    """The columns of the table, in order."""
    is_in_rows: bool = False
    _is_in_columns: bool = False
    _rest: bytes = b""
    _pattern: re.Pattern[bytes] | None = None
    _order: tuple[int, ...] = ()
    """Where in a match each of `columns` stands."""

    def feed(self, block: bytes) -> Iterator[Sequence[bytes]]:
        """Yields the wanted rows, as SQL, that end in the block."""
        data, at, before = self._rest + block, 0, -1
        while at != before:
            before = at
            if self.is_in_rows:
                at = yield from self._rows(data, at)
            else:
                at = self._line(data, at)
        self._rest = data[at:]
        if len(self._rest) > _LONGEST_ROW:
            raise self.dump.malformed(f"cannot read on at {self._rest[:60]!r}; download it again")

    def end(self) -> None:
        """Checks that the file could end here."""
        if self.is_in_rows:
            raise self.dump.malformed(f"cannot read on at {self._rest[:60]!r}; download it again")
        if not self.known:
            raise self.dump.malformed(f"it has no CREATE TABLE `{self.dump.table}`")

    def _line(self, data: bytes, at: int) -> int:
        """Reads one line outside of rows; returns where the next one starts."""
        if insert := _INSERT.match(data, at):
            self._check_table(insert[1])
            self._prepare()
            self.is_in_rows = True
            return insert.end()
        end = data.find(b"\n", at)
        if end < 0:
            return at
        line = data[at:end]
        if line.startswith(b"INSERT"):
            raise self.dump.malformed(f"cannot read {line[:60]!r}; make it with mysqldump's --opt")
        if create := _CREATE.match(line):
            self._check_table(create[1])
            self._is_in_columns = True
        elif self._is_in_columns:
            if column := _COLUMN.match(line):
                self.known.append(column[1].decode())
            self._is_in_columns = not line.startswith(b")")
        elif completed := _COMPLETED.match(line):
            told = b" ".join(completed.groups()).decode()
            time = datetime.strptime(told, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the next line
            self.dump.completed_at = time.replace(tzinfo=UTC)
        return end + 1

    def _check_table(self, name: bytes) -> None:
        if name.decode() != self.dump.table:
            raise self.dump.malformed(f"it holds the table {name.decode()}; check its name")

    def _rows(self, data: bytes, at: int) -> Generator[Sequence[bytes], None, int]:
        """Yields rows of a statement; returns where the first one starts that is not whole."""
        if self._pattern is None:
            raise ValueError("call `_prepare` first")
        match, order = self._pattern.match, self._order
        while (found := match(data, at)) and found.end() > at:
            at = found.end()
            if found.lastindex:
                groups = found.groups()
                yield [groups[index] for index in order]
            if data[at - 1] == _SEMICOLON:
                self.is_in_rows = False
                break
        return at

    def _prepare(self) -> None:
        """Makes the pattern: rows to step over, and then perhaps one that is wanted, or the last.

        (?: skipped-row , )*+  (?: wanted-row [,;] | skipped-row ; )?+`
        """
        if self._pattern is not None:
            return
        if not self.known:
            raise self.dump.malformed("it has rows before its CREATE TABLE")
        if missing := [name for name in (*self.columns, *self.where) if name not in self.known]:
            raise self.dump.malformed(
                f"it has no column {missing[0]}; its columns are {', '.join(self.known)}"
            )
        groups = [name for name in self.known if name in self.columns]
        self._order = tuple(groups.index(name) for name in self.columns)
        allowed = {name: _one_of(values) for name, values in self.where.items()}
        values = [allowed.get(name, _VALUE) for name in self.known]
        wanted = rb",".join(
            b"(" + value + b")" if name in self.columns else value
            for name, value in zip(self.known, values, strict=True)
        )
        wanted = rb"\s*+\(" + wanted + rb"\)"
        other = rb"\s*+\(" + rb",".join([_VALUE] * len(values)) + rb"\)"
        if allowed:
            # As far as it takes to tell: up to the last column that is looked at.
            last = max(self.known.index(name) for name in allowed)
            other = rb"(?!\s*+\(" + rb",".join(values[: last + 1]) + rb"[,)])" + other
            pattern = rb"(?:%b,)*+(?:%b[,;]|%b;)?+" % (other, wanted, other)
        else:
            pattern = wanted + rb"[,;]"
        self._pattern = re.compile(pattern, re.DOTALL)


def _one_of(values: Sequence[str]) -> bytes:
    """Returns the pattern for one of several values, quoted or not."""
    words = rb"|".join(re.escape(value.encode()) for value in values)
    return rb"(?>(?:_binary )?'(?:%b)'|(?:%b)(?=[,)]))" % (words, words)


def _unquoted(value: bytes) -> bytes | None:
    """Returns the value that stands in SQL."""
    if not value.endswith(b"'"):
        return None if value == b"NULL" else value
    text = value[value.index(b"'") + 1 : -1]
    return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), text)


def sql_number(value: bytes | None) -> int:
    """Returns a number that a row has; 0 for NULL."""
    return int(value or 0)


def sql_words(value: bytes | None) -> str:
    """Returns text that a row has; signs for what is no UTF-8, nothing for NULL."""
    return (value or b"").decode("utf-8", errors="replace")
