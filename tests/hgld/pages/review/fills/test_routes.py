"""The addresses of the guesses."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, open_page, shown
from tests.worlds.review.guesses import GUESSES, write_guesses

KIRCHEN = [one.category for one in GUESSES if one.name.startswith("Kirche")]
PLACE = {"name": "church", "group": "kirche", "seen": "0"}


def test_guesses_are_accepted_and_refused_by_forms_and_undone(served: Served) -> None:
    page = served.get("/fills?name=church&group=kirche").text
    assert page.count('class="tick"') == len(KIRCHEN)
    assert "Churches, Binz (Zürich)" in page
    answer = served.post("/fills/decide", PLACE | {"action": "accept", "category": KIRCHEN[:2]})
    assert shown(answer.text, "group") == "kirche"
    assert answer.text.count('class="tick"') == 3
    fields = PLACE | {"action": "refuse", "all": "1", "except": KIRCHEN[2], "seen": "1"}
    assert served.post("/fills/decide", fields).text.count('class="tick"') == 1
    assert served.post("/fills/undo", PLACE).text.count('class="tick"') == 3
    assert served.post("/fills/redo", PLACE).status == 200
    assert [event.event for event in served.session.events] == ["fill", "refuse", "undo", "redo"]
    assert "Kirche Gruben" in served.get("/history").text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("action", "praise"), ("seen", "x"), ("prefer", "x"), ("order", "x"), ("show", "x")),
        *(("rows", "-1"), ("name", "x" * 201), ("category", "x"), ("category", "")),
    ],
)
def test_what_cannot_be_read_is_refused(served: Served, name: str, value: str) -> None:
    fields = {"action": "accept", "seen": "0", name: value}
    assert served.post("/fills/decide", fields).status == 422
    assert served.session.line == 0


def test_a_build_that_is_read_only_damaged_or_without_guesses_is_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    assert "labels/fills" in open_page(opener(build), tmp_path).get("/fills").text
    write_guesses(build)
    for path in build.path("scrape/parents").glob("*.parquet"):
        path.write_bytes(b"no parquet")
    html = open_page(opener(build, read_only=True), tmp_path).get("/fills").text
    assert "Kirche Gruben" in html
    assert "Churches" not in html
    assert "checkbox" not in html
