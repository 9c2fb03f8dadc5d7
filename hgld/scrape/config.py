"""The settings of the scrape and of the parents."""

from dataclasses import dataclass, replace
from pathlib import Path

from hgld.engine.config import Settings, check_settings, setting
from hgld.engine.logins import redacted
from hgld.http.config import HttpConfig
from hgld.http.session import is_web_address

_MOST_TITLES = 50  # the API's limit without a bot account
_MOST_ITEMS = 500  # above this, the public SPARQL service times out

_MOST_AT_ONCE = 3  # Wikimedia's limit without a special agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeConfig(HttpConfig):
    """Settings of the scrape, with those of every request."""

    commons: str = setting(
        "https://commons.wikimedia.org/w/",
        "Address of Wikimedia Commons or another MediaWiki: the folder of its api.php.",
    )
    sparql: str = setting(
        "https://query.wikidata.org/sparql", "Address of Wikidata's or another SPARQL service."
    )
    superclass_depth: int = setting(
        1, "How many steps of subclass of (P279) to follow from each class.", least=0
    )
    follow_moves: bool = setting(
        False,
        "Whether to look up missing categories in Commons' log and follow their moves; one request "
        "each.",
    )
    categories: Path | None = setting(
        None,
        "CSV file with the columns landmark_id, category (an address on Commons, or a Q-id) and "
        "optionally split, to scrape instead of GLDv2's landmarks. Only its rows matter, not its "
        "path.",
        changes_rows=False,
    )
    contact: str = setting(
        "",
        "How Wikimedia can reach you, such as you@example.org; required for any server that is not "
        "on this machine.",
        changes_rows=False,
    )
    replay: bool = setting(
        False, "Whether to make the tables from raw/ only, offline.", changes_rows=False
    )
    refresh: bool = setting(
        False,
        "Whether to ask for everything again and write what changed; resumes a refresh that was "
        "stopped. Earlier answers stay in raw/.",
        changes_rows=False,
    )
    titles_per_request: int = setting(
        _MOST_TITLES,
        f"Titles per request to Commons, at most {_MOST_TITLES}.",
        changes_rows=False,
        least=1,
        most=_MOST_TITLES,
    )
    items_per_request: int = setting(
        _MOST_ITEMS,
        f"Items per query to the SPARQL service, at most {_MOST_ITEMS}.",
        changes_rows=False,
        least=1,
        most=_MOST_ITEMS,
    )
    requests_at_once: int = setting(
        1,
        f"Concurrent requests to Commons, at most {_MOST_AT_ONCE}; after a kill, as many are "
        "repeated. Queries to the SPARQL service are sent one at a time.",
        changes_rows=False,
        least=1,
        most=_MOST_AT_ONCE,
    )
    attempts: int = setting(
        5, "How many times to try a request that fails, in total.", changes_rows=False, least=1
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)
        for name in ("commons", "sparql"):
            address = getattr(self, name)
            if not is_web_address(address):
                raise ValueError(f"{name} must be an http(s) address, got {redacted(address)!r}")
        if not self.commons.endswith("/"):
            raise ValueError(
                f"commons must be the folder of api.php and end with '/', got "
                f"{redacted(self.commons)!r}"
            )
        if self.replay and self.refresh:
            raise ValueError("replay and refresh exclude each other; leave out one")

    def without_logins(self) -> "ScrapeConfig":
        """Returns the same settings without the logins in addresses, fit for logs and files."""
        return replace(self, commons=redacted(self.commons), sparql=redacted(self.sparql))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentsConfig(Settings):
    """Settings of the parents; `ScrapeConfig` says which service to ask, and how."""

    levels: int = setting(
        2, "How many levels to ask for. 1: parents; 2: parents and grandparents.", least=1, most=2
    )
