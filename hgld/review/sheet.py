"""The review sheet: a CSV file with one row per class, to export, edit and read back."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from hgld.engine.files import write_text
from hgld.errors import InputError
from hgld.review.log.decisions import DecisionLog
from hgld.review.log.events import SIDES, Change, Effect, check_text, harmless, label_key
from hgld.review.log.history import Decision, Standing
from hgld.review.names import TOLD, Spellings, alike_key, has_letter, listed, one_of, plain_text
from hgld.tables.csv_files import escape_cell, unescape_cell

SHOWN = (
    *("class_qid", "class_label", "landmarks", "cluster_id", "status"),
    *("proposed_action", "proposed_label", "proposed_natural_or_human_made"),
    *("confidence", "evidence", "runner_up", "runner_up_confidence"),
    *("wikidata", "example_landmarks", "example_link"),
)
"""Columns for the reviewer to read."""
FILLED_IN = ("action", "hierarchical_label", "natural_or_human_made", "note")
"""Columns for the reviewer to fill in."""
POSITION = "log_position"
"""Column with the end of the decision log at the time of the export."""
COLUMNS = (*SHOWN, *FILLED_IN, POSITION)
NEEDED = ("class_qid", "class_label", *FILLED_IN, POSITION)
"""Columns that a sheet must have to be applied; all others are optional."""

# Words, because a spreadsheet reformats numbers and dates; the part of the digest distinguishes the
# logs of two builds.
_POSITION = re.compile(r"after line (\d{1,15}) \(([0-9a-f]{12})\)")
_QID = re.compile(r"(?<![A-Z])Q[0-9]+", re.ASCII)
_QID_SHOWN = 20  # characters
_ACTIONS: tuple[Effect, ...] = ("assign", "ignore", "clear")


class ClassStatement(NamedTuple):
    """What a row says about its class."""

    qid: str
    change: Change
    """Covers only this class."""
    base: Decision | None
    """The decision in force at the export."""
    line: int
    """The last line of the log at the export."""


def write_sheet(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Writes a sheet, atomically.

    Args:
        path: the file to write.
        rows: values by column; None and missing values become empty cells.
    """
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(COLUMNS)
    for row in rows:
        cells = (row.get(name) for name in COLUMNS)
        sheet.writerow(["" if cell is None else escape_cell(str(cell)) for cell in cells])
    # Excel needs the byte order mark to read UTF-8.
    write_text(path, f"\ufeff{text.getvalue()}")


def read_sheet(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Reads the cells of a sheet.

    Args:
        path: a sheet from `write_sheet`, perhaps saved by a spreadsheet: UTF-8, or UTF-16 with a
            byte order mark; separated by commas, semicolons or tabs; columns in any order.

    Returns:
        For each row that is not blank: its number, as a spreadsheet shows it, and its NEEDED cells
        by column.

    Raises:
        InputError: no such file, not a CSV file, a NEEDED column that is missing or duplicated, or
            a row with too few or too many cells.
    """
    try:
        data = path.read_bytes()
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if is_utf16 else "utf-8").lstrip("\ufeff")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeError as error:
        raise InputError(f"{path} is not UTF-8; save the sheet as `CSV UTF-8`") from error
    names = next(iter(text.splitlines()), "")
    separator = max(",;\t", key=names.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}; export a new sheet") from error
    header = ["_".join(cell.split()).casefold() for cell in rows[0]] if rows else []
    if wrong := [name for name in NEEDED if header.count(name) != 1]:
        raise InputError(
            f"{path} must have the columns {', '.join(NEEDED)} in its first row, each once; "
            f"missing or duplicated: {', '.join(wrong)}; export a new sheet and copy only what you "
            f"filled in or changed"
        )
    return [
        (number, _cells(f"{path} row {number}", header, row))
        for number, row in enumerate(rows[1:], start=2)
        if any(cell.strip() for cell in row)
    ]


def _cells(where: str, header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    width = max(place for place, name in enumerate(header, start=1) if name)
    cells = list(zip_longest(header, row, fillvalue=""))
    if len(row) < width or any(cell.strip() for name, cell in cells if not name):
        raise InputError(
            f"{where} must have {width} cells, each below a column name; quote cells that contain "
            f"the separator"
        )
    return {name: unescape_cell(cell) for name, cell in cells if name in NEEDED}


class SheetReader:
    """Reads the rows of a sheet as statements about classes."""

    def __init__(
        self, labels: Mapping[str, str], log: DecisionLog, known: Mapping[str, str | None]
    ) -> None:
        """Prepares for a build.

        Args:
            labels: `class_qid` to label, for the classes of the build.
            log: the log of the build, which the positions in the rows refer to.
            known: names of super-categories that are not new, in addition to those in use, and
                their sides, which a row may leave out; None where it is not known.
        """
        self._labels, self._digests = labels, log.found.digests
        self._then: Callable[[int], Standing] = cache(log.standing)  # by the line of the export
        self._now = log.standing()
        in_use = {
            one.hierarchical_label: one.natural_or_human_made
            for one in self._now.decisions().values()
            if one.hierarchical_label
        }
        self._spellings = Spellings(in_use, known)
        self._sides = {alike_key(name): side for name, side in {**known, **in_use}.items()}

    def read(self, path: Path, meant: Iterable[str]) -> list[ClassStatement]:
        """Reads a sheet.

        Args:
            path: the sheet.
            meant: new names that are intended, although they look like typos.

        Returns:
            The statements, in the order of the rows; blank rows give none.

        Raises:
            InputError: no such sheet, rows that are ambiguous or belong to another build, or new
                names that look like typos; the text names them.
        """
        found, wrong, seen = list[ClassStatement](), list[str](), set[str]()
        names: dict[str, list[int]] = {}
        for number, row in read_sheet(path):
            try:
                said = self._statement(row, seen)
            except ValueError as error:
                shown = harmless(_qid_in(row["class_qid"]))[:_QID_SHOWN]
                wrong.append(f"row {number} ({shown}): {error}")
                continue
            if said is not None:
                found.append(said)
                name = said.change.hierarchical_label
                if name and not (said.base and said.base.hierarchical_label == name):
                    names.setdefault(name, []).append(number)
        if wrong:
            raise InputError(f"{path} {listed(wrong)}; nothing was applied")
        # Names with the most rows come first: a similar name with fewer rows is the typo.
        by_rows = sorted(names.items(), key=lambda item: -len(item[1]))
        try:
            self._spellings.check_new({name: _rows_of(rows) for name, rows in by_rows}, meant)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        return found

    def _statement(self, row: Mapping[str, str], seen: set[str]) -> ClassStatement | None:
        """Returns the statement of a row, or None if it is blank.

        Raises:
            ValueError: it is ambiguous, or belongs to another build.
        """
        qid = self._class_of(row, seen)
        line = exported_line(row[POSITION], self._digests)
        base = self._then(line).decision(qid)
        action = one_of(row["action"], _ACTIONS)
        if action is None and row["action"].strip():
            raise ValueError(
                f"action must be {', '.join(_ACTIONS)} or blank, got {row['action']!r}"
            )
        if action is None and not row["hierarchical_label"].strip():
            self._check_blank(qid, row, base)
            return None
        label, side = self._name(row["hierarchical_label"], base, line), None
        if action == "ignore" and label and (base is None or label != base.hierarchical_label):
            raise ValueError(
                f"action is ignore and hierarchical_label is {label!r}; clear one of the two"
            )
        if action in {"ignore", "clear"}:
            label = None
        else:
            side = row["natural_or_human_made"].strip() or self._sides.get(alike_key(label or ""))
            if label and not side:
                raise ValueError(
                    f"natural_or_human_made must be natural or human-made: that of {label!r} is "
                    f"not known"
                )
        change = Change(
            classes={qid: self._labels[qid]},
            effect=action or "assign",
            hierarchical_label=label,
            natural_or_human_made=side and (one_of(side, SIDES) or side),
            note=_note(row["note"], base),
        )
        return ClassStatement(qid, change, base, line)

    def _class_of(self, row: Mapping[str, str], seen: set[str]) -> str:
        qid = _qid_in(row["class_qid"])
        label = self._labels.get(qid)
        if label is None:
            raise ValueError("the build has no such class; export a new sheet")
        if alike_key(row["class_label"]) != alike_key(label):
            raise ValueError(
                f"class_label must be {label!r}, got {row['class_label']!r}; was one column sorted "
                f"separately, or the sheet not saved as `CSV UTF-8`?"
            )
        if qid in seen:
            raise ValueError("an earlier row has the same class; keep one")
        seen.add(qid)
        return qid

    def _name(self, cell: str, base: Decision | None, line: int) -> str | None:
        """Returns the super-category that a row names, in its known spelling."""
        if not cell.strip():
            return None
        before = base and base.hierarchical_label
        if before and alike_key(cell) == alike_key(before):
            return before
        check_text("hierarchical_label", cell)
        key = label_key(cell)
        # A super-category renamed since the export gets its current name.
        is_renamed = key in self._now.renamed and key not in self._then(line).renamed
        name = self._now.current_name(cell) if is_renamed else cell
        if not self._spellings.knows(name) and not has_letter(name):
            raise ValueError(f"hierarchical_label is {name!r}, which has no letter")
        return self._spellings.read(name)

    def _check_blank(self, qid: str, row: Mapping[str, str], base: Decision | None) -> None:
        """Checks a row without action and hierarchical_label.

        Raises:
            ValueError: other cells are filled in, or the row had a decision at the export.
        """
        if row["natural_or_human_made"].strip() or row["note"].strip():
            raise ValueError(
                "it has natural_or_human_made or note, but no hierarchical_label or action; fill "
                "in one of these, or clear the row"
            )
        if base is not None and self._now.decision(qid) is not None:
            decided = base.hierarchical_label or base.action
            raise ValueError(
                f"it is blank and was {decided!r} at the export; write clear to take that back"
            )


def position_of(log: DecisionLog) -> str:
    """Returns the end of a log as a cell of a sheet.

    Example:
        >>> from hgld.review.log.chain import scan
        >>> position_of(DecisionLog(found=scan(b""), events=()))
        'after line 0 (e3b0c44298fc)'
    """
    return f"after line {len(log.found.lines)} ({log.found.digests[-1][:12]})"


def exported_line(position: str, digests: Sequence[str]) -> int:
    """Returns the last line of the log at the time of an export.

    Args:
        position: the result of `position_of` at that time.
        digests: of the log, by line.

    Raises:
        ValueError: the position is not in this log.
    """
    match = _POSITION.fullmatch(" ".join(position.split()).casefold())
    line = int(match[1]) if match else len(digests)
    if match and line < len(digests) and digests[line].startswith(match[2]):
        return line
    raise ValueError(
        f"{POSITION} must be as it was exported from this build, got {position!r}; export a new "
        f"sheet and copy what you changed"
    )


def _qid_in(cell: str) -> str:
    """Returns the Q-id in a cell, which may be a link; without exactly one, returns the cell."""
    text = plain_text(cell)
    found = {*_QID.findall(text.upper())}
    return found.pop() if len(found) == 1 else text


def _note(cell: str, base: Decision | None) -> str:
    if base is not None and alike_key(cell) == alike_key(base.note):
        return base.note
    check_text("note", cell)
    return cell if cell.strip() else ""


def _rows_of(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:TOLD])) + (", ..." if len(numbers) > TOLD else "")
    return f"{'row' if len(numbers) == 1 else 'rows'} {shown}"
