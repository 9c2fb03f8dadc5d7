"""Sheets that a spreadsheet of another locale has damaged: the same decisions, or an error."""

import csv
import io
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.exchange import export_file
from hgld.review.log.decisions import DECISIONS_FILE, append_decisions, read_decisions
from hgld.review.log.history import Decision
from hgld.review.names import alike_key
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import apply_sheet, rows_of, write_rows

pytestmark = pytest.mark.usefixtures("unflushed")

Table = list[list[str]]

CLASSES: list[dict[str, object]] = [
    {"class_qid": "Q16970", "class_label": "church building", "landmarks": 1222},
    {"class_qid": "Q9", "class_label": "=HYPERLINK(1)", "landmarks": 12_345_678},
    {"class_qid": "Q10", "class_label": "café \u201cold\u201d", "landmarks": 2},
    {"class_qid": "Q11", "class_label": "St. John's, Île-de-France", "confidence": 0.125},
    {"class_qid": "Q12", "class_label": "寺", "landmarks": 4, "runner_up": "ocean area "},
    {"class_qid": "Q13", "class_label": "tab\tand; comma,"},
    {"class_qid": "Q14", "class_label": "kościół"},
    {"class_qid": "Q15", "class_label": "castle"},
]
LABELS = {str(row["class_qid"]): str(row["class_label"]) for row in CLASSES}
DECIDED = {
    "Q16970": ("assign", "church", "human-made", ""),
    "Q11": ("assign", "castle / fort", "human-made", "née\n\u201cx\u201d; 1,5"),
    "Q12": ("assign", "ocean area ", "natural", "寺 - temple's"),
    "Q13": ("ignore", None, None, "-1"),
    "Q15": ("assign", "castle / fort", "human-made", ""),
}
COLUMNS = ("action", "hierarchical_label", "natural_or_human_made", "note")
# Contents of a row as a person fills it in; some say what is said of other classes.
FILLED = [
    ("assign", "church", "human-made", ""),
    ("", "ocean area ", "natural", "plain"),
    ("assign", "st. john's well", "natural", "one, two; three"),
    ("assign", "castle / fort", "human-made", "=1+1"),
    ("ignore", "", "", ""),
    ("ignore", "", "", "où \u2014 là"),
    ("clear", "", "", ""),
]


def decided_build(folder: Path) -> Workspace:
    workspace = Workspace(folder)
    write_proposals(workspace, CLASSES)
    append_decisions(
        workspace,
        [
            Decision(
                decided_at="2026-01-01T00:00:00+00:00",
                reviewer="cid",
                class_qid=qid,
                class_label=LABELS[qid],
                action="assign" if action == "assign" else "ignore",
                hierarchical_label=label,
                natural_or_human_made=side,
                note=note,
            )
            for qid, (action, label, side, note) in DECIDED.items()
        ],
    )
    return workspace


def doubled(text: str, chance: random.Random) -> str:
    return re.sub(" ", lambda _: " " * chance.choice([1, 2, 3]), text)


def padded(text: str, chance: random.Random) -> str:
    spaces = chance.choice([" ", "\u00a0", "  "])
    return chance.choice([f"{spaces}{text}", f"{text}{spaces}", text]) if text else text


def curly(text: str, chance: random.Random) -> str:
    text = re.sub("'", lambda _: chance.choice("'\u2019"), text)
    return re.sub('"', lambda _: chance.choice('"\u201c\u201d'), text)


def trimmed(text: str, _: random.Random) -> str:
    return text.strip(" ")


def line_breaks(text: str, chance: random.Random) -> str:
    return text.replace("\n", chance.choice(["\r\n", "\r", "\n"]))


Damage = Callable[[str, random.Random], str]
IN_CELLS: dict[str, Damage] = {
    "double spaces": doubled,
    "stray spaces": padded,
    "curly quotes": curly,
    "no outer spaces": trimmed,
    "line breaks": line_breaks,
}


def grouped(table: Table, chance: random.Random) -> None:
    """Writes the numbers as another country does."""
    mark, point = chance.choice([("\u202f", ","), (".", ","), (" ", ","), (",", "."), ("'", ".")])
    for row in table[1:]:
        for name in ("landmarks", "confidence", "cluster_id"):
            place = table[0].index(name)
            whole, _, part = row[place].partition(".")
            number = f"{int(whole):,}".replace(",", mark)
            row[place] = f"{number}{point}{part or '00'}"


def reordered(table: Table, chance: random.Random) -> None:
    order = chance.sample(range(len(table[0])), len(table[0]))
    table[:] = [[row[place] for place in order] for row in table]


def shuffled(table: Table, chance: random.Random) -> None:
    table[1:] = chance.sample(table[1:], len(table) - 1)


def trailing(table: Table, chance: random.Random) -> None:
    more = chance.choice([1, 3])
    table[:] = [row + [""] * more for row in table]


def blank_rows(table: Table, chance: random.Random) -> None:
    table.insert(chance.randrange(1, len(table)), [""] * len(table[0]))


IN_TABLES: dict[str, Callable[[Table, random.Random], None]] = {
    "numbers": grouped,
    "columns reordered": reordered,
    "rows sorted": shuffled,
    "trailing empty columns": trailing,
    "blank rows": blank_rows,
}
ENCODINGS = ["utf-8", "utf-8-sig", "twice", "utf-16", "cp1252", "cp1251"]


def damaged(path: Path, to: Path, chance: random.Random) -> set[str]:
    """Writes a sheet as some spreadsheet would save it; returns what was done to it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    done: set[str] = set()
    for name, change in IN_TABLES.items():  # the numbers first: they are numbers then
        if chance.random() < 0.3:
            done.add(name)
            change(table, chance)
    for name, cells in IN_CELLS.items():
        if chance.random() < 0.3:
            done.add(name)
            table = [[cells(cell, chance) for cell in row] for row in table]
    separator, encoding = chance.choice(",;\t"), chance.choice(ENCODINGS)
    text = io.StringIO()
    quotes_all = chance.random() < 0.5
    csv.writer(
        text, delimiter=separator, quoting=csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL
    ).writerows(table)
    start = chance.choice(["", f"sep={separator}\r\n"])
    done |= {f"separator {separator!r}", encoding} | ({"sep="} if start else set())
    if encoding == "twice":
        to.write_bytes(f"\ufeff\ufeff{start}{text.getvalue()}".encode())
    else:
        to.write_bytes(f"{start}{text.getvalue()}".encode(encoding, "replace"))
    return done


def content_of(workspace: Workspace) -> dict[str, tuple[str | None, ...]]:
    return {qid: one.content for qid, one in read_decisions(workspace).items()}


def check_damaged_sheets(folder: Path, seed: int, rounds: int) -> tuple[Counter[str], Counter[str]]:
    """Applies sheets as some spreadsheet saved them: they decide the same, or are refused.

    Returns:
        What was done to the sheets that were right, and to those that were refused.
    """
    chance = random.Random(seed)
    right, refused = Counter[str](), Counter[str]()
    workspace = decided_build(folder / "build")
    log, start = workspace.path("review"), folder / "review"
    shutil.copytree(log, start)
    for number in range(rounds):
        sheet, saved = folder / f"{number}.csv", folder / f"{number}-damaged.csv"
        export_file(workspace, sheet)
        rows = rows_of(sheet)
        for row in chance.sample(rows, chance.randrange(5)):
            filled = dict(zip(COLUMNS, chance.choice(FILLED), strict=True))
            row.update({k: f"'{v}" if v.startswith("=") else v for k, v in filled.items()})
        write_rows(sheet, rows)
        before = content_of(workspace)
        done = damaged(sheet, saved, chance)
        apply_sheet(workspace, sheet, "ann")
        wanted = content_of(workspace)
        shutil.rmtree(log)
        shutil.copytree(start, log)
        try:
            apply_sheet(workspace, saved, "ann")
        except InputError as error:
            text = str(error)
            assert re.search(r"row \d+ \(Q\d+\)|UTF-8", text), done
            assert content_of(workspace) == before
            refused.update(done)
        else:
            got = content_of(workspace)
            assert {qid: one[:3] for qid, one in got.items()} == {
                qid: one[:3] for qid, one in wanted.items()
            }, done
            for qid, one in got.items():  # a remark may keep its curly quotes
                assert alike_key(str(one[3])) == alike_key(str(wanted[qid][3])), done
            right.update(done)
        shutil.rmtree(log)
        shutil.copytree(start, log)
    assert not workspace.path(DECISIONS_FILE).with_suffix(".tmp").exists()
    return right, refused


def test_a_damaged_sheet_decides_the_same_or_is_refused_with_its_rows(tmp_path: Path) -> None:
    right, refused = check_damaged_sheets(tmp_path, seed=20220713, rounds=60)
    # What loses no letter never stops a sheet; a code page does.
    unicode = {"utf-8", "utf-8-sig", "twice", "utf-16"}
    assert {*IN_CELLS, *IN_TABLES, *unicode, "sep="} <= right.keys()
    assert refused.keys().isdisjoint(unicode)
    assert refused["cp1252"]
    assert right.keys().isdisjoint({"cp1252", "cp1251"})
