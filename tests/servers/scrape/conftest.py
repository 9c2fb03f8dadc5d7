"""The landmarks of the lab, and what a real scrape of them must find."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.stage import run_scrape
from hgld.tables import CATEGORIES, CLASSES
from tests.worlds.commands.once import made_once
from tests.worlds.second_lab import TRAPS, second_key
from tests.worlds.second_lab.files import Row
from tests.worlds.wikimedia.lab import Lab
from tests.worlds.wikimedia.virtuoso import serving_virtuoso

Key = dict[str, Row]
"""Address of a category to what its row must be."""


@pytest.fixture(scope="session")
def key(shared: Path) -> Key:
    """The right row of each landmark of `landmarks`, in order: the first lab's, then the traps."""
    traps = second_key()
    return first_key(shared) | {trap.url: traps[trap.name] for trap in TRAPS}


def first_key(shared: Path) -> Key:
    with (shared / "wikimedia_lab" / "expected.csv").open(encoding="utf-8", newline="") as file:
        return {row["category"]: _row_of(row) for row in csv.DictReader(file)}


def _row_of(row: dict[str, str]) -> Row:
    qids, labels = (list(filter(None, row[name].split("|"))) for name in ("p31_qids", "p31_labels"))
    classes = frozenset(zip(qids, labels, strict=True))
    return Row(row["status"], row["page_title"], row["qid"], classes)


@pytest.fixture(scope="session")
def scraped(lab: Lab, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A scrape of all landmarks, made once; for reading only."""
    folder = made_once(tmp_path_factory, "lab-scrape", lambda folder: scrape_lab(lab, folder, key))
    return Workspace(folder / "build")


@pytest.fixture(scope="session")
def virtuoso(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a second SPARQL engine with the lab's items."""
    folder = tmp_path_factory.mktemp("virtuoso")
    triples = (lab.content / f"{name}.nt.gz" for name in ("wikidata", "facts"))
    with serving_virtuoso(folder, *triples) as address:
        yield address


def scrape_lab(lab: Lab, folder: Path, urls: Iterable[str], **settings: Any) -> Workspace:  # noqa: ANN401
    """Scrapes categories into the build `build` of a folder."""
    workspace, path = Workspace(folder / "build"), folder / "landmarks.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["landmark_id", "category"])
        writer.writerows(enumerate(urls))
    config = ScrapeConfig(**{"commons": lab.commons, "sparql": lab.sparql, **settings})
    run_scrape(workspace, config, path)
    return workspace


def found_rows(workspace: Workspace, urls: Sequence[str]) -> Key:
    """Returns address to what is compared of its row."""
    classes: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in workspace.read(CLASSES).to_pylist():
        classes[row["landmark_id"]].add((row["class_qid"], row["class_label"]))
    return {
        urls[row["landmark_id"]]: Row(
            row["status"],
            row["page_title"] or "",
            row["qid"] or "",
            frozenset(classes[row["landmark_id"]]),
        )
        for row in workspace.read(CATEGORIES).to_pylist()
    }


def wrong_rows(workspace: Workspace, key: Key) -> dict[str, tuple[Row, Row]]:
    """Returns address to the row that is there and the right one, where they differ."""
    rows = found_rows(workspace, list(key))
    assert rows.keys() == key.keys()
    return {url: (row, key[url]) for url, row in rows.items() if row != key[url]}
