"""The scrape of a second lab: traps that the first has not, through the same real servers."""

import csv
import dataclasses
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_WIKITEXT
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, CLASS_EVIDENCE, CLASSES, SUPERCLASSES
from tests.worlds.second_lab import GONE, TRAPS, write_second_lab
from tests.worlds.second_lab.evidence import evidence_key
from tests.worlds.second_lab.files import Row, Trap
from tests.worlds.second_lab.gone import Step, errors, steps
from tests.worlds.wikimedia.dump_writer import table_rows, write_database, write_lab_entities
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.lab import Lab, lagging, serving_lab
from tests.worlds.wikimedia.virtuoso import serving_virtuoso

pytestmark = pytest.mark.mediawiki


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Row], Path]:
    """The answer key, by trap, and the folder of the lab's files."""
    folder = tmp_path_factory.mktemp("second-lab")
    return write_second_lab(folder), folder


@pytest.fixture(scope="module")
def second_lab(shared: Path, key: tuple[dict[str, Row], Path]) -> Iterator[Lab]:
    with serving_lab(shared, key[1]) as running:
        for step in steps():
            _move_and_delete(running, step)
        yield running


def _move_and_delete(lab: Lab, at_once: Sequence[Step]) -> None:
    """Moves and deletes pages as an administrator does, so that MediaWiki writes its log."""
    scripts = {
        "move": ("moveBatch", "--noredirects"),
        "move and redirect": ("moveBatch",),
        "delete": ("deleteBatch",),
    }
    for kind, script in scripts.items():
        lines = ["|".join(filter(None, titles)) for done, *titles in at_once if done == kind]
        if not lines:
            continue
        batch = lab.folder / "batch.txt"
        batch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        run = ["php", "/usr/share/mediawiki/maintenance/run.php", *script, str(batch)]
        config = {"MW_CONFIG_FILE": str(lab.folder / "conf" / "LocalSettings.php")}
        done = subprocess.run(
            run, env={**os.environ, **config}, capture_output=True, text=True, check=True
        )
        assert "rror" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def scraped(second_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The second lab, scraped with the default settings."""
    return _scrape(second_lab, tmp_path_factory.mktemp("scraped"))


def test_no_trap_is_fallen_into(scraped: Workspace, key: tuple[dict[str, Row], Path]) -> None:
    assert _wrong(scraped, TRAPS, key[0]) == {}


def test_the_evidence_of_every_class_is_what_the_best_statements_say(scraped: Workspace) -> None:
    rows = scraped.read(CLASS_EVIDENCE).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    found = [(row["class_qid"], row["property"], row["value"]) for row in rows]
    assert set(found) == evidence_key()
    assert len(found) == len(set(found))


def test_an_answer_that_is_continued_is_read_to_its_end(scraped: Workspace) -> None:
    chunks = [len(one.answer) for one in kept_answers(scraped.path(COMMONS_WIKITEXT))]
    assert sorted(chunks)[-1] == 2


def test_categories_that_are_gone_are_followed_through_the_log(
    second_lab: Lab, key: tuple[dict[str, Row], Path], tmp_path: Path
) -> None:
    config = ScrapeConfig(commons=second_lab.commons, sparql=second_lab.sparql, follow_moves=True)
    workspace = Workspace(tmp_path / "build")
    run_scrape(workspace, config, _categories(tmp_path, GONE))
    assert _wrong(workspace, GONE, key[0]) == {}
    said = workspace.read(CATEGORIES)["error"].to_pylist()
    assert {trap.name: error or "" for trap, error in zip(GONE, said, strict=True)} == errors()


def test_categories_that_are_gone_are_no_pages_where_the_log_is_not_asked_for(
    second_lab: Lab, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "build")
    config = ScrapeConfig(commons=second_lab.commons, sparql=second_lab.sparql)
    run_scrape(workspace, config, _categories(tmp_path, GONE))
    rows = _rows(workspace, GONE)
    there = {name for name, row in rows.items() if row.status != "no_page"}
    assert there == {"gone: moved there and back"}


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


def test_another_sparql_engine_gives_the_same_rows(
    second_lab: Lab, key: tuple[dict[str, Row], Path], scraped: Workspace, tmp_path: Path
) -> None:
    with serving_virtuoso(tmp_path, key[1] / "wikidata.nt.gz") as sparql:
        again = _scrape(dataclasses.replace(second_lab, sparql=sparql), tmp_path)
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
    assert _wrong(workspace, TRAPS, key[0]).keys() == _IN_TEXTS_ALONE
    rows = workspace.read(CLASS_EVIDENCE).to_pylist()
    assert {(row["class_qid"], row["property"], row["value"]) for row in rows} == evidence_key()


_IN_TEXTS_ALONE = {
    # The template links to Category:Category:Castle, or makes no link at all.
    "soft redirect: namespace",
    "soft redirect: colon and namespace",
    # Links to several categories.
    "soft redirect: reason",
    "soft redirect: link in the reason",
    "soft redirect: another template before",
    "soft redirect: many links",
    # MediaWiki keeps no link of a page to itself.
    "end: soft to itself",
    "end: soft to itself in another case",
}


def _wrong(
    workspace: Workspace, traps: Sequence[Trap], key: dict[str, Row]
) -> dict[str, tuple[Row, Row]]:
    """Returns trap to the row that is there and the right one, where they differ."""
    rows = _rows(workspace, traps)
    return {name: (row, key[name]) for name, row in rows.items() if row != key[name]}


def _categories(folder: Path, traps: Sequence[Trap] = TRAPS) -> Path:
    path = folder / "categories.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["landmark_id", "category"])
        writer.writerows(enumerate(trap.url for trap in traps))
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


def _rows(workspace: Workspace, traps: Sequence[Trap]) -> dict[str, Row]:
    """Returns trap to what is compared of its row."""
    classes: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in workspace.read(CLASSES).to_pylist():
        classes[row["landmark_id"]].add((row["class_qid"], row["class_label"]))
    return {
        traps[row["landmark_id"]].name: Row(
            row["status"],
            row["page_title"] or "",
            row["qid"] or "",
            frozenset(classes[row["landmark_id"]]),
        )
        for row in workspace.read(CATEGORIES).to_pylist()
    }


def _tables(workspace: Workspace) -> list[list[dict[str, Any]]]:
    datasets = (CATEGORIES, CLASSES, SUPERCLASSES, CLASS_EVIDENCE)
    return [table_rows(workspace, dataset) for dataset in datasets]
