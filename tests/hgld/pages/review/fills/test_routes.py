"""The addresses of the guesses."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, open_page
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_guesses

FIELDS = {"effect": "fill", "name": "church", "category": GUESSES[0].category, "seen": "0"}


@pytest.mark.parametrize(("name", "value"), [("effect", "praise"), ("category", "x")])
def test_what_cannot_be_read_is_refused(served: Served, name: str, value: str) -> None:
    assert served.post("/fills/decide", FIELDS | {name: value}).status == 422
    assert served.session.line == 0


def test_a_conflict_is_answered_by_what_its_question_sends(served: Served) -> None:
    served.post("/fills/decide", FIELDS | {"effect": "refuse"})
    statuses = [
        served.post("/fills/decide", FIELDS | answer).status
        for answer in ({}, {"prefer": "mine", "told": "0"}, {"prefer": "theirs"})
    ]
    assert (statuses, served.session.line) == ([409, 409, 200], 1)
    served.post("/fills/decide", FIELDS | {"prefer": "mine", "told": "1"})
    assert [served.post(f"/fills/{name}").status for name in ("undo", "redo")] == [200, 200]
    events = [event.event for event in served.session.events]
    assert events == ["refuse", "fill", "undo", "redo"]


def test_a_whole_group_is_more_than_what_is_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    write_guesses(
        build, [WorldGuess(f"Turm {one:03}", "tower", "human-made", 0.9) for one in range(200)]
    )
    served = open_page(opener(build), tmp_path)
    page = served.get("/fills").text
    assert ("140 more" in page, page.count('type="checkbox"')) == (True, 60)
    whole = {"effect": "fill", "name": "tower", "group": "turm"}
    assert "200 guesses" in served.post("/fills/decide", whole).text


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
