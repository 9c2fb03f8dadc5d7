"""The benchmark of the page's latency, on a small build."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.speed.review import page
from hgld.benchmarks.speed.review.page import ACTIONS, HURRIED, PACED, measure_page
from tests.servers.pages.review.conftest import short_list
from tests.servers.pages.serving import review_served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["short_list"]


def test_every_action_is_timed_from_its_key_to_its_picture(
    short_list: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chromium: "Browser"
) -> None:
    monkeypatch.setattr(page, "PAUSES_MS", (1, 2))
    monkeypatch.setattr(page, "_RELOADS", 2)
    # That a process of its own starts is shown where it is killed, in `test_together.py`.
    monkeypatch.setattr(page, "ServedPage", review_served)
    monkeypatch.setattr(page, "started_chromium", lambda: contextlib.nullcontext(chromium))
    results = measure_page(short_list, tmp_path, len(ACTIONS))
    assert results.pop("chromium")
    assert results["the whole page loaded anew"]["times"] == 2
    for way in (PACED, HURRIED):
        found = results[way]
        assert set(found) == {"all", *ACTIONS}
        assert found["all"]["times"] == len(ACTIONS)
        assert all(one["times"] == 1 for kind, one in found.items() if kind != "all")
        assert 0 < found["all"]["changed_median_ms"] < found["all"]["median_ms"]
