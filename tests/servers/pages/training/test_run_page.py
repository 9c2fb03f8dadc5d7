"""The page of a run in a browser: read by everybody, and in its place after it reloads."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.engine.workspace import Workspace
from hgld.training.data.labels import training_images
from hgld.training.model.embedding import build_model
from hgld.training.watching.page import write_run_page
from hgld.training.watching.retrieved import RetrievedRow, retrieved_rows
from hgld.training.watching.validation import Validator
from tests.hgld.pages.looking import AXE, AXE_PROBLEMS, CUT, OVERLAPS, SIDEWAYS, SQUEEZED
from tests.training.run.test_loop import TINY
from tests.training.watching.curves import Log, good_log

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
HOSTILE = "<i>Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch</i>"
Opener = Callable[..., "Page"]


@pytest.fixture
def opener(chromium: "Browser") -> Iterator[Opener]:
    """What opens pages; what goes wrong in one, or asks for anything, fails the test."""
    watch, contexts = Watch(), []

    def opens(path: Path, **options: object) -> "Page":
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        watch.follow(context)
        page = context.new_page()
        page.clock.install()
        page.goto(path.as_uri())
        return page

    yield opens
    for context in contexts:
        context.close()
    assert watch.errors == []
    assert {address for address in watch.addresses if not address.startswith("file:")} == set()


@pytest.fixture
def rows(tiny_build: Workspace) -> list[RetrievedRow]:
    images = training_images(tiny_build)
    validation = Validator(images=images, image_size=32).measure(build_model(TINY.model))
    return retrieved_rows(validation, images, rows=2)


def written(folder: Path, lines: Log, *, is_running: bool, rows: list[RetrievedRow]) -> Path:
    settings = {"name": HOSTILE, "weights": "a path of many letters/" * 8, "batch_size": 8}
    write_run_page(
        folder, settings=settings, lines=lines, retrieved=rows, steps=10_000, is_running=is_running
    )
    return folder / "run.html"


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_read_by_everybody(
    opener: Opener, tmp_path: Path, rows: list[RetrievedRow], size: dict[str, int], scheme: str
) -> None:
    # A loss that does not move, so that there is something to say, and an odd name.
    lines = [{**line, "loss": 0.7, f"{HOSTILE}_loss": 1.0} for line in good_log(80)]
    path = written(tmp_path / HOSTILE.replace("/", "-"), lines, is_running=True, rows=rows)
    page = opener(path, viewport=size, color_scheme=scheme)
    page.screenshot(path=tmp_path / f"{size['width']}-{scheme}.png", full_page=True)
    for details in page.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(AXE_PROBLEMS) == []
    assert page.evaluate(SIDEWAYS) == []
    assert page.evaluate(CUT, "h1, h2, h3, p, li, dd, dt, .note, .value, .what, td, th") == []
    assert page.evaluate(OVERLAPS, ".facts li, .chart, .row, .health li, .card, #reload") == []
    assert page.evaluate(SQUEEZED, "h1, h2, h3, p, .note, .what, .health li") == []
    assert page.locator(".health li").first.inner_text().startswith("The loss does not fall")
    # Texts at the axes stand apart.
    assert page.evaluate(OVERLAPS, ".chart:first-child .plot text") == []


def test_it_reloads_itself_and_keeps_what_is_open_and_where_one_is(
    opener: Opener, tmp_path: Path, rows: list[RetrievedRow]
) -> None:
    path = written(tmp_path / "run", good_log(30), is_running=True, rows=rows)
    page = opener(path, viewport=NARROW)
    page.locator("#values-loss summary").click()
    page.evaluate("scrollTo(0, 900)")
    written(tmp_path / "run", good_log(40), is_running=True, rows=rows)
    with page.expect_navigation():
        page.clock.run_for(15_500)
    assert "step 400 of 10,000" in page.inner_text("header")
    assert page.evaluate("scrollY") == 900
    assert page.locator("#values-loss").get_attribute("open") is not None

    # Whoever reads can have it stay; it does, after a reload by hand too.
    page.locator("#reload input").uncheck()
    written(tmp_path / "run", good_log(50), is_running=True, rows=rows)
    page.clock.run_for(60_000)
    assert "step 400 of 10,000" in page.inner_text("header")
    page.reload()
    assert "step 500 of 10,000" in page.inner_text("header")
    assert not page.locator("#reload input").is_checked()

    page.locator("#reload input").check()
    written(tmp_path / "run", good_log(60), is_running=False, rows=rows)
    with page.expect_navigation():
        page.clock.run_for(15_500)
    assert "stopped" in page.inner_text("header")
    (tmp_path / "run/run.html").unlink()
    page.clock.run_for(120_000)
    assert "step 600 of 10,000" in page.inner_text("header")


def test_it_doubts_that_a_run_is_under_way_when_nothing_is_written(
    opener: Opener, tmp_path: Path
) -> None:
    path = written(tmp_path / "run", good_log(30), is_running=True, rows=[])
    old = path.read_text(encoding="utf-8").replace('datetime="20', 'datetime="19')
    path.write_text(old, encoding="utf-8")
    page = opener(path)
    assert "the run may have been stopped" in page.inner_text("#doubt")
    fresh = opener(written(tmp_path / "run", good_log(30), is_running=True, rows=[]))
    assert not fresh.locator("#doubt").is_visible()


def test_without_scripts_it_is_refreshed_all_the_same(opener: Opener, tmp_path: Path) -> None:
    path = written(tmp_path / "run", good_log(30), is_running=True, rows=[])
    page = opener(path, java_script_enabled=False)
    assert page.locator("meta[http-equiv=refresh]").count() == 1
    assert not page.locator("#reload").is_visible()
