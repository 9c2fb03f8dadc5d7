"""Pictures of landmarks: who made them, and under which licence, can be read; damage is not seen."""

from pathlib import Path

import pytest

from hgld.tables import CATEGORIES, CLASSES, IMAGE_FILES, SUPERCLASSES
from tests.servers.pages.conftest import Seats, Servers
from tests.servers.pages.looking import NARROW, WIDE, troubles
from tests.worlds.builders import picture_row, table_of, write_metadata, write_stage
from tests.worlds.pictures import drawing, encoded
from tests.worlds.review.lists import write_small_review
from tests.worlds.watch import Watch

AUTHOR = "Wilhelmina Featherstonehaugh-Cholmondeley of the municipal archive of Upper Heyford"
LICENCE = "Creative Commons Attribution-Share Alike 3.0 Unported"
_SHOWN = 4
_URL = "http://commons.wikimedia.org/wiki/Category:"
_CAPTIONS = "#pane-group .thumbs figcaption"
_TEXTS = f"{_CAPTIONS}, {_CAPTIONS} span"
_SEEN = f"() => [...document.querySelectorAll('{_CAPTIONS}')].map((one) => one.innerText)"
_IS_ALL_THERE = """
(count) => {
  const images = [...document.querySelectorAll(".thumbs img")];
  return images.every(({ complete }) => complete) && images.filter(({ naturalWidth }) => naturalWidth).length === count
    && !images.some((one) => !one.naturalWidth && one.checkVisibility());
}
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build with a picture of each of its first landmarks."""
    workspace = write_small_review(tmp_path / "build")
    categories = workspace.read(CATEGORIES)
    place = categories.column_names.index("category")
    names = [f"{_URL}{'Cascade_of_a_long_name_' * 5}{number}" for number in range(len(categories))]
    tables = [
        (CATEGORIES, categories.set_column(place, categories.schema.field(place), [names])),
        (CLASSES, workspace.read(CLASSES)),
        (SUPERCLASSES, workspace.read(SUPERCLASSES)),
    ]
    write_stage(workspace, tables)
    images, files, authors = [], [], []
    for number in range(1, _SHOWN + 1):
        image_id = f"{number:016x}"
        path = workspace.path(f"images/train/{image_id}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(drawing(), "JPEG"))
        files.append(picture_row(workspace, image_id, f"images/train/{image_id}.jpg"))
        images.append(
            {"split": "train", "image_id": image_id, "landmark_id": number, "in_clean": True}
        )
        authors.append(
            {"image_id": image_id, "url": "https://x/1", "author": AUTHOR, "license": LICENCE}
        )
    landmarks = [{"split": "train", "landmark_id": 1, "category": ""}]
    write_metadata(workspace, landmarks, images, authors)
    write_stage(workspace, [(IMAGE_FILES["train"], table_of(IMAGE_FILES["train"], files))])
    return workspace.root


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_author_and_licence_can_be_read_on_the_screen_and_on_paper(
    build: Path, serve: Servers, seat: Seats, size: dict[str, int]
) -> None:
    desk = seat(serve(build).url, viewport=size)
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


def test_a_damaged_picture_is_hidden_and_stays_so(
    build: Path, serve: Servers, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("404", "ERR_")
    desk = seat(serve(build).url)
    desk.page.route(f"**/picture/{1:016x}", lambda route: route.fulfill(status=404))
    desk.page.route(
        f"**/picture/{2:016x}",
        lambda route: route.fulfill(body="no picture", content_type="image/jpeg"),
    )
    desk.open()
    desk.page.wait_for_function(_IS_ALL_THERE, arg=_SHOWN - 2)
    assert len(desk.tell(_SEEN)) == _SHOWN
    desk.press("X", "x", "i", "u")
    desk.page.wait_for_function(_IS_ALL_THERE, arg=_SHOWN - 2)
