"""What the scrape may be set to, and how much it asks at once."""

import math
import threading
from collections import Counter
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.config import ParentsConfig, ScrapeConfig
from hgld.scrape.stage import run_scrape
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import Server


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("commons", "commons.wikimedia.org"),
        ("commons", "http://x/w/api.php"),
        ("sparql", "ftp://x/sparql"),
        ("titles_per_request", 51),
        ("items_per_request", 0),
        ("items_per_request", 501),
        ("requests_at_once", 4),
        ("superclass_depth", -1),
        ("failure_pause_s", -1.0),
        ("read_timeout_s", 0.0),
        ("read_timeout_s", math.nan),
        ("backoff_s", -0.5),
        ("attempts", 0),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_its_name(name: str, bad: object) -> None:
    with pytest.raises(ValueError, match=name):
        ScrapeConfig(**{name: bad})  # type: ignore[arg-type] # wrong on purpose


def test_the_estimate_of_the_full_size() -> None:
    # 203,094 titles in batches of 50, and 407 queries, of a second each.
    assert "4062 requests" in ScrapeConfig().budget(203_094)
    assert "75 min" in ScrapeConfig().budget(203_094)
    assert "30 min" in ScrapeConfig(requests_at_once=3).budget(203_094)
    follows = ScrapeConfig(follow_moves=True)
    assert follows.budget(203_094) != ScrapeConfig().budget(203_094)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("levels", 0),
        ("levels", 3),
        ("levels", True),
        ("most_parents", 0),
        ("sample_share", 1.5),
        ("sample_share", math.nan),
        ("sample_at_least", -1),
    ],
)
def test_a_setting_of_the_parents_that_cannot_work_is_refused_by_its_name(
    name: str, bad: float
) -> None:
    with pytest.raises(ValueError, match=name):
        ParentsConfig(**{name: bad})  # type: ignore[arg-type] # wrong on purpose


def test_a_replay_cannot_refresh() -> None:
    with pytest.raises(ValueError, match="replay and refresh"):
        ScrapeConfig(replay=True, refresh=True)


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_requests_are_under_way_as_are_allowed_and_no_more(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str], at_once: int
) -> None:
    server.before = gauge = _Gauge(at_once)
    config = fast_config(
        server, requests_at_once=at_once, titles_per_request=1, items_per_request=1
    )
    report = run_scrape(workspace, config, categories)
    assert gauge.most == {"commons": at_once, "sparql": 1}
    # In whatever order the answers came, the rows are those of one request after the other.
    assert report.manifest.outputs == clean


class _Gauge:
    """How many requests to each service are at the server at the same time, at most."""

    def __init__(self, expected: int) -> None:
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._meeting = threading.Barrier(expected)
        self._left = expected  # so many requests wait for each other, to be there together

    def __call__(self, service: str) -> None:
        with self._lock:
            self._now[service] += 1
            self.most[service] = max(self.most[service], self._now[service])
            meets = self._left > 0
            self._left -= meets
        if meets:
            self._meeting.wait(10)
        with self._lock:
            self._now[service] -= 1
