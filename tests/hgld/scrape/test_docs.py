"""The page on the scrape has every status and every setting that the code has."""

import dataclasses
import json
from pathlib import Path

import pytest

from hgld.scrape.config import ScrapeConfig
from tests.worlds.wikimedia.scraping import STATUSES

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "scrape.md"


@pytest.fixture(scope="module")
def page() -> str:
    return _PAGE.read_text(encoding="utf-8")


def _rows(page: str, head: str) -> list[list[str]]:
    """Returns the cells of the table whose head starts so."""
    table = page.partition(f"\n| {head} |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


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
