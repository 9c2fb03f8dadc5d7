"""The benchmark of the page's latency, on a small build."""

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.speed import review_action
from hgld.benchmarks.speed.review_action import ACTIONS, ALL, RELOADED, measure_page
from tests.servers.pages.review.conftest import short_list
from tests.servers.pages.serving import review_served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["short_list"]


def test_every_action_is_timed_from_its_key_to_its_picture(
    short_list: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chromium: "Browser"
) -> None:
    monkeypatch.setattr(review_action, "PAUSES_MS", (1, 2))
    monkeypatch.setattr(review_action, "_RELOADS", 2)
    # That a process of its own starts is shown where it is killed, in `test_together.py`.
    monkeypatch.setattr(review_action, "ServedPage", review_served)
    monkeypatch.setattr(review_action, "started_chromium", lambda: contextlib.nullcontext(chromium))
    build = Path(shutil.copytree(short_list, tmp_path / "build"))
    results = measure_page(build, len(ACTIONS))
    assert {what: one["times"] for what, one in results.items()} == {
        **dict.fromkeys(ACTIONS, 1),
        ALL: len(ACTIONS),
        RELOADED: 2,
    }
    assert all(0 < one["median_ms"] <= one["most_ms"] for one in results.values())
