"""The lab as dump files, and the tables of a real MediaWiki: every row of the answer key."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, CLASS_EVIDENCE, CLASSES, SUPERCLASSES
from tests.worlds.wikimedia.dump_writer import (
    table_rows,
    write_database,
    write_lab_dumps,
    write_lab_entities,
)
from tests.worlds.wikimedia.lab import Lab


@pytest.fixture(scope="session")
def lab_dumps(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's pages and items as dumps."""
    folder = tmp_path_factory.mktemp("lab-dumps")
    write_lab_dumps(folder, shared / "wikimedia_lab")
    return folder


def test_every_row_of_the_labs_answer_key_is_reproduced(
    lab_dumps: Path, shared: Path, workspace: Workspace
) -> None:
    lab = shared / "wikimedia_lab"
    run_scrape(workspace, ScrapeConfig(dumps=lab_dumps), lab / "train_label_to_category.csv")
    assert _got(workspace) == _answer_key(lab)


@pytest.mark.parametrize("lacking", ["all.json", "truthy.nt", "pagelinks.sql"])
def test_what_fewer_dumps_cannot_tell_is_told_in_the_row(
    shared: Path, tmp_path: Path, workspace: Workspace, lacking: str
) -> None:
    lab, folder = shared / "wikimedia_lab", tmp_path / "dumps"
    write_lab_dumps(folder, lab)
    next(folder.glob(f"*-{lacking}.gz")).unlink()
    run_scrape(workspace, ScrapeConfig(dumps=folder), lab / "train_label_to_category.csv")
    cases = [row["case"] for row in _expected(lab)]
    other = {
        case
        for case, got, key in zip(cases, _got(workspace), _answer_key(lab), strict=True)
        if got != key
    }
    expected = {
        "all.json": set(),  # ranks are another column
        "truthy.nt": {"merged_item"},
        "pagelinks.sql": {"soft_redirect", "redirect_loop"},
    }
    assert other == expected[lacking]
    errors = [row["error"] for row in workspace.read(CATEGORIES).to_pylist()]
    assert all(error for case, error in zip(cases, errors, strict=True) if case in other)


@pytest.mark.mediawiki
def test_the_tables_of_a_real_mediawiki_give_what_its_api_gives(
    lab: Lab, shared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    write_database(lab.folder / "data" / "commons.sqlite", folder)
    write_lab_entities(folder, shared / "wikimedia_lab")
    categories = shared / "wikimedia_lab" / "train_label_to_category.csv"
    live, local = Workspace(tmp_path / "live"), Workspace(tmp_path / "local")
    run_scrape(local, ScrapeConfig(dumps=folder), categories)
    assert _got(local) == _answer_key(shared / "wikimedia_lab")
    run_scrape(live, ScrapeConfig(commons=lab.commons, sparql=lab.sparql), categories)
    for dataset in (CATEGORIES, CLASSES, SUPERCLASSES, CLASS_EVIDENCE):
        assert table_rows(local, dataset) == table_rows(live, dataset)


def _got(workspace: Workspace) -> list[tuple[str, ...]]:
    classes: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in workspace.read(CLASSES).to_pylist():
        classes[row["landmark_id"]].append((row["class_qid"], row["class_label"]))
    return [
        (
            *(row["category"], row["status"], row["page_title"] or "", row["qid"] or ""),
            *_sorted(classes[row["landmark_id"]]),
        )
        for row in workspace.read(CATEGORIES).to_pylist()
    ]


def _answer_key(lab: Path) -> list[tuple[str, ...]]:
    return [
        (
            *(row["category"], row["status"], row["page_title"], row["qid"]),
            *_sorted(zip(row["p31_qids"].split("|"), row["p31_labels"].split("|"), strict=True)),
        )
        for row in _expected(lab)
    ]


def _expected(lab: Path) -> list[dict[str, str]]:
    with (lab / "expected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _sorted(classes: Iterable[tuple[str, str]]) -> tuple[str, str]:
    pairs = sorted(classes)
    return "|".join(qid for qid, _ in pairs), "|".join(label for _, label in pairs)
