"""What the scrape may be set to, and how much it asks at once."""

import threading
from collections import Counter

import pytest

from hgld.scrape.config import ParentsConfig, ScrapeConfig
from tests.worlds.wikimedia.scraping import Small
from tests.worlds.wikimedia.small import Server


@pytest.mark.parametrize(
    ("cls", "name", "bad"),
    [
        (ScrapeConfig, "commons", "commons.wikimedia.org"),
        (ScrapeConfig, "commons", "http://x/w/api.php"),
        (ScrapeConfig, "sparql", "ftp://x/sparql"),
        (ScrapeConfig, "titles_per_request", 51),
        (ScrapeConfig, "items_per_request", 0),
        (ScrapeConfig, "items_per_request", 501),
        (ScrapeConfig, "requests_at_once", 4),
        (ScrapeConfig, "superclass_depth", -1),
        (ScrapeConfig, "attempts", 0),
        (ParentsConfig, "levels", 0),
        (ParentsConfig, "levels", 3),
        (ParentsConfig, "levels", True),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_its_name(
    cls: type[ScrapeConfig | ParentsConfig], name: str, bad: str | int
) -> None:
    with pytest.raises(ValueError, match=name):
        cls(**{name: bad})  # type: ignore[arg-type] # wrong on purpose


def test_a_replay_cannot_refresh() -> None:
    with pytest.raises(ValueError, match="replay and refresh"):
        ScrapeConfig(replay=True, refresh=True)


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_requests_are_made_at_once(small: Small, server: Server, at_once: int) -> None:
    most, now, lock = Counter[str](), Counter[str](), threading.Lock()
    meeting, left = threading.Barrier(at_once), iter(range(at_once))

    def gauge(service: str) -> None:
        with lock:
            now[service] += 1
            most[service] = max(most[service], now[service])
            meets = next(left, None) is not None  # the first wait for each other
        if meets:
            meeting.wait(10)
        with lock:
            now[service] -= 1

    server.before = gauge
    report = small.scrape(requests_at_once=at_once, titles_per_request=1, items_per_request=1)
    assert most == {"commons": at_once, "sparql": 1}
    # In whatever order the answers came, the rows are those of one request after the other.
    assert report.manifest.outputs == small.clean
