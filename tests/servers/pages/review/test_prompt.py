"""What takes time from an answer, and what keys pressed ahead are about."""

import pytest

pytest.importorskip("playwright", reason="needs `pip install playwright`")

from playwright.sync_api import Route

from tests.worlds.review.desk import Desk

_SEEN = """
() => {
  const dialog = document.querySelector("dialog[open]");
  return dialog ? [undefined, "::backdrop"].map((part) => getComputedStyle(dialog, part).opacity) : [];
}
"""


def hold(desk: Desk, what: str) -> list[Route]:
    """Keeps what the page asks for from the server; returns what is held."""
    held = list[Route]()

    def keep(route: Route) -> None:  # playwright writes on it, so that a method would not do
        held.append(route)

    desk.page.route(what, keep)
    return held


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_the_browsers_back_leads_to_the_cluster_before(desk: Desk, is_reloaded: bool) -> None:
    clusters = []
    for _ in range(3):
        clusters.append(desk.group)
        desk.page.wait_for_url(f"**g={desk.group}&*")
        desk.press("]")
    assert len(set(clusters)) == 3
    desk.page.wait_for_url(f"**g={desk.group}&*")
    if is_reloaded:  # as the page does by itself when it lost the server for a while
        desk.page.reload()
    for cluster in reversed(clusters):
        desk.page.go_back()
        desk.page.wait_for_function(
            "(group) => document.getElementById('bench').dataset.group === group", arg=cluster
        )
        desk.page.wait_for_url(f"**g={cluster}&*")


def test_a_dialog_that_has_asked_is_seen_no_more_has_no_keys_and_lets_the_page_go(
    desk: Desk,
) -> None:
    held = hold(desk, "**/act")
    desk.press("X", "x", "r")
    desk.type("waterf")
    assert desk.tell(_SEEN) == ["1", "1"]
    desk.hit("Enter")
    assert set(desk.tell(_SEEN)) <= {"0"}
    desk.hit("x")  # what is pressed ahead is for the row that comes
    desk.page.wait_for_function("() => !document.querySelector('dialog[open]')")
    assert desk.focus == f"m-{desk.members()[0].qid}"
    held.pop().continue_()
    desk.wait()
    assert desk.written == 1
    row = next(row for row in desk.members() if row.has_focus)
    assert row.is_open
    assert row.is_ticked
