"""Which redirects are followed: to the same server, or to a known mirror of it.

    the same host and port, or from http to https           followed
    another host of one of `_MIRRORS`                       followed, without the login
    any other, and from https to http                       refused
    of a POST, as a GET (301, 302, 303)                     refused: the query would be lost
    more than 5 in a row                                    refused

So no redirect leads to an address that only this machine can reach, unless that is the configured
server itself. `hgld.http.connections` checks the addresses of host names.
"""

import threading
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from hgld.engine.logins import redacted
from hgld.errors import FetchError
from hgld.http.patience import HttpPolicy

_MOST_HOPS = 5
_PORTS = {"http": 80, "https": 443}
# Each host of a group may redirect to the others: the two names of GLDv2's bucket, the two names of
# the service for the main part of Wikidata, Wikimedia's files and their thumbnails.
_MIRRORS = (
    frozenset({"s3.amazonaws.com", "google-landmark.s3.amazonaws.com"}),
    frozenset({"query.wikidata.org", "query-main.wikidata.org"}),
    frozenset({"upload.wikimedia.org", "thumb.wikimedia.org"}),
)
_KEEP_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})

OFFICIAL_HOSTS = frozenset({"commons.wikimedia.org"}).union(*_MIRRORS)
"""Hosts known to be public."""


class PoliteSession(requests.Session):
    """A session that follows only these redirects. Made by `hgld.http.session.make_session`."""

    def __init__(self, policy: HttpPolicy) -> None:
        """Takes the limits of its requests."""
        super().__init__()
        self.policy = policy
        self.stopping = threading.Event()
        """Set to make the downloads of all threads end soon."""
        self.max_redirects = _MOST_HOPS

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - as they come
        """Sends a request, and keeps the cookies of the answer.

        `requests` looks for them in what is left of a body that was read with a limit.
        """
        response = super().send(request, **options)
        for one in (*response.history, response):
            self.cookies.update(one.cookies)
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Returns the target of a redirect, or None if the response is not one.

        Raises:
            FetchError: the redirect is refused.
        """
        url = redacted(resp.url).partition("?")[0]
        try:
            target = super().get_redirect_target(resp)
            place = urljoin(resp.url, target or "")
            why = _refusal(resp, urlsplit(resp.url), place) if target else ""
        except ValueError as error:  # not UTF-8, or half an IPv6 address
            raise FetchError(f"cannot reach {url}: it redirects to an invalid address") from error
        if why:
            there = f"{redacted(place).partition('?')[0]:.200}"
            raise FetchError(f"cannot reach {url}: it redirects to {there}, {why}")
        return target


def _refusal(response: requests.Response, here: SplitResult, place: str) -> str:
    """Returns why a redirect is refused, or an empty string; a bad address is a ValueError."""
    there = urlsplit(place)
    # URL parsers disagree on the host of such an address.
    if there.scheme not in _PORTS or "@" in there.netloc or "\\" in place:
        return "which is not a plain http(s) address"
    if here.scheme == "https" and there.scheme == "http":
        return "from https to http"
    if not _is_same_server(here, there):
        return "which is neither the same server nor a mirror of it"
    if response.request.method == "POST" and response.status_code not in _KEEP_METHOD:
        return "as a GET, which would lose the query; set that address"
    return ""


def _is_same_server(here: SplitResult, there: SplitResult) -> bool:
    ports = [parts.port or _PORTS[parts.scheme] for parts in (here, there)]
    hosts = {(parts.hostname or "").rstrip(".") for parts in (here, there)}
    is_upgrade = ports == [_PORTS["http"], _PORTS["https"]] and here.scheme != there.scheme
    return (ports[0] == ports[1] or is_upgrade) and (
        len(hosts) == 1 or any(hosts <= group for group in _MIRRORS)
    )
