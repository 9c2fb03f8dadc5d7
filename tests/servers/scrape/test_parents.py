"""The parents of the lab's categories, from a real MediaWiki."""

import gzip
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.parents import ParentsConfig, run_parents
from hgld.scrape.stage import run_scrape
from hgld.tables import CATEGORIES, CLASSES, PARENTS
from tests.servers.scrape.conftest import write_landmarks
from tests.worlds.second_lab.parents import FOUND_IN_LAB
from tests.worlds.wikimedia.lab import Lab
from tests.worlds.wikimedia.scraping import kept_answers


@pytest.fixture(scope="module")
def few(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A scrape of a few landmarks, without parents."""
    folder = tmp_path_factory.mktemp("few")
    workspace = Workspace(folder / "build")
    pages = (quote(title.replace(" ", "_"), safe=":") for title in FOUND_IN_LAB)
    urls = [f"http://commons.wikimedia.org/wiki/{page}" for page in pages]
    run_scrape(workspace, _config(lab), write_landmarks(folder, urls))
    return workspace


@pytest.fixture
def build(few: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return Workspace(shutil.copytree(few.root, tmp_path / "build"))


def _config(lab: Lab, **settings: Any) -> ScrapeConfig:  # noqa: ANN401 - any setting
    return ScrapeConfig(commons=lab.commons, sparql=lab.sparql, **settings)


def _found(workspace: Workspace) -> dict[str, tuple[list[str], list[str]]]:
    rows = workspace.read(PARENTS).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    assert all(row["fetched_at"] is not None for row in rows)
    return {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}


def test_every_category_has_its_parents_and_theirs_however_long_the_answer(
    lab: Lab, build: Workspace
) -> None:
    before = lab.requests()
    run_parents(build, ParentsConfig(), _config(lab))
    assert _found(build) == FOUND_IN_LAB
    # The first level goes on once; the second, of 35 titles, fits.
    kept = kept_answers(build.path(COMMONS_PARENTS))
    assert [len(one.answer) for one in kept] == [2, 1]
    assert lab.requests() - before == 3
    pages = kept[0].answer[0]["query"]["pages"]
    assert all(page["revisions"][0]["revid"] for page in pages)


def test_the_parents_of_many_categories_are_those_that_their_pages_name(
    lab: Lab, scraped: Workspace, tmp_path: Path
) -> None:
    workspace = Workspace(shutil.copytree(scraped.root, tmp_path / "build"))
    run_parents(workspace, ParentsConfig(levels=1), _config(lab))
    rows = workspace.read(PARENTS).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    with_class = {row["landmark_id"] for row in workspace.read(CLASSES).to_pylist()}
    without = {
        row["page_title"]
        for row in workspace.read(CATEGORIES).to_pylist()
        if row["page_title"] and row["landmark_id"] not in with_class
    }
    told = {row["page_title"]: row["parents"] for row in rows}
    assert without < told.keys()
    assert len(told.keys() - without) == 100
    named = _told_by_its_pages(lab.content, list(told))
    plain = {title for title, names in named.items() if names and "redirect" not in str(names)}
    assert len(plain) > 100
    assert {title: told[title] for title in plain} == {title: named[title] for title in plain}


def _told_by_its_pages(content: Path, titles: Sequence[str]) -> Mapping[str, list[str]]:
    """Returns title to the categories that the page's text names."""
    data = gzip.decompress((content / "pages.xml.gz").read_bytes())
    space = "{http://www.mediawiki.org/xml/export-0.11/}"
    pages = {
        page.findtext(f"{space}title", ""): page.findtext(f"{space}revision/{space}text", "")
        for page in ElementTree.fromstring(data).iter(f"{space}page")  # noqa: S314 - the lab's own
    }
    return {
        title: sorted(set(re.findall(r"\[\[Category:([^\]|]+)", pages.get(title, ""))))
        for title in titles
    }
