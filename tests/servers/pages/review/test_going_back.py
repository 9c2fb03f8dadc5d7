"""The browser's own Back."""

import pytest

from tests.worlds.review.desk import Desk


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_the_browsers_back_leads_to_the_cluster_before(desk: Desk, is_reloaded: bool) -> None:
    clusters = []
    for _ in range(3):
        clusters.append(desk.group)
        desk.press("]")
    assert len(set(clusters)) == 3
    desk.page.wait_for_url(f"**g={desk.group}*")
    if is_reloaded:  # as the page does by itself when it lost the server for a while
        desk.page.reload()
    for cluster in reversed(clusters):
        desk.page.go_back()
        desk.page.wait_for_function(
            "(group) => document.getElementById('desk').dataset.open === group", arg=cluster
        )
        desk.page.wait_for_url(f"**g={cluster}*")
