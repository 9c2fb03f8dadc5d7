import json
import logging
import time

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.pages.review.session import ReviewSession
from hgld.tables import LABEL_MAP
from tests.hgld.pages.review.conftest import Opener

_PATIENCE_S = 60


def places(session: ReviewSession) -> dict[str, tuple[float, float]]:
    """Returns where the map has each class."""
    return {
        point[0]: (point[2], point[3]) for point in json.loads(session.browsing.points())["points"]
    }


def kept(workspace: Workspace) -> dict[str, tuple[float, float]]:
    rows = workspace.read(LABEL_MAP).to_pylist()
    return {row["class_qid"]: (row["x"], row["y"]) for row in rows}


def is_near(one: dict[str, tuple[float, float]], other: dict[str, tuple[float, float]]) -> bool:
    """Says whether two maps are one, as far as its JSON is rounded."""
    return all(place == pytest.approx(other[qid], abs=1e-3) for qid, place in one.items())


def until_kept(workspace: Workspace) -> dict[str, tuple[float, float]]:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            return kept(workspace)
        except MissingInputError:
            time.sleep(0.05)
    raise AssertionError("the map was never made")


def test_the_first_look_at_the_map_is_at_once_and_the_next_at_the_one_that_is_kept(
    session: ReviewSession,
) -> None:
    first = places(session)
    assert len(first) == len(set(first.values())) > 2
    better = until_kept(session.workspace)
    end = time.monotonic() + _PATIENCE_S
    while not is_near(now := places(session), better) and time.monotonic() < end:
        time.sleep(0.05)
    assert now.keys() == better.keys() == first.keys()
    assert is_near(now, better)


def test_a_review_that_is_only_shown_makes_no_map(session: ReviewSession, opener: Opener) -> None:
    shown = opener(session.workspace, read_only=True)
    assert places(shown)
    time.sleep(0.3)
    with pytest.raises(MissingInputError):
        kept(session.workspace)


def test_a_build_that_another_program_writes_to_keeps_the_quick_map_and_says_so(
    session: ReviewSession, caplog: pytest.LogCaptureFixture
) -> None:
    with session.workspace.lock(), caplog.at_level(logging.WARNING):
        assert places(session)
        end = time.monotonic() + _PATIENCE_S
        while "the map stays a quick one" not in caplog.text and time.monotonic() < end:
            time.sleep(0.05)
    assert "the map stays a quick one" in caplog.text
