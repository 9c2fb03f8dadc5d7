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


_PAGES = {
    "page": {
        "home": "/",
        "label": "/labels/church",
        "landmark": "/landmarks/train/1",
        "unlabelled": "/landmarks/train/4",
        "search": "/search?q=c",
        "changes": "/changes",
        "downloads": "/downloads",
        "found": "/search?q=zzzz",
    },
    "site": {
        "home": "/",
        "label": "/labels/church/",
        "landmark": "/landmarks/train/0/1.html",
        "search": "/search.html?q=c",
    },
    "many": {"landmark": "/landmarks/church/#train-1"},
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
def shown(hostile: Path, request: pytest.FixtureRequest) -> Iterator[Shown]:
    """As the page of a server, as a site of files, or as a large site is.

    There landmarks share pages, and the index is in parts.
    """
    served = data_set_served if request.param == "page" else folder_served
    folder = "build" if request.param == "page" else request.param
    with served(hostile / folder) as url:
        yield Shown(url, _PAGES[request.param])
