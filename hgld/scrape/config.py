"""The settings of the scrape."""

from dataclasses import dataclass, replace
from pathlib import Path

from hgld.engine.config import check_settings, setting
from hgld.engine.logins import redacted
from hgld.http.config import HttpConfig
from hgld.http.session import is_web_address

TITLES_PER_REQUEST = 50
"""The limit of Commons' API without a bot account."""
ITEMS_PER_REQUEST = 500
"""Above this, the public SPARQL service times out."""


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
    keys_per_request: int = setting(
        ITEMS_PER_REQUEST,
        f"Most titles or items in a request; of titles, at most {TITLES_PER_REQUEST}.",
        changes_rows=False,
        least=1,
        most=ITEMS_PER_REQUEST,
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

    @property
    def titles_per_request(self) -> int:
        """Returns the most titles in a request to Commons."""
        return min(self.keys_per_request, TITLES_PER_REQUEST)

    def without_logins(self) -> "ScrapeConfig":
        """Returns the same settings without the logins in addresses, fit for logs and files."""
        return replace(self, commons=redacted(self.commons), sparql=redacted(self.sparql))
