"""The figures of the page are those that were measured."""

import csv
import re
from pathlib import Path
from typing import Any

from hgld.benchmarks.robustness.results import ResultRow, best_gains, interval_text
from hgld.plots.pages import points

ROOT = Path(__file__).resolve().parents[3]


def published() -> list[ResultRow]:
    with (ROOT / "benchmarks/results/robustness.csv").open(newline="", encoding="utf-8") as file:
        return [ResultRow(**_typed(row)) for row in csv.DictReader(file)]


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    whole = {name: int(row[name]) for name in ("seed", "rows", "positives")}
    return row | whole | {name: float(row[name] or "nan") for name in ("value", "group_error")}


def test_the_gains_of_the_page_are_those_that_were_measured() -> None:
    found: dict[tuple[str, str], str] = {}
    sets: dict[tuple[str, str, str], list[ResultRow]] = {}
    for row in published():
        sets.setdefault((row.part, row.data, row.group), []).append(row)
    for (_, data, group), rows in sets.items():
        for gain in best_gains(rows):
            text = f"{points(gain.spread.mean)} ({interval_text(gain.spread.widest)})"
            found[gain.method, f"{data}: {group}"] = text
    page = (ROOT / "docs/robustness.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (.+) \| (.+: .+) \| .+ \| (.+) \|$", page, re.M)
    assert len(told) == 8
    for method, rows_, gain_text in told:
        assert gain_text == found[method, rows_]
