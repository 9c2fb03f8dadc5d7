"""Pictures of landmarks: who made them, and under which licence, can be read; damage is not seen."""

from pathlib import Path
from typing import Literal

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.tables import CATEGORIES, CLASSES, IMAGE_FILES, SUPERCLASSES
from tests.hgld.pages.looking import CUT
from tests.hgld.pages.review.browser.conftest import Seats, Servers
from tests.hgld.pages.review.browser.test_looks import CLIPPED
from tests.hgld.pages.review.conftest import NARROW, WIDE
from tests.worlds.builders import picture_row, table_of, write_metadata, write_stage
from tests.worlds.pictures import drawing, encoded
from tests.worlds.review.lists import write_settings, write_small_review

pytestmark = pytest.mark.browser

AUTHOR = "Wilhelmina Featherstonehaugh-Cholmondeley of the municipal archive of Upper Heyford"
LICENCE = "Creative Commons Attribution-Share Alike 3.0 Unported"
_SHOWN = 4
_URL = "http://commons.wikimedia.org/wiki/Category:"
_CAPTIONS = "#pane-group .thumbs figcaption"
_TEXTS = f"{_CAPTIONS}, {_CAPTIONS} span"
_SEEN = f"() => [...document.querySelectorAll('{_CAPTIONS}')].map((one) => one.innerText)"
_LOADED = """
() => [...document.querySelectorAll(".thumbs img")].map(({ complete, naturalWidth }) => complete && naturalWidth > 0)
"""
_BROKEN = """
() => [...document.querySelectorAll(".thumbs img")].filter((one) => one.complete && !one.naturalWidth && one.checkVisibility()).length
"""


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with a picture of each of its first landmarks."""
    workspace = write_small_review(tmp_path_factory.mktemp("pictured") / "build")
    write_settings(workspace)
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
@pytest.mark.parametrize("media", ["screen", "print"])
def test_author_and_licence_can_be_read(
    pictured: Path,
    serve: Servers,
    seat: Seats,
    size: dict[str, int],
    media: Literal["screen", "print"],
    gallery: Path,
) -> None:
    desk = seat(serve(pictured), viewport=size)
    desk.page.wait_for_selector(".thumbs img")
    desk.page.emulate_media(media=media)
    captions = desk.tell(_SEEN)
    assert captions
    for caption in captions:
        assert AUTHOR in caption.replace("\n", " ")
        assert LICENCE in caption.replace("\n", " ")
    desk.page.screenshot(path=gallery / f"pictures-{size['width']}-{media}.png")
    assert desk.tell(CUT, _TEXTS) == []
    assert desk.tell(CLIPPED, _TEXTS) == []
    titled = desk.tell(
        f"() => [...document.querySelectorAll('{_CAPTIONS} b')].map((one) => one.title === one.textContent)"
    )
    assert all(titled)


def test_a_damaged_picture_is_hidden_and_stays_so(
    pictured: Path, serve: Servers, seat: Seats, watch: Watch
) -> None:
    watch.forgiven = ("404", "ERR_")
    server: ServedPage = serve(pictured)
    desk = seat(server)
    desk.page.route(f"**/picture/{1:016x}", lambda route: route.fulfill(status=404))
    desk.page.route(
        f"**/picture/{2:016x}",
        lambda route: route.fulfill(body="no picture", content_type="image/jpeg"),
    )
    desk.open()
    desk.page.wait_for_function(f"() => ({_LOADED})().filter(Boolean).length === {_SHOWN - 2}")
    desk.page.wait_for_timeout(200)
    assert desk.tell(_BROKEN) == 0
    assert len(desk.tell(_SEEN)) == _SHOWN
    desk.press("X", "x", "i", "u")
    assert desk.tell(_BROKEN) == 0
