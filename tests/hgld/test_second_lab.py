"""The scrape of a second lab: traps that the first has not, through the same real servers."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hgld.scrape import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, CLASSES, SUPERCLASSES
from hgld.workspace import Workspace
from tests.dump_writer import table_rows, write_database, write_lab_entities
from tests.second_lab import TRAPS, write_second_lab
from tests.second_lab.files import Row
from tests.wikimedia import Lab, lagging, serving_lab

pytestmark = pytest.mark.mediawiki


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Row], Path]:
    """The answer key, by trap, and the folder of the lab's files."""
    folder = tmp_path_factory.mktemp("second-lab")
    return write_second_lab(folder), folder


@pytest.fixture(scope="module")
def second_lab(shared: Path, key: tuple[dict[str, Row], Path]) -> Iterator[Lab]:
    with serving_lab(shared, key[1]) as running:
        yield running


@pytest.fixture(scope="module")
def scraped(second_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The second lab, scraped with the default settings."""
    return _scrape(second_lab, tmp_path_factory.mktemp("scraped"))


def test_no_trap_is_fallen_into(scraped: Workspace, key: tuple[dict[str, Row], Path]) -> None:
    rows = _rows(scraped)
    wrong = {name: (rows[name], row) for name, row in key[0].items() if rows[name] != row}
    assert wrong == {}  # trap to (got, right)


def test_the_size_of_the_batches_changes_no_row(
    second_lab: Lab, scraped: Workspace, tmp_path: Path
) -> None:
    again = _scrape(second_lab, tmp_path, titles=3, items=2)
    assert len(list(again.path("raw/commons-pages").iterdir())) > len(TRAPS) / 10
    assert _tables(again) == _tables(scraped)


def test_a_lag_that_is_waited_for_changes_no_row(
    second_lab: Lab, scraped: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with lagging(second_lab, caplog):
        again = _scrape(second_lab, tmp_path)
    assert "answered 200 OK, to come back later" in caplog.text
    assert _tables(again) == _tables(scraped)


def test_the_dumps_of_the_second_lab_say_the_same_but_for_what_is_in_texts_alone(
    second_lab: Lab, key: tuple[dict[str, Row], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    write_database(second_lab.folder / "data" / "commons.sqlite", folder)
    write_lab_entities(folder, key[1])
    workspace = Workspace(tmp_path / "build")
    run_scrape(workspace, ScrapeConfig(dumps=folder), _categories(tmp_path))
    rows = _rows(workspace)
    assert {name for name, row in key[0].items() if rows[name] != row} == _IN_TEXTS_ALONE


_IN_TEXTS_ALONE = {
    # The template links to Category:Category:Castle, or makes no link at all.
    "soft redirect: namespace",
    "soft redirect: colon and namespace",
    # Links to several categories.
    "soft redirect: reason",
    "soft redirect: link in the reason",
    "soft redirect: another template before",
    # MediaWiki keeps no link of a page to itself.
    "end: soft to itself",
    "end: soft to itself in another case",
}


def _categories(folder: Path) -> Path:
    path = folder / "categories.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["landmark_id", "category"])
        writer.writerows(enumerate(trap.url for trap in TRAPS))
    return path


def _scrape(lab: Lab, folder: Path, *, titles: int = 50, items: int = 500) -> Workspace:
    workspace = Workspace(folder / "build")
    config = ScrapeConfig(
        commons=lab.commons,
        sparql=lab.sparql,
        titles_per_request=titles,
        items_per_request=items,
    )
    run_scrape(workspace, config, _categories(folder))
    return workspace


def _rows(workspace: Workspace) -> dict[str, Row]:
    """Returns trap to what is compared of its row."""
    classes: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in workspace.read(CLASSES).to_pylist():
        classes[row["landmark_id"]].add((row["class_qid"], row["class_label"]))
    return {
        TRAPS[row["landmark_id"]].name: Row(
            row["status"],
            row["page_title"] or "",
            row["qid"] or "",
            frozenset(classes[row["landmark_id"]]),
        )
        for row in workspace.read(CATEGORIES).to_pylist()
    }


def _tables(workspace: Workspace) -> list[list[dict[str, Any]]]:
    return [table_rows(workspace, dataset) for dataset in (CATEGORIES, CLASSES, SUPERCLASSES)]
