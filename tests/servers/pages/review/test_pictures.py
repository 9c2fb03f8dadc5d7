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
_CAPTIONS = "#pane-group .thumbs figcaption"
_TEXTS = f"{_CAPTIONS}, {_CAPTIONS} span"
_SEEN = f"() => [...document.querySelectorAll('{_CAPTIONS}')].map((one) => one.innerText)"


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_author_and_licence_can_be_read_on_the_screen_and_on_paper(
    tmp_path: Path, serve: Servers, seat: Seats, size: dict[str, int]
) -> None:
    workspace = write_small_review(tmp_path / "build")
    call_landmarks(workspace, f"{_URL}{'Cascade_of_a_long_name_' * 5}{{}}")
    write_landmark_pictures(workspace, 4, author=AUTHOR, licence=LICENCE)
    desk = seat(serve(workspace.root).url, viewport=size)
    desk.page.wait_for_selector(".thumbs img")
    for media in ("screen", "print"):
        desk.page.emulate_media(media=media)
        captions = desk.tell(_SEEN)
        assert captions
        for caption in captions:
            assert AUTHOR in caption.replace("\n", " ")
            assert LICENCE in caption.replace("\n", " ")
        found = troubles(desk.page, whole=_TEXTS, clipped=_TEXTS, asks_axe=media == "screen")
        assert found == {}, media
