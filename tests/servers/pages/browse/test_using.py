"""What a reader does: goes into the hierarchy, searches, asks why, with and without scripts."""

import pytest

from tests.servers.pages.browse.conftest import SETTLED, Shown
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import IS_SAFE

# Links of a page that was opened as a file lead to files.
_IS_SAFE = IS_SAFE.replace("^https?:$", "^(https?|file):$")


@pytest.mark.parametrize("shown", ["server", "files", "large"], indirect=True)
def test_names_that_are_scripts_are_text_wherever_they_stand(shown: Shown, opener: Opener) -> None:
    page = opener("about:blank")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    seen = 0
    for path in shown.pages:
        page.goto(f"{shown.url}/{path}")
        page.wait_for_function(SETTLED)
        assert page.evaluate(_IS_SAFE) == [0, [], 0], path
        seen += page.inner_text("main").count("window.hacked")
    assert seen  # they were there


@pytest.mark.parametrize("shown", ["server", "files"], indirect=True)
def test_the_hierarchy_leads_to_a_label_and_its_reason_without_scripts(
    shown: Shown, opener: Opener
) -> None:
    page = opener(f"{shown.url}/index.html", java_script_enabled=False)
    page.click("a.card-link:has-text('church')")
    page.click("a.card-link:has-text('<img')")
    page.locator("#train-1 .verdict-label:has-text('church, human-made')").wait_for()
    assert page.locator(".chain dt").all_inner_texts()[0] == "Category"
    assert page.locator("figure img").first.evaluate("(one) => one.naturalWidth") > 0
    page.click(".landmark-card a")  # a similar one
    page.locator("#train-2 h1").wait_for()
    if shown.url.startswith("http"):
        page.click("nav >> text=Downloads")
        with page.expect_download() as fetched:
            page.click("text=releases.json")
        assert fetched.value.suggested_filename == "releases.json"


QUERIES: dict[str, tuple[set[str], set[str]]] = {
    "church": ({"train 1", "train 2"}, {"church"}),
    "parish onerror": ({"train 1"}, set()),
    "Q16970": ({"train 2"}, set()),
    "\u00c9\u03a3 \u0939\u093f\u0928": (
        {"index 2"},
        set(),
    ),  # an accent, a last sigma, a vowel sign
    "parish pari": ({"train 1"}, set()),  # one file for two words
    "zzzz": (set(), set()),
}


@pytest.mark.parametrize("shown", ["server", "files", "large"], indirect=True)
def test_the_search_finds_the_same_from_a_server_and_from_files(
    shown: Shown, opener: Opener
) -> None:
    page = opener("about:blank")
    for query, (landmarks, labels) in QUERIES.items():
        page.goto(f"{shown.url}/index.html")
        page.fill("#q", query)
        with page.expect_navigation():
            page.press("#q", "Enter")
        page.wait_for_selector("#found :is(.card, .empty, .found-labels)")
        told = page.locator(".landmark-card .card-counts").all_inner_texts()
        assert {text.rpartition("· ")[2] for text in told} == landmarks, query
        titles = page.locator(".found-labels a").all_text_contents()
        assert {title.rpartition("made: ")[2].strip() for title in titles} >= labels, query
        if len(landmarks) == 1:
            with page.expect_navigation():
                page.click(".landmark-card a")
            (anchor,) = ("-".join(one.split()) for one in landmarks)
            assert page.locator(f"#{anchor}").count() == 1
