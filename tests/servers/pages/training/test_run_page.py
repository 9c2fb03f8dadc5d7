"""The page of a run in a browser: read by everybody, and in its place after it reloads."""

from pathlib import Path

import pytest

from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, NARROW, PICTURE, UNFOLD, troubles
from tests.training.run.curves import Log, good_log

HOSTILE = "<i>Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch</i>"


def write(folder: Path, lines: Log, *, is_running: bool) -> Path:
    """Writes the page of a run with two queries and what they find: right, half right and wrong."""
    from hgld.training.run.page import RetrievedPicture, RetrievedRow, write_run_page

    def picture(name: str, *shares: bool) -> RetrievedPicture:
        labels = (f"{HOSTILE} {name}", "church", "human-made")
        return RetrievedPicture(uri=PICTURE, image_id=name, labels=labels, shares=shares)

    query = picture("query", True, True, True)
    found = (query, picture("near", False, True, True), picture("wrong", False, False, False))
    titles = ("landmark", "super-category", "natural or human-made")
    write_run_page(
        folder,
        settings={"name": HOSTILE, "weights": "a path of many letters/" * 8, "batch_size": 8},
        lines=lines,
        retrieved=[RetrievedRow(levels=titles, query=query, h_ap=0.5, found=found)] * 2,
        steps=10_000,
        is_running=is_running,
    )
    return folder / "run.html"


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    opener: Opener, tmp_path: Path, size: dict[str, int], scheme: str
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
    )
    assert found == {}
    assert page.locator(".health li").count()
    # Texts at the axes stand apart.
    assert troubles(page, apart=".chart:first-child .frame text", asks_axe=False) == {}


def test_it_reloads_itself_and_keeps_what_is_open_and_where_one_is(
    opener: Opener, tmp_path: Path
) -> None:
    path = write(tmp_path / "run", good_log(30), is_running=True)
    page = opener("about:blank", viewport=NARROW)
    page.clock.install()
    page.goto(path.as_uri())
    page.locator("#values-loss summary").click()
    page.evaluate("scrollTo(0, 900)")
    write(tmp_path / "run", good_log(40), is_running=True)
    with page.expect_navigation():
        page.clock.run_for(15_500)
    assert "step 400 of 10,000" in page.inner_text("header")
    assert page.evaluate("scrollY") == 900
    assert page.locator("#values-loss").get_attribute("open") is not None

    write(tmp_path / "run", good_log(60), is_running=False)
    with page.expect_navigation():
        page.clock.run_for(15_500)
    assert "stopped" in page.inner_text("header")
