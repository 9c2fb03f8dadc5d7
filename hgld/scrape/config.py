"""The settings of the scrape and of the parents."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from hgld.engine.config import check_settings, setting
from hgld.engine.logins import redacted
from hgld.http.patience import HttpPolicy
from hgld.http.session import is_web_address

_MOST_TITLES = 50  # the API's limit for whoever has no bot account
_MOST_ITEMS = 500  # beyond, the public SPARQL service times out

_MOST_AT_ONCE = 3  # what Wikimedia asks of whoever has no agreement with it

_MINUTE_S = 60.0
_LEVELS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeConfig:
    """Settings of the scrape."""

    commons: str = setting(
        "https://commons.wikimedia.org/w/",
        "Address of Wikimedia Commons, or another MediaWiki: the folder of its api.php.",
    )
    sparql: str = setting(
        "https://query.wikidata.org/sparql", "Address of Wikidata's SPARQL service, or another."
    )
    superclass_depth: int = setting(
        1, "How many steps of subclass of (P279) are followed from each class."
    )
    follow_moves: bool = setting(
        False,
        "Whether a category that is gone is looked up in Commons' log, and followed where it was "
        "moved to; a request for each.",
    )
    categories: Path | None = setting(
        None,
        "CSV file with the columns landmark_id and category, and perhaps split, to scrape instead "
        "of GLDv2's landmarks. Its rows count, wherever it lies.",
        changes_rows=False,
    )
    contact: str = setting(
        "",
        "How Wikimedia reaches whoever runs this, such as you@example.org; needed for any server "
        "that is not on this machine.",
        changes_rows=False,
    )
    replay: bool = setting(
        False, "Whether the tables are made from raw/ alone, with no network.", changes_rows=False
    )
    refresh: bool = setting(
        False,
        "Whether everything is asked for again, and what changed is written; goes on with a "
        "refresh that was stopped. Earlier answers stay in raw/.",
        changes_rows=False,
    )
    titles_per_request: int = setting(
        _MOST_TITLES,
        f"Titles in a request to Commons, at most {_MOST_TITLES}.",
        changes_rows=False,
    )
    items_per_request: int = setting(
        _MOST_ITEMS,
        f"Items in a query to the SPARQL service, at most {_MOST_ITEMS}.",
        changes_rows=False,
    )
    requests_at_once: int = setting(
        1,
        f"Requests to Commons that may be under way at once, at most {_MOST_AT_ONCE}; a kill "
        "repeats so many. Of queries to the SPARQL service it is always one.",
        changes_rows=False,
    )
    read_timeout_s: float = setting(
        60.0, "Seconds of silence after which a request is given up.", changes_rows=False
    )
    attempts: int = setting(
        5, "How often a request that meets faults is made, in all.", changes_rows=False
    )
    backoff_s: float = setting(
        1.0,
        "Seconds of the first wait after a fault where the server names none; it doubles up to a "
        "minute.",
        changes_rows=False,
    )
    answer_bytes: int = setting(
        64_000_000,
        "Bytes of an answer at most, unpacked; its titles or items are then asked for in halves. "
        "MediaWiki itself stops at 8 MB.",
        changes_rows=False,
    )
    failure_pause_s: float = setting(
        2.0,
        "Seconds of pause after a failed SPARQL query; the public service bans whoever makes 30 "
        "in a minute.",
        changes_rows=False,
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
        _check_range(self, "titles_per_request", 1, _MOST_TITLES)
        _check_range(self, "items_per_request", 1, _MOST_ITEMS)
        _check_range(self, "requests_at_once", 1, _MOST_AT_ONCE)
        _check_range(self, "superclass_depth", 0, math.inf)
        _check_range(self, "failure_pause_s", 0, math.inf)
        self.policy()
        if self.replay and self.refresh:
            raise ValueError("replay and refresh exclude each other; leave out one")

    def policy(self) -> HttpPolicy:
        """Returns the bounds of every request."""
        return HttpPolicy(
            read_timeout_s=self.read_timeout_s,
            attempts=self.attempts,
            backoff_s=self.backoff_s,
            answer_bytes=self.answer_bytes,
        )

    def without_logins(self) -> "ScrapeConfig":
        """Returns the same settings with addresses as they may be written down."""
        return replace(self, commons=redacted(self.commons), sparql=redacted(self.sparql))

    def budget(self, titles: int) -> str:
        """Returns in words what a scrape will ask of whom, before redirects and classes.

        Args:
            titles: how many are not in the raw archive yet.
        """
        requests = math.ceil(titles / self.titles_per_request)
        queries = math.ceil(titles / self.items_per_request)
        minutes = math.ceil((requests / self.requests_at_once + queries) / _MINUTE_S)
        moves = ", and one for each category that is gone" if self.follow_moves else ""
        return (
            f"{requests} requests to {self.commons}, {self.requests_at_once} at a time, and up to "
            f"{queries} to {self.sparql}, one at a time, and some more for redirects, for classes "
            f"and for evidence of them{moves}; about {minutes} min where each takes a second"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentsConfig:
    """Settings of the parents; whom to ask and how is in those of the scrape."""

    levels: int = setting(
        _LEVELS, "How far up it is asked. 1: the parents; 2: and the parents of those."
    )
    most_parents: int = setting(
        20,
        "Of how many parents of a category the parents are asked for, at most; the first ones by "
        "title.",
    )
    sample_share: float = setting(
        0.05,
        "Share of the categories of landmarks that have a class which is asked about as well, from "
        "0 to 1, so that it can be measured what parents tell.",
    )
    sample_at_least: int = setting(
        100, "How many of those are asked about at least, as far as there are so many."
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)
        _check_range(self, "levels", 1, _LEVELS)
        _check_range(self, "most_parents", 1, math.inf)
        _check_range(self, "sample_share", 0, 1)
        _check_range(self, "sample_at_least", 0, math.inf)


def _check_range(config: ScrapeConfig | ParentsConfig, name: str, least: int, most: float) -> None:
    value = getattr(config, name)
    if not least <= value <= most:
        wanted = f"from {least} to {most}" if math.isfinite(most) else f"at least {least}"
        raise ValueError(f"{name} must be {wanted}, got {value:g}")
