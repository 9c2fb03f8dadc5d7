"""The log of decisions and its sheets: the fuzz and the kills of their tests, in the long form."""

import os

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.review.log.acts import check_back_and_forth, write_acted
from tests.hgld.review.log.test_damage import (
    BOTH,
    COPY,
    LOG,
    OUTCOMES,
    check_a_damaged_log,
    check_an_open_log,
)
from tests.hgld.review.log.test_opened import (
    MENDS,
    check_a_torn_line,
    check_interleaved_writers,
    check_killed_writers,
)
from tests.worlds.review.sheets import write_reviewed


@pytest.fixture(autouse=True)
def _unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.fault(20, "log of decisions damaged")
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["sheets", "events"])
@pytest.mark.parametrize("names", [LOG, COPY, BOTH])
def test_no_damage_changes_a_result_in_silence(
    workspace: Workspace, names: tuple[str, ...], kind: str, seed: int
) -> None:
    (write_acted if kind == "events" else write_reviewed)(workspace)
    seen = check_a_damaged_log(workspace, names, seed, rounds=10)
    # One of 480 damages of both is of what stands after the last line, and of the copy.
    assert seen.keys() <= OUTCOMES[names] | {"healed"}


@pytest.mark.fault(131, "log of decisions damaged while it is open")
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("names", [LOG, COPY, BOTH])
def test_no_damage_to_a_log_that_is_open_is_built_upon(
    workspace: Workspace, names: tuple[str, ...], seed: int
) -> None:
    check_an_open_log(workspace, names, seed, rounds=10)


@pytest.mark.fault(130, "killed while decisions are appended")
@pytest.mark.parametrize("mends", MENDS)
def test_a_line_torn_at_any_byte_is_passed_over_by_all(workspace: Workspace, mends: str) -> None:
    check_a_torn_line(workspace, mends, every=1)


@pytest.mark.fault(130, "killed while decisions are appended")
@pytest.mark.parametrize("seed", range(20))
def test_a_writer_killed_again_and_again_loses_at_most_what_it_was_at(
    workspace: Workspace, seed: int
) -> None:
    check_killed_writers(workspace, seed, kills=20)


@pytest.mark.parametrize("seed", range(200))
def test_random_reviews_stand_where_a_slow_reading_says(workspace: Workspace, seed: int) -> None:
    check_interleaved_writers(workspace, seed)
    check_back_and_forth(seed, ("ann", "bob", "zoë"))
