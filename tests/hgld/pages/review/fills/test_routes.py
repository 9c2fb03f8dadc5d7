"""The addresses of the guesses."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, open_page
from tests.worlds.review.guesses import write_guesses


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
