"""What the rows of a sheet say of their classes, checked one by one."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from hgld.errors import InputError
from hgld.review.exchange.reading import SheetText, qid_in, read_sheet, still_says
from hgld.review.exchange.sheet import POSITION
from hgld.review.exchange.spelling import TOLD, Spellings, check_name, listed, one_of
from hgld.review.log.decisions import DecisionLog
from hgld.review.log.events import SIDES, Change, label_key
from hgld.review.log.history import Decision, Standing
from hgld.review.log.texts import check_typed, harmless
from hgld.tables.fields import check_qid

# Words, so that no spreadsheet takes it for a number or a date and writes it its own way; the piece
# of the digest tells the logs of two builds apart.
_POSITION = re.compile(r"after line (\d{1,15}) \(([0-9a-f]{12})\)")

_CELL_LIMIT = 32_767
"""Characters that Excel keeps of a cell; it cuts off the rest without a word."""

_QID_SHOWN = 20  # characters

_Action = Literal["assign", "ignore", "clear", ""]
_ACTIONS: tuple[_Action, ...] = get_args(_Action)


class ClassStatement(NamedTuple):
    """What a file says of a class."""

    change: Change
    """About this class alone."""
    base: Decision | None
    """What was in force when the file was written."""
    line: int
    """Of the log, after which that was."""
    is_of_log: bool = True
    """Whether it was written of this log; else nothing was in force as far as that is known."""

    @property
    def qid(self) -> str:
        """The class."""
        return next(iter(self.change.classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetReader:
    """What the rows of a sheet are read with."""

    labels: Mapping[str, str]
    """`class_qid` to label of the classes that the build has."""
    log: DecisionLog
    """To which the positions of the rows belong."""
    known: Iterable[str] = ()
    """Names of the taxonomy that proposals are made of."""
    meant: Iterable[str] = ()
    """New names that are meant, though they look like a typo."""

    def read(self, path: Path) -> list[ClassStatement]:
        """Reads the decisions of a sheet.

        Args:
            path: the sheet.

        Returns:
            What its rows say, in their order; rows that are left blank say nothing.

        Raises:
            InputError: no such sheet, rows that decide nothing clear or are not of this build, or
                new names that look like typos; the text names them.
        """
        text = read_sheet(path, self.labels)
        rows = _Rows(self, text)
        found, wrong = [], []
        names: dict[str, list[int]] = {}
        for number, row in text.rows:
            try:
                said = rows.read(row)
            except ValueError as error:
                shown = harmless(qid_in(row["class_qid"]))[:_QID_SHOWN]
                wrong.append(f"row {number} ({shown}): {error}")
                continue
            if said is not None:
                found.append(said)
                name, base = said.change.hierarchical_label, said.base
                if name and not (base and base.hierarchical_label == name):
                    names.setdefault(name, []).append(number)
        if wrong:
            raise InputError(f"{path} {listed(wrong)}; nothing was applied")
        # The one of most rows first: what is near it is the typo.
        by_rows = sorted(names.items(), key=lambda item: -len(item[1]))
        try:
            rows.spellings.check_new(
                {name: _rows_of(places) for name, places in by_rows},
                self.meant,
                "correct the cells",
            )
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        return found


class _Rows:
    """Reads one row after the other."""

    def __init__(self, reader: SheetReader, text: SheetText) -> None:
        self._reader, self._text = reader, text
        log = reader.log
        self._digests = log.found.digests()
        self._then: Callable[[int], Standing] = cache(log.standing)
        self._in_force: Callable[[int], dict[str, Decision]] = cache(
            lambda line: self._then(line).decisions()
        )
        self._last = len(self._digests) - 1
        in_use = (one.hierarchical_label for one in self._in_force(self._last).values())
        self.spellings = Spellings(filter(None, in_use), reader.known)
        self._seen: set[str] = set()

    def read(self, row: Mapping[str, str]) -> ClassStatement | None:
        """Returns what a row says, or None where it is left blank.

        Raises:
            ValueError: it decides nothing clear, or is not of this build.
        """
        qid, label = self._class_of(row)
        line = exported_line(row[POSITION], self._digests)
        base = self._in_force(line).get(qid)
        action, side = one_of(row["action"], _ACTIONS), one_of(row["natural_or_human_made"], SIDES)
        if action is None:
            raise ValueError(
                f"action must be assign, ignore, clear or blank, got {row['action']!r}; choose one"
            )
        if not action and not row["hierarchical_label"].strip():
            self._check_blank(qid, row, base)
            return None
        named = self._name(row["hierarchical_label"], base, line)
        if action == "ignore" and named and (base is None or named != base.hierarchical_label):
            raise ValueError(
                f"action is ignore, and hierarchical_label is filled in with {named!r}; clear one "
                f"of the two"
            )
        if action in {"ignore", "clear"}:
            named, side = None, None
        elif side is None:
            side = row["natural_or_human_made"].strip()
        change = Change(
            classes={qid: label},
            effect=action or "assign",
            hierarchical_label=named,
            natural_or_human_made=side,
            note=self._note(row["note"], base),
        )
        return ClassStatement(change, base, line)

    def _class_of(self, row: Mapping[str, str]) -> tuple[str, str]:
        """Returns the class of a row, and its label.

        Raises:
            ValueError: the build does not have it, or it has another row.
        """
        qid, labels = qid_in(row["class_qid"]), self._reader.labels
        if qid not in labels:
            check_qid(qid)
            raise ValueError(
                f"the build has no class {qid!r}; export a new sheet, or remove the row"
            )
        if not still_says(row["class_label"], labels[qid]):
            raise ValueError(
                f"class_label must be {labels[qid]!r}, got {row['class_label']!r}; were columns "
                f"sorted apart, or was the sheet not saved as `CSV UTF-8`? export a new sheet to "
                f"compare"
            )
        if qid in self._seen:
            raise ValueError("the class has another row above; keep one")
        self._seen.add(qid)
        return qid, labels[qid]

    def _name(self, cell: str, base: Decision | None, line: int) -> str | None:
        """Returns the super-category that a row names, as it is spelt."""
        if not cell.strip():
            return None
        before = base and base.hierarchical_label
        if before == cell:
            return before
        if before and still_says(cell, before):
            self.spellings.read(before)  # refuses two names that differ by no more
            return before
        self._text.check(cell)
        check_typed("hierarchical_label", cell)
        name = self._renamed(cell, line)
        if not self.spellings.knows(name):
            check_name(name)
            _check_length("hierarchical_label", name)
        return self.spellings.read(name)

    def _renamed(self, cell: str, line: int) -> str:
        """Returns what a super-category is called that was renamed since the row was exported."""
        now, key = self._then(self._last), label_key(cell)
        is_renamed = key in now.renamed and key not in self._then(line).renamed
        return now.current_name(cell) if is_renamed else cell

    def _note(self, cell: str, base: Decision | None) -> str:
        before = base.note if base else ""
        if not cell.strip():
            return ""
        if before and (cell == before or still_says(cell, before)):
            return before
        self._text.check(cell)
        check_typed("note", cell)
        _check_length("note", cell)
        return cell

    def _check_blank(self, qid: str, row: Mapping[str, str], base: Decision | None) -> None:
        """Checks a row that names nothing.

        Raises:
            ValueError: it is not blank, or was not when it was exported.
        """
        if row["natural_or_human_made"].strip() or row["note"].strip():
            raise ValueError(
                "natural_or_human_made or note is filled in, but nothing is decided; add a "
                "hierarchical_label or the action ignore, or clear them"
            )
        if base is not None and qid in self._in_force(self._last):
            decided = base.hierarchical_label or base.action
            raise ValueError(
                f"it is blank and was {decided!r} when the sheet was exported; write clear as its "
                f"action to take that back, or fill it in again"
            )


def position_of(log: DecisionLog) -> str:
    """Returns how far a log goes, as a cell of a sheet.

    Example:
        >>> from hgld.review.log.chain import scan
        >>> position_of(DecisionLog(found=scan(b""), events=()))
        'after line 0 (e3b0c44298fc)'
    """
    return f"after line {log.found.count} ({log.found.digests()[-1][:12]})"


def exported_line(position: str, digests: Sequence[str]) -> int:
    """Returns the line of the log after which something was exported.

    Args:
        position: what `position_of` gave then.
        digests: of the log, by line.

    Raises:
        ValueError: it is none of this log.
    """
    match = _POSITION.fullmatch(" ".join(position.split()).casefold())
    if match is None:
        raise ValueError(
            f"{POSITION} must be as it was exported, such as 'after line 0 ({digests[0][:12]})', "
            f"got {position!r}; export a new sheet and copy over what you changed"
        )
    line = int(match[1])
    if line >= len(digests):
        what = f"the log ends after line {len(digests) - 1}"
    elif not digests[line].startswith(match[2]):
        what = "the log has another line there"
    else:
        return line
    raise ValueError(
        f"{POSITION} is {position!r}, but {what}: the sheet is of another build, or the log is not "
        f"what it was; export a new sheet"
    )


def _check_length(name: str, text: str) -> None:
    if len(text) > _CELL_LIMIT:
        raise ValueError(
            f"{name} must have at most {_CELL_LIMIT:,} characters, as many as spreadsheets keep of "
            f"a cell, got {len(text):,}; shorten it"
        )


def _rows_of(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:TOLD])) + (", ..." if len(numbers) > TOLD else "")
    return f"{'row' if len(numbers) == 1 else 'rows'} {shown}"
