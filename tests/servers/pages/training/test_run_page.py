"""The page of a run in a browser: read by everybody, and in its place after it reloads."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, NARROW, PICTURE, UNFOLD, troubles
from tests.training.watching.curves import Log, good_log

if TYPE_CHECKING:
    from playwright.sync_api import Page

Writer = Callable[..., Path]
HOSTILE = "<i>Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch</i>"


@pytest.fixture(scope="session")
def write() -> Writer:
    """Writes the page of a run with two queries and what they find: right, half right and wrong."""
    from hgld.training.watching.page import write_run_page
    from hgld.training.watching.retrieved import RetrievedPicture, RetrievedRow

    titles = ("landmark", "super-category", "natural or human-made")

    def picture(name: str, *shares: bool) -> RetrievedPicture:
        labels = (f"{HOSTILE} {name}", "church", "human-made")
        return RetrievedPicture(uri=PICTURE, image_id=name, labels=labels, shares=shares)

    found = (
        picture("right", True, True, True),
        picture("near", False, True, True),
        picture("wrong", False, False, False),
    )
    query = picture("query", True, True, True)
    rows = [RetrievedRow(levels=titles, query=query, h_ap=0.5, found=found)] * 2
    settings = {"name": HOSTILE, "weights": "a path of many letters/" * 8, "batch_size": 8}

    def write(folder: Path, lines: Log, *, is_running: bool) -> Path:
        write_run_page(
            folder,
            settings=settings,
            lines=lines,
            retrieved=rows,
            steps=10_000,
            is_running=is_running,
        )
        return folder / "run.html"

    return write


def held(opener: Opener, path: Path) -> "Page":
    """Opens a page whose clock goes on when the test says so."""
    page = opener("about:blank", viewport=NARROW)
    page.clock.install()
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    write: Writer, opener: Opener, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    # Images that all look the same, so that there is something to say, and an odd name.
    lines = [{**line, "mean_similarity": 0.99, f"{HOSTILE}_loss": 1.0} for line in good_log(80)]
    path = write(tmp_path / HOSTILE.replace("/", "-"), lines, is_running=True)
    page = opener(path.as_uri(), viewport=size, color_scheme=scheme)
    page.evaluate(UNFOLD)
    found = troubles(
        page,
        whole="h1, h2, h3, p, li, dd, dt, .note, .value, .what, td, th",
        apart=".headline li, .chart, .row, .health li, .card, #reload",
        columns="h1, h2, h3, p, .note, .what, .health li",
    )
    assert found == {}
    assert page.locator(".health li").count()
    # Texts at the axes stand apart.
    assert troubles(page, apart=".chart:first-child .frame text", asks_axe=False) == {}


def test_it_reloads_itself_and_keeps_what_is_open_and_where_one_is(
    write: Writer, opener: Opener, tmp_path: Path
) -> None:
    path = write(tmp_path / "run", good_log(30), is_running=True)
    page = held(opener, path)
    page.locator("#values-loss summary").click()
    page.evaluate("scrollTo(0, 900)")
    write(tmp_path / "run", good_log(40), is_running=True)
    with page.expect_navigation():
        page.clock.run_for(15_500)
    assert "step 400 of 10,000" in page.inner_text("header")
    assert page.evaluate("scrollY") == 900
    assert page.locator("#values-loss").get_attribute("open") is not None

    # Whoever reads can have it stay; it does, after a reload by hand too.
    page.locator("#reload input").uncheck()
    page.reload()
    page.clock.run_for(60_000)
    assert not page.locator("#reload input").is_checked()

    page.locator("#reload input").check()
    write(tmp_path / "run", good_log(60), is_running=False)
    with page.expect_navigation():
        page.clock.run_for(15_500)
    assert "stopped" in page.inner_text("header")


def test_it_doubts_that_a_run_is_under_way_when_nothing_is_written_and_needs_no_scripts(
    write: Writer, opener: Opener, tmp_path: Path
) -> None:
    path = write(tmp_path / "run", good_log(30), is_running=True)
    assert not held(opener, path).locator("#doubt").is_visible()
    plain = opener(path.as_uri(), java_script_enabled=False)
    assert plain.locator("meta[http-equiv=refresh]").count() == 1
    assert not plain.locator("#reload").is_visible()
    old = path.read_text(encoding="utf-8").replace('datetime="20', 'datetime="19')
    path.write_text(old, encoding="utf-8")
    assert "stopped" in held(opener, path).inner_text("#doubt")
