"""The settings of the scrape."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from hgld.engine.config import not_in_rows
from hgld.http.patience import HttpPolicy

_MOST_TITLES = 50  # the API's limit for whoever has no bot account
_MOST_ITEMS = 500  # beyond, the public SPARQL service times out

_MOST_AT_ONCE = 3  # what Wikimedia asks of whoever has no agreement with it

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeConfig:
    """Settings of the scrape."""

    commons: str = "https://commons.wikimedia.org/w/"
    """The folder of api.php."""
    sparql: str = "https://query.wikidata.org/sparql"
    superclass_depth: int = 1
    """How many steps of *subclass of* are followed from each class."""
    follow_moves: bool = False
    """Whether a category that is not there is looked up in Commons' log, and followed where it was
    moved to; that is one request for each."""
    dumps: Path | None = not_in_rows(None)  # noqa: RUF009 - None is as immutable as a number
    """A folder of dump files of Commons and Wikidata (`hgld.scrape.dumps.files`), to be read
    instead of asking anybody. A digest of the files is in the fingerprint, wherever they lie."""
    contact: str = not_in_rows("")
    """How to reach whoever runs this; needed for any server that is not on this machine."""
    replay: bool = not_in_rows(False)
    """Builds the tables from the raw archive alone; opens no connection."""
    retry: Literal["", "failed"] = not_in_rows("")
    """`failed` tries the failed rows of the last run again, and refuses to do anything else."""
    refresh: bool = not_in_rows(False)
    """Asks for everything again, and writes what changed; or goes on with a refresh that was
    stopped. What was fetched before stays in the raw archive."""
    titles_per_request: int = not_in_rows(_MOST_TITLES)
    items_per_request: int = not_in_rows(_MOST_ITEMS)
    requests_at_once: int = not_in_rows(1)
    """How many requests to the API of Commons may be under way, at most 3; of the queries to the
    SPARQL service it is one, whatever stands here."""
    connect_timeout_s: float = not_in_rows(10.0)
    read_timeout_s: float = not_in_rows(60.0)
    deadline_s: float = not_in_rows(120.0)
    attempts: int = not_in_rows(5)
    backoff_s: float = not_in_rows(1.0)
    patience_s: float = not_in_rows(1800.0)
    failure_pause_s: float = not_in_rows(2.0)
    """After a failed SPARQL query; the public service bans whoever makes 30 in a minute."""

    sparql_s_per_minute: float = not_in_rows(60.0)
    """Seconds of a minute in which a SPARQL query of ours may be under way. One is, at most, at a
    time, so that 60 are the public service's own limit for one client."""

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        self._check_addresses()
        for name, most in (
            ("titles_per_request", _MOST_TITLES),
            ("items_per_request", _MOST_ITEMS),
            ("requests_at_once", _MOST_AT_ONCE),
        ):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from 1 to {most}, got {getattr(self, name)}")
        for name in ("superclass_depth", "failure_pause_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be below 0, got {getattr(self, name):g}")
        if not 0 < self.sparql_s_per_minute <= _MINUTE_S:
            raise ValueError(
                f"sparql_s_per_minute must be above 0 and at most {_MINUTE_S:g}, got "
                f"{self.sparql_s_per_minute:g}"
            )
        self.policy()
        self._refuse_two_modes()

    def _check_addresses(self) -> None:
        for name in ("commons", "sparql"):
            parts = urlsplit(getattr(self, name))
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(f"{name} must be an http(s) address, got {getattr(self, name)!r}")
        if not self.commons.endswith("/"):
            raise ValueError(
                f"commons must be the folder of api.php and end with '/', got {self.commons!r}"
            )

    def _refuse_two_modes(self) -> None:
        modes = [name for name in ("dumps", "replay", "retry", "refresh") if getattr(self, name)]
        if self.dumps and self.follow_moves:
            modes = ["dumps", "follow_moves"]  # dumps have no log of moves
        if len(modes) > 1:
            raise ValueError(f"{' and '.join(modes)} exclude each other; leave out all but one")

    def policy(self) -> HttpPolicy:
        """Returns the bounds of every request."""
        return HttpPolicy(
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            deadline_s=self.deadline_s,
            attempts=self.attempts,
            backoff_s=self.backoff_s,
            patience_s=self.patience_s,
        )

    def budget(self, titles: int) -> str:
        """Returns in words what a scrape will ask of whom, before redirects and classes.

        Args:
            titles: how many are not in the raw archive yet.
        """
        requests = math.ceil(titles / self.titles_per_request)
        queries = math.ceil(titles / self.items_per_request)
        time_s = requests / self.requests_at_once + queries * _MINUTE_S / self.sparql_s_per_minute
        moves = ", and one for each category that is gone" if self.follow_moves else ""
        return (
            f"{requests} requests to {self.commons}, {self.requests_at_once} at a time, and up to "
            f"{queries} to {self.sparql}, one at a time and {self.sparql_s_per_minute:g} s of a "
            f"minute at most, and some more for redirects and classes{moves}; about "
            f"{math.ceil(time_s / _MINUTE_S)} min where each takes a second"
        )
