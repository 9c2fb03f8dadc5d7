"""Pictures of landmarks: who made them, and under which licence, can be read."""

from pathlib import Path

import pytest

from tests.servers.pages.conftest import Seats, Servers
from tests.servers.pages.looking import NARROW, WIDE, troubles
from tests.worlds.pages.pictures import call_landmarks, write_landmark_pictures
from tests.worlds.review.lists import write_small_review

AUTHOR = "Wilhelmina Featherstonehaugh-Cholmondeley of the municipal archive of Upper Heyford"
LICENCE = "Creative Commons Attribution-Share Alike 3.0 Unported"
_URL = "http://commons.wikimedia.org/wiki/Category:"


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_press_enlarges_a_picture_with_its_author_and_licence_and_arrows_go_on(
    tmp_path: Path, serve: Servers, seat: Seats, size: dict[str, int]
) -> None:
    workspace = write_small_review(tmp_path / "build")
    call_landmarks(workspace, f"{_URL}{'Cascade_of_a_long_name_' * 5}{{}}")
    write_landmark_pictures(workspace, 4, author=AUTHOR, licence=LICENCE)
    desk = seat(serve(workspace.root).url, viewport=size)
    desk.page.wait_for_selector(".picture img")
    strip = desk.tell("() => document.querySelectorAll('#rows .picture').length")
    assert strip >= 4
    desk.page.click(".picture")
    assert desk.layer == "zoom"
    for text in (AUTHOR, LICENCE, "1 of"):
        assert text in desk.page.inner_text("#zoom")
    assert troubles(desk.page, whole="#zoom p") == {}
    first = desk.page.get_attribute("#zoom img", "src")
    desk.page.keyboard.press("ArrowRight")
    assert desk.page.get_attribute("#zoom img", "src") != first
    desk.press("Escape")
    assert (desk.layer, desk.written) == ("", 0)
