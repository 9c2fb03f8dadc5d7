"""Where a redirect may lead: to the server that was asked, or to a mirror of it that is named here.

    the same host and port, or its https in place of http   followed
    another host of one of `_MIRRORS`                       followed, without the login
    any other, and from https to http                       refused
    of a POST, as a GET (301, 302, 303)                     refused: the question would be lost
    more than 5 in a row                                    refused

So no redirect leads to an address that only this machine can reach, unless that is the configured
server itself. What a name leads to is checked by `hgld.http.connections`.
"""

import threading
from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from hgld.engine.logins import redacted
from hgld.errors import FetchError
from hgld.http.patience import HttpPolicy

_MOST_HOPS = 5
_PORTS = {"http": 80, "https": 443}
# Each host of a group may send to the others: GLDv2's bucket under both forms of its name, the
# service for the main part of Wikidata under both names, Wikimedia's files and their thumbnails.
_MIRRORS = (
    frozenset({"s3.amazonaws.com", "google-landmark.s3.amazonaws.com"}),
    frozenset({"query.wikidata.org", "query-main.wikidata.org"}),
    frozenset({"upload.wikimedia.org", "thumb.wikimedia.org"}),
)
_KEEP_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})

OFFICIAL_HOSTS = frozenset({"commons.wikimedia.org"}).union(*_MIRRORS)
"""Hosts that are known to be public."""


class PoliteSession(requests.Session):
    """A session that follows only such redirects. Made by `hgld.http.session.make_session`."""

    def __init__(self, policy: HttpPolicy) -> None:
        """Takes the bounds of its requests."""
        super().__init__()
        self.policy = policy
        self.stopping = threading.Event()
        """Set to make the downloads of all threads end soon."""
        self.max_redirects = _MOST_HOPS

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Returns where an answer redirects to, None where it does not.

        Raises:
            FetchError: it redirects to where it must not.
        """
        url = redacted(resp.url).partition("?")[0]
        try:
            target = super().get_redirect_target(resp)
            place = urljoin(resp.url, target or "")
            why = _refusal(resp, urlsplit(resp.url), place) if target else ""
        except ValueError as error:  # bytes that are no UTF-8, or half of an IPv6 address
            raise FetchError(f"cannot reach {url}: it redirects to what is no address") from error
        if why:
            there = f"{redacted(place).partition('?')[0]:.200}"
            raise FetchError(f"cannot reach {url}: it redirects to {there}, {why}")
        return target


def _refusal(response: requests.Response, here: SplitResult, place: str) -> str:
    """Returns why a redirect is refused, an empty string where it is not; raises ValueError."""
    there = urlsplit(place)
    # Where readers of addresses differ in what is the host.
    if there.scheme not in _PORTS or "@" in there.netloc or "\\" in place:
        return "which is no plain http(s) address"
    if here.scheme == "https" and there.scheme == "http":
        return "from https to http"
    if not _is_same_server(here, there):
        return "which is neither the server that was asked nor a mirror of it"
    if response.request.method == "POST" and response.status_code not in _KEEP_METHOD:
        return "as a GET, which cannot carry the question; set that address"
    return ""


def _is_same_server(here: SplitResult, there: SplitResult) -> bool:
    ports = [parts.port or _PORTS[parts.scheme] for parts in (here, there)]
    hosts = {(parts.hostname or "").rstrip(".") for parts in (here, there)}
    is_upgrade = ports == [_PORTS["http"], _PORTS["https"]] and here.scheme != there.scheme
    return (ports[0] == ports[1] or is_upgrade) and (
        len(hosts) == 1 or any(hosts <= group for group in _MIRRORS)
    )
