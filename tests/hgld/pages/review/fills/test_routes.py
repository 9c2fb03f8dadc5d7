"""The addresses of the guesses."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, open_page
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_guesses


@pytest.mark.parametrize(("name", "value"), [("effect", "praise"), ("category", "x")])
def test_what_cannot_be_read_is_refused(served: Served, name: str, value: str) -> None:
    assert served.post("/fills/decide", {"effect": "fill", name: value}).status == 422
    assert served.session.line == 0


def test_a_conflict_is_asked_and_answered_by_what_the_question_sends(served: Served) -> None:
    fields = {"effect": "fill", "name": "church", "category": GUESSES[0].category, "seen": "0"}
    assert served.post("/fills/decide", fields | {"effect": "refuse"}).status == 200
    asked = served.post("/fills/decide", fields)
    assert asked.status == 409
    assert "not church" in asked.text
    assert served.post("/fills/decide", fields | {"prefer": "mine", "told": "0"}).status == 409
    assert served.post("/fills/decide", fields | {"prefer": "theirs"}).status == 200
    assert served.session.line == 1
    assert served.post("/fills/decide", fields | {"prefer": "mine", "told": "1"}).status == 200
    assert served.session.line == 2
    assert served.post("/fills/undo", fields).status == 200
    assert served.post("/fills/redo", fields).status == 200
    assert [event.event for event in served.session.events[2:]] == ["undo", "redo"]


def test_a_long_group_says_how_many_are_not_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    many = [WorldGuess(f"Turm {one:03}", "tower", "human-made", 0.9) for one in range(200)]
    write_guesses(build, many)
    served = open_page(opener(build), tmp_path)
    page = served.get("/fills").text
    assert "140 more" in page
    assert page.count('type="checkbox"') == 60
    fields = {"effect": "fill", "name": "tower", "group": "turm"}
    assert "200 guesses" in served.post("/fills/decide", fields).text


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
