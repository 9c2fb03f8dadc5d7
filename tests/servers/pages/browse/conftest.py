"""The pages of a small data set with hostile names, served and written."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hgld.pages.browse.site import write_site
from tests.benchmarks.retrieval.made_up import results_of
from tests.hgld.pages.browse.world import write_hostile
from tests.servers.pages.report.test_report_pages import report_of
from tests.servers.pages.serving import data_set_served, folder_served
from tests.worlds.commands.once import made_once

COUNTRY = "countries/img-src-x-onerror-window-hacked-1"
PAGES = (
    *("index.html", "labels/church/index.html", "changes/index.html", "downloads.html"),
    *("landmarks/train/1.html", "landmarks/train/4.html", "search.html?q=c", "search.html?q=zzzz"),
    *("map/index.html", "labels/church/map.html", f"{COUNTRY}/index.html"),
)
REPORT = f"benchmarks/{'long' * 30}/report.html"
LARGE = ("index.html", "landmarks/church/index.html#train-1", "map/index.html")
SETTLED = "() => !location.search || document.querySelector('#found :is(h2, .empty)')"
"""What was searched for is there."""


class Shown(NamedTuple):
    """Where a data set is shown, and one page of each kind."""

    url: str
    pages: tuple[str, ...]


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose names are long, or attacks; `site` and `large` beside it are sites of it."""

    def make(folder: Path) -> None:
        write_hostile(folder / "build")
        (report := folder / "build" / REPORT).parent.mkdir(parents=True)
        report.write_text(report_of(results_of("x", is_drawn=True)), encoding="utf-8")
        write_site(folder / "build", folder / "site")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hgld.pages.browse.site.OWN_PAGES", 0)
            patch.setattr("hgld.pages.browse.search.MOST_OF_PART", 2)
            write_site(folder / "build", folder / "large")

    return made_once(tmp_path_factory, "hostile", make)


@pytest.fixture(scope="session")
def shown(hostile: Path, request: pytest.FixtureRequest) -> Iterator[Shown]:
    """The pages of a server, of a site that is opened as files, or of a large site.

    On the large site landmarks share pages, and the index has many parts.
    """
    if request.param == "files":
        yield Shown((hostile / "site").as_uri(), PAGES)
    elif request.param == "server":
        with data_set_served(hostile / "build") as url:
            yield Shown(url, (*PAGES, "reports.html", REPORT))
    else:
        with folder_served(hostile / "large") as url:
            yield Shown(url, LARGE)
