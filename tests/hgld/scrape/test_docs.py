"""The page on the scrape says what the code has and what the benchmarks found."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hgld.scrape.config import ScrapeConfig
from hgld.scrape.dumps import files as dump_files
from tests.worlds.wikimedia.lab import STATUSES

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def page() -> str:
    return (_ROOT / "docs" / "scrape.md").read_text(encoding="utf-8")


def _rows(page: str, head: str) -> list[list[str]]:
    """Returns the cells of the table whose head starts so."""
    table = page.partition(f"\n| {head} |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _result(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(
        (_ROOT / "benchmarks" / "results" / "scraping" / f"{name}.json").read_text("utf-8")
    )


def test_every_status_is_explained(page: str) -> None:
    assert {cells[0] for cells in _rows(page, "status")} == {
        f"`{status}`" for status in {*STATUSES.values(), "failed"}
    }


def test_every_setting_is_there_with_its_default_and_whether_it_changes_rows(page: str) -> None:
    told = {cells[0]: cells[1] for cells in _rows(page, "setting")}
    defaults = ScrapeConfig()
    expected = {}
    for field in dataclasses.fields(ScrapeConfig):
        star = " *" if field.metadata.get("changes_rows", True) else ""
        value = getattr(defaults, field.name)
        expected[f"`{field.name}`{star}"] = "" if value is None else f"`{json.dumps(value)}`"
    assert told == expected


def test_every_dump_file_is_named(page: str) -> None:
    names = {cells[0] for cells in _rows(page, "file")}
    doc = dump_files.__doc__ or ""
    assert names == {f"`{name}`" for name in re.findall(r"\S*\*\S*\.gz", doc)}
    assert len(names) == 9


def test_the_figures_are_those_of_the_benchmarks(page: str) -> None:
    told = " ".join(page.partition("## What it costs")[2].split())
    ours, plain = _result("scrape")["results"]
    for name in ("commons_per_1000_categories", "sparql_per_1000_items", "median_cpu_ms"):
        left, right = (
            f"{one[name]:.3g}" if one[name] < 1000 else f"{one[name]:,.0f}" for one in (ours, plain)
        )
        assert f"| {left} | {right} |" in told
    rehearsal, dumps = _result("rehearsal"), _result("dumps")["results"][0]
    *scrapes, replay, refresh = rehearsal["runs"]
    assert [run["ended"] for run in scrapes] == ["killed", "killed", "done"]
    assert (
        f"{sum(run['seconds'] for run in scrapes):.0f} s in all, "
        f"{max(run['peak_mb'] for run in scrapes):.0f} MB, every row right, "
        f"{rehearsal['bars']['requests that a kill made for nothing']['got']} requests made"
    ) in told
    assert f"replayed in {replay['seconds']:.0f} s" in told
    assert f"refreshed in {refresh['seconds']:.0f} s, {refresh['peak_mb']:.0f} MB" in told
    assert f"{dumps['median_s']:.0f} s, {dumps['peak_mb']:.0f} MB" in told
