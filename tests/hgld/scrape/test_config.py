"""What the scrape may be set to, and what it says it will ask for."""

import logging
import math
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.stage import run_scrape
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.lab import fast_config
from tests.worlds.wikimedia.small import Server


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"commons": "commons.wikimedia.org"}, "commons must be an http"),
        ({"sparql": "ftp://x/sparql"}, "sparql must be an http"),
        ({"commons": "http://x/w/api.php"}, "end with '/'"),
        ({"titles_per_request": 51}, "titles_per_request must be from 1 to 50, got 51"),
        ({"items_per_request": 0}, "items_per_request must be from 1 to 500, got 0"),
        (
            {"sparql_s_per_minute": 90.0},
            "sparql_s_per_minute must be above 0 and at most 60, got 90",
        ),
        ({"requests_at_once": 4}, "requests_at_once must be from 1 to 3, got 4"),
        ({"superclass_depth": -1}, "superclass_depth must not be below 0, got -1"),
        ({"failure_pause_s": -1.0}, "failure_pause_s must not be below 0, got -1"),
        ({"connect_timeout_s": 0.0}, "connect_timeout_s must be above 0, got 0"),
        ({"deadline_s": math.nan}, "deadline_s must be above 0, got nan"),
        ({"backoff_s": -0.5}, r"backoff_s must not be below 0, got -0\.5"),
        ({"attempts": 0}, "attempts must be at least 1, got 0"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ScrapeConfig(**settings)  # type: ignore[arg-type] # wrong on purpose


def test_the_budget_is_said_before_the_first_request(
    server: Server, categories: Path, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hgld.scrape.stage")
    server.always["commons"] = reply(403, b"no")
    with pytest.raises(FetchError):
        run_scrape(workspace, fast_config(server), categories)
    assert (
        f"13 titles, 0 of them in the raw archive; 4 requests to {server.commons}, 1 at"
        in caplog.text
    )
    assert f"up to 5 to {server.sparql}, one at a time and 60 s of a minute at most" in caplog.text


def test_the_estimate_of_the_full_size_says_what_the_sparql_budget_makes_of_it() -> None:
    # 4,062 requests of a second; 407 queries of a second, half of each minute.
    assert "4062 requests" in ScrapeConfig().budget(203_094)
    assert "about 75 min" in ScrapeConfig().budget(203_094)
    assert "about 82 min" in ScrapeConfig(sparql_s_per_minute=30.0).budget(203_094)
    assert "about 30 min" in ScrapeConfig(requests_at_once=3).budget(203_094)
    gone = ", and one for each category that is gone; about"
    assert gone in ScrapeConfig(follow_moves=True).budget(203_094)
    assert gone not in ScrapeConfig().budget(203_094)


def test_queries_take_no_more_of_a_minute_than_the_budget_gives_them(
    server: Server, categories: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _SlowQueries()
    monkeypatch.setattr("hgld.scrape.live.services.time", clock)
    run_scrape(workspace, fast_config(server, sparql_s_per_minute=20.0), categories)
    queries = server.count("sparql")
    assert queries > 1
    # Each seems to take 7 s, a third of a minute's share: 14 s of rest follow.
    assert clock.rests == [pytest.approx(14.0)] * queries


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_requests_are_under_way_as_are_allowed_and_no_more(
    server: Server, categories: Path, workspace: Workspace, tmp_path: Path, at_once: int
) -> None:
    gauge = _Gauge(at_once)
    server.before = gauge
    settings = {"titles_per_request": 1, "items_per_request": 1}
    report = run_scrape(
        workspace, fast_config(server, requests_at_once=at_once, **settings), categories
    )
    assert gauge.most == {"commons": at_once, "sparql": 1}
    # In whatever order the answers came, the rows are those of one request after the other.
    server.before = lambda _: None
    plain = run_scrape(Workspace(tmp_path / "plain"), fast_config(server, **settings), categories)
    assert report.manifest.outputs == plain.manifest.outputs


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
        time.sleep(0.01)
        with self._lock:
            self._now[service] -= 1


class _SlowQueries:
    """A clock by which every query takes 7 s, and a rest no time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.rests: list[float] = []

    def monotonic(self) -> float:
        self.now_s += 7.0
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)


def test_modes_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="replay and refresh exclude each other"):
        ScrapeConfig(replay=True, refresh=True)
    with pytest.raises(ValueError, match="retry and refresh"):
        ScrapeConfig(retry="failed", refresh=True)
