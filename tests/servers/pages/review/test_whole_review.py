"""A review from the first key to the taxonomy, in every way that keys allow."""

import shutil
from pathlib import Path

import pytest

from tests.servers.pages.conftest import Seats, Servers
from tests.servers.pages.review.conftest import list_of
from tests.servers.pages.review.expecting import Expected
from tests.servers.pages.review.scripted import (
    ScriptedReviewer,
    check_first_rows,
    check_standing,
    check_taxonomy,
)


def test_a_list_of_labels_becomes_the_taxonomy_that_the_keys_say(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, serve: Servers, seat: Seats
) -> None:
    made = list_of(tmp_path_factory, labels=400, clusters=30)
    build = Path(shutil.copytree(made, tmp_path / "build"))
    expected = Expected()
    desk = seat(serve(build).url)
    check_first_rows(desk, build)
    reviewer = ScriptedReviewer(desk, expected, every=1)
    assert reviewer.review_all() >= reviewer.ways
    check_standing(build, expected)
    check_taxonomy(build, expected)
    assert len(expected.answers) == 400
    assert "Every group" in desk.said or desk.page.inner_text(".progress").startswith("100%")
