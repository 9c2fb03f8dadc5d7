"""A review of 10,000 labels in a browser, from the first key to the taxonomy."""

import contextlib
import shutil
import statistics
from pathlib import Path

import pytest

from hgld.benchmarks.reviewing.desk import ServedPage
from tests.servers.conftest import _started_chromium, chromium
from tests.servers.pages.conftest import Seats, at_end, opener, seat, visit, watch
from tests.servers.pages.review.conftest import list_of
from tests.servers.pages.review.expecting import Expected
from tests.soak.scripted import ScriptedReviewer, check_answers, check_first_rows

__all__ = ["_started_chromium", "at_end", "chromium", "opener", "seat", "visit", "watch"]

_LABELS, _CLUSTERS = 10_000, 150
_MOST_KEYS = 3


@pytest.mark.timeout(1800)
def test_ten_thousand_labels_become_the_taxonomy_that_the_keys_say(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    seat: Seats,
    at_end: contextlib.ExitStack,
) -> None:
    made = list_of(tmp_path_factory, labels=_LABELS, clusters=_CLUSTERS)
    root = Path(shutil.copytree(made, tmp_path / "build"))
    desk, expected = seat(at_end.enter_context(ServedPage(root)).url), Expected()
    check_first_rows(desk, root)
    reviewer = ScriptedReviewer(desk, expected)
    reviewer.review_all()
    check_answers(root, expected)
    assert len(expected.answers) == _LABELS
    assert statistics.median(reviewer.keys_of.values()) <= _MOST_KEYS
