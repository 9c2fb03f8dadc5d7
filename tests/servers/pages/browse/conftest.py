"""The page and the site of a small data set with hostile names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hgld.pages.browse.site.writer import SiteConfig, write_site
from tests.hgld.pages.browse.world import write_hostile
from tests.servers.pages.serving import data_set_served, folder_served
from tests.worlds.commands.once import made_once

SETTLED = "() => !document.getElementById('found')?.dataset.index || document.querySelector('#found :is(h2, .empty)')"
"""What was searched for is there."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a data set is shown, and one page of each kind."""

    url: str
    pages: dict[str, str]


_PAGE = {
    "home": "/",
    "label": "/labels/church",
    "landmark": "/landmarks/train/1",
    "unlabelled": "/landmarks/train/4",
    "search": "/search?q=c",
    "changes": "/changes",
    "downloads": "/downloads",
    "found": "/search?q=zzzz",
}
_SITE = {
    "home": "/",
    "label": "/labels/church/",
    "landmark": "/landmarks/train/0/1.html",
    "search": "/search.html?q=c",
}


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose names are long, or attacks; `page`, `site` and `many` of it beside it."""

    def make(folder: Path) -> None:
        write_hostile(folder / "build")
        write_site(folder / "build", folder / "site", SiteConfig())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hgld.pages.browse.site.writer.OWN_PAGES", 0)
            patch.setattr("hgld.pages.browse.site.search_index._MOST_OF_FILE", 1)
            write_site(folder / "build", folder / "many", SiteConfig())

    return made_once(tmp_path_factory, "hostile", make)


@pytest.fixture(scope="session")
def page(hostile: Path) -> Iterator[Shown]:
    """The data set as the page of a server."""
    with data_set_served(hostile / "build") as url:
        yield Shown(url, _PAGE)


@pytest.fixture(scope="session")
def site(hostile: Path) -> Iterator[Shown]:
    """The same as a site of files."""
    with folder_served(hostile / "site") as url:
        yield Shown(url, _SITE)


@pytest.fixture(scope="session")
def many(hostile: Path) -> Iterator[Shown]:
    """A site as a large one is: landmarks share pages, and the index is in parts."""
    with folder_served(hostile / "many") as url:
        yield Shown(url, {"landmark": "/landmarks/church/#train-1"})


@pytest.fixture(scope="session")
def shown(request: pytest.FixtureRequest) -> Shown:
    """The one of them that the test is parametrised by."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Shown)
    return found
