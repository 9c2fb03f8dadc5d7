"""Scrapes that are killed at the writes that differ in kind: the first, one amid, and the last."""

from functools import partial
from pathlib import Path

import pytest

from tests.worlds.wikimedia import kills


@pytest.mark.fault(151, "scrape killed at any write or moment")
@pytest.mark.parametrize(
    "kill",
    [
        *(kills.kill_scrapes, kills.kill_parents),
        *(partial(kills.kill_refreshes, resumes=resumes) for resumes in (True, False)),
    ],
    ids=["scrape", "parents", "refresh", "refresh by a scrape"],
)
def test_a_killed_run_goes_on_and_repeats_at_most_one_request(
    tmp_path: Path, kill: kills.Kill
) -> None:
    kill(tmp_path, kills.first_middle_last)
