"""What a scrape would ask for, before its first request."""

from pathlib import Path

from hgld.scrape.estimate import Estimate, estimate_scrape
from tests.worlds.wikimedia import scraping
from tests.worlds.wikimedia.scraping import Small, fast_config
from tests.worlds.wikimedia.small import Server


def estimated(small: Small, categories: Path, **settings: object) -> tuple[Estimate, Estimate]:
    config = fast_config(small.server, categories=categories, keys_per_request=2, **settings)
    commons, sparql = estimate_scrape(small.workspace, config)
    return commons, sparql


def test_what_the_archive_lacks_is_counted_and_nobody_is_asked(
    small: Small, server: Server, tmp_path: Path
) -> None:
    path = scraping.write_categories(tmp_path / "list.csv", "Tower", "Bare", "Topic", "Tower")
    with path.open("a", encoding="utf-8") as file:
        file.write("9,Q1\n")
    commons, sparql = estimated(small, path)
    assert (commons.address, sparql.address) == (server.commons, server.sparql)
    # Three titles are two requests; four items are two queries of each kind, and of classes.
    assert (commons.requests, sparql.requests) == (2, 2 * 5)
    assert commons.minutes == sparql.minutes == 1
    assert sparql.bytes > commons.bytes > 0
    assert not server.hits
    small.scrape(path)
    commons, sparql = estimated(small, path)
    assert (commons.requests, sparql.requests) == (0, 0)
    commons, sparql = estimated(small, path, refresh=True)
    assert (commons.requests, sparql.requests) == (2, 2 * 5)
    commons, _ = estimated(small, path, refresh=True, requests_per_minute=1)
    assert commons.minutes == 2
