"""Scrapes that are killed at the writes that differ in kind: the first, one amid, and the last."""

from pathlib import Path

import pytest

from tests.worlds.wikimedia.kills import (
    first_middle_last,
    kill_parents,
    kill_refreshes,
    kill_scrapes,
)


@pytest.mark.fault(151, "scrape killed at any write or moment")
def test_a_killed_scrape_goes_on_and_repeats_at_most_one_request(tmp_path: Path) -> None:
    kill_scrapes(tmp_path, first_middle_last)


@pytest.mark.fault(151, "scrape killed at any write or moment")
def test_killed_parents_go_on_and_repeat_at_most_one_request(tmp_path: Path) -> None:
    kill_parents(tmp_path, first_middle_last)


@pytest.mark.parametrize("resumes", [True, False])
def test_a_killed_refresh_goes_on_as_if_nothing_had_happened(tmp_path: Path, resumes: bool) -> None:
    kill_refreshes(tmp_path, first_middle_last, resumes=resumes)
