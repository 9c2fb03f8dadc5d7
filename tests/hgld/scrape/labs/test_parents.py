"""The parents of the lab's categories, from a real MediaWiki and from its tables.

The lab's own categories lie in one other, of no page; those of this test lie in several, hidden and
redirected ones among them, and in each other.
"""

import csv
import gzip
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import requests

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.parents.stage import ParentsConfig, run_parents
from hgld.scrape.stage import run_scrape
from hgld.tables import CATEGORIES, CLASSES, PARENTS
from tests.worlds.second_lab.files import Trap, write_lab
from tests.worlds.wikimedia.dump_writer import table_rows, write_database, write_lab_entities
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.lab import Lab, lagging, serving_lab

pytestmark = pytest.mark.mediawiki

_LINKS: dict[str, list[str]] = {
    "San Vigilio": ["Churches in Bergamo", "Bergamo", "Pages with maps", "Old churches"],
    "Rocca di Bergamo": ["Castles in Bergamo", "Hidden by its template"],
    "Tower of Gombito": ["Ring X"],
    "Nameless": [],
    "Churches in Bergamo": ["Churches in Lombardy", "Buildings in Bergamo", "Bergamo"],
    "Castles in Bergamo": ["Castles in Lombardy", "Buildings in Bergamo", "Pages with maps"],
    "Ring X": ["Ring Y", "Ring X"],
    "Ring Y": ["Ring X", "Tower of Gombito"],
    "Churches in Lombardy": ["Churches in Italy"],
    "Kirche_mit_Ümläuten & 'Zeichen' (日本)": ['Café, "bar" & more', "Churches: a list"],
    'Café, "bar" & more': ["ünter"],
    "In many": [f"Many {number:03d}" for number in range(620)],
    "Many 000": ["Churches in Italy"],
    "Many 019": ["Castles in Lombardy"],
    "Many 020": ["Not climbed to"],
}
"""Title to the categories that it is in, without their namespace."""

_TEXTS = {
    "Category:Pages with maps": "__HIDDENCAT__",
    "Template:Hidden category": "__HIDDENCAT__",
    "Category:Hidden by its template": "{{Hidden category}}",
    "Category:Old churches": "#REDIRECT [[:Category:Churches in Lombardy]]",
}

_FOUND: dict[str, tuple[list[str], list[str]]] = {
    # `Bergamo` is in nothing: it has no page. `Old churches` leads to those in Lombardy.
    "Category:San Vigilio": (
        ["Bergamo", "Churches in Bergamo", "Old churches"],
        ["Buildings in Bergamo", "Churches in Italy", "Churches in Lombardy"],
    ),
    "Category:Rocca di Bergamo": (
        ["Castles in Bergamo"],
        ["Buildings in Bergamo", "Castles in Lombardy"],
    ),
    "Category:Tower of Gombito": (["Ring X"], ["Ring Y"]),
    "Category:Nameless": ([], []),
    "Category:Kirche mit Ümläuten & 'Zeichen' (日本)": (
        ['Café, "bar" & more', "Churches: a list"],
        ["Ünter"],
    ),
    "Category:In many": (
        [f"Many {number:03d}" for number in range(620)],
        ["Castles in Lombardy", "Churches in Italy"],
    ),
}
"""Title to what must be found: parents and grandparents. They are the landmarks."""


def _with_pages() -> list[Trap]:
    pages = {
        f"Category:{title.replace('_', ' ')}": "\n".join(
            ["A page.", *(f"[[Category:{name}]]" for name in names)]
        )
        for title, names in _LINKS.items()
    }
    # Rocca has an item and a class: it is one of the sample.
    return [
        Trap(
            name="all",
            url="",
            pages=pages,
            items={"Category:Rocca di Bergamo": "Q900"},
            facts={"Q900": "P31:Q23413", "Q23413": "P31:Q5"},
        )
    ]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parents-lab")
    write_lab(folder, _with_pages(), _TEXTS, {"Q23413": {"en": "castle"}})
    return folder


@pytest.fixture(scope="module")
def parents_lab(shared: Path, content: Path) -> Iterator[Lab]:
    with serving_lab(shared, content) as running:
        yield running


@pytest.fixture(scope="module")
def scraped(parents_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Their scrape, without parents."""
    folder = tmp_path_factory.mktemp("scraped")
    workspace = Workspace(folder / "build")
    run_scrape(workspace, _config(parents_lab), _landmarks(folder))
    return workspace


@pytest.fixture
def build(scraped: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return Workspace(shutil.copytree(scraped.root, tmp_path / "build"))


def _landmarks(folder: Path) -> Path:
    path = folder / "categories.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["landmark_id", "category"])
        for number, title in enumerate(_FOUND):
            address = quote(title.replace(" ", "_"), safe=":")
            writer.writerow([number, f"http://commons.wikimedia.org/wiki/{address}"])
    return path


def _config(lab: Lab, **settings: Any) -> ScrapeConfig:  # noqa: ANN401 - any setting
    return ScrapeConfig(commons=lab.commons, sparql=lab.sparql, **settings)


def _found(workspace: Workspace) -> dict[str, tuple[list[str], list[str]]]:
    rows = workspace.read(PARENTS).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    assert all(row["fetched_at"] is not None for row in rows)
    return {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}


def _requests(lab: Lab) -> int:
    return (lab.folder / "server.log").read_text().count("POST /w/api.php")


def test_every_category_has_its_parents_and_theirs(parents_lab: Lab, build: Workspace) -> None:
    run_parents(build, ParentsConfig(), _config(parents_lab))
    assert _found(build) == _FOUND


def test_an_answer_of_a_page_in_many_categories_is_continued_and_counted(
    parents_lab: Lab,
    build: Workspace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "hgld.scrape")
    before = _requests(parents_lab)
    run_parents(build, ParentsConfig(), _config(parents_lab))
    asked = _requests(parents_lab) - before
    # The first level goes on once; the second, of 35 titles, fits.
    chunks = [len(one.answer) for one in kept_answers(build.path(COMMONS_PARENTS))]
    assert chunks == [2, 1]
    pages = kept_answers(build.path(COMMONS_PARENTS))[0].answer[0]["query"]["pages"]
    assert all(page["revisions"][0]["revid"] for page in pages)
    assert asked == sum(chunks)
    assert f"parents: {asked} requests were answered" in caplog.text


def test_the_size_of_the_batches_and_a_lag_change_no_row(
    parents_lab: Lab, build: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with lagging(parents_lab, caplog):
        config = _config(parents_lab, titles_per_request=2, requests_at_once=3)
        run_parents(build, ParentsConfig(), config)
    assert "answered 200 OK, to come back later" in caplog.text
    assert _found(build) == _FOUND


def test_a_replay_gives_the_same_bytes_and_makes_no_request(
    parents_lab: Lab, build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_parents(build, ParentsConfig(), _config(parents_lab))
    (shard,) = build.shards(PARENTS)
    before = shard.read_bytes()
    shard.unlink()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay opened a connection")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)
    run_parents(build, ParentsConfig(), _config(parents_lab, replay=True))
    assert shard.read_bytes() == before


def test_the_tables_of_a_real_mediawiki_give_what_its_api_gives(
    parents_lab: Lab, content: Path, build: Workspace, tmp_path: Path
) -> None:
    run_parents(build, ParentsConfig(), _config(parents_lab))
    live = table_rows(build, PARENTS)
    folder = tmp_path / "dumps"
    folder.mkdir()
    write_database(parents_lab.folder / "data" / "commons.sqlite", folder)
    write_lab_entities(folder, content)
    run_parents(build, ParentsConfig(), ScrapeConfig(dumps=folder))
    assert table_rows(build, PARENTS) == live


def test_the_categories_of_the_first_lab_end_with_their_answer(
    lab: Lab, shared: Path, workspace: Workspace
) -> None:
    config = _config(lab)
    run_scrape(workspace, config, shared / "wikimedia_lab" / "train_label_to_category.csv")
    run_parents(workspace, ParentsConfig(), config)
    rows = workspace.read(PARENTS).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    told = {row["page_title"]: row["parents"] for row in rows}
    with_class = {row["landmark_id"] for row in workspace.read(CLASSES).to_pylist()}
    without = {
        row["page_title"]
        for row in workspace.read(CATEGORIES).to_pylist()
        if row["page_title"] and row["landmark_id"] not in with_class
    }
    assert without
    assert without < told.keys()
    assert len(told.keys() - without) == 100
    assert told == _told_by_its_pages(shared, list(told))


def _told_by_its_pages(shared: Path, titles: Sequence[str]) -> Mapping[str, list[str]]:
    """Returns title to the categories that the page's text names."""
    data = gzip.decompress((shared / "wikimedia_lab" / "pages.xml.gz").read_bytes())
    space = "{http://www.mediawiki.org/xml/export-0.11/}"
    pages = {
        page.findtext(f"{space}title", ""): page.findtext(f"{space}revision/{space}text", "")
        for page in ElementTree.fromstring(data).iter(f"{space}page")  # noqa: S314 - the lab's own
    }
    return {
        title: sorted(set(re.findall(r"\[\[Category:([^\]|]+)", pages[title]))) for title in titles
    }
