"""What a reader does: goes into the hierarchy, searches, follows the chain, with and without scripts."""

import pytest

from tests.servers.pages.browse.conftest import SETTLED, Shown
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import IS_SAFE


@pytest.mark.parametrize("shown", ["page", "site", "many"], indirect=True)
def test_names_that_are_scripts_are_text_wherever_they_stand(shown: Shown, opener: Opener) -> None:
    page = opener(shown.url)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    seen = 0
    for path in shown.pages.values():
        page.goto(shown.url + path)
        page.wait_for_function(SETTLED)
        assert page.evaluate(IS_SAFE) == [0, [], 0], path
        seen += page.inner_text("main").count("window.hacked")
    assert seen  # they were there


@pytest.mark.parametrize("shown", ["page", "site"], indirect=True)
def test_the_hierarchy_leads_to_the_chain_without_scripts(shown: Shown, opener: Opener) -> None:
    page = opener(shown.url, java_script_enabled=False)
    assert not page.locator("#map").is_visible()
    page.click("a.card-link:has-text('church')")
    page.click("a.card-link:has-text('<img')")
    steps = page.locator("article").filter(has_text="Train landmark 1").locator(".chain h3")
    steps.first.wait_for()
    assert [text.split(" instance")[0] for text in steps.all_inner_texts()] == [
        *("Category", "Page and revision", "Item", "Classes", "Decision", "Rule", "Label"),
    ]
    assert page.locator("figure img").first.evaluate("(one) => one.naturalWidth") > 0
    page.click("nav >> text=Downloads")
    with page.expect_download() as fetched:
        page.click("text=releases.json")
    assert fetched.value.suggested_filename == "releases.json"


QUERIES: dict[str, tuple[set[str], set[str]]] = {
    "church": ({"train 1", "train 2"}, {"church"}),
    "parish onerror": ({"train 1"}, set()),
    "Q16970": ({"train 2"}, set()),
    "\u00c9": ({"index 2"}, set()),
    "zzzz": (set(), set()),
}


@pytest.mark.parametrize("shown", ["page", "site", "many"], indirect=True)
def test_the_search_finds_the_same_on_the_page_and_the_site(shown: Shown, opener: Opener) -> None:
    page = opener(shown.url)
    for query, (landmarks, labels) in QUERIES.items():
        page.goto(shown.url)
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
