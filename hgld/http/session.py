"""One HTTP policy for every server the project talks to: who we are, time-outs, retries, waits.

It sits in the adapter of a `requests` session (`_PoliteAdapter.send`), so that it holds for
whatever uses the session: our own downloads, mwclient and SPARQLWrapper
(`hgld.scrape.services`).

Who handles which fault:

    429, Retry-After, maxlag         `_is_busy` sees it, `_wait_for` pauses the whole host
    500, 502, 503, 504               `_PoliteAdapter.send` tries again
    broken connections, time-outs    `_may_repeat` says whether to try again
    what is left after all retries   `failure` says what it means

How long each wait is, and when it is enough, is in `hgld.http.patience`; how much of an answer is
read in `hgld.http.bodies`, which redirects are followed in `hgld.http.redirects`, and which
addresses are connected to in `hgld.http.addresses`.

Proxies and further certificates are those of the environment, as `requests` takes them (HTTP_PROXY,
HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE). A login in an address is sent as Basic authentication,
only to that server.
"""

import math
import re
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from hgld import __version__
from hgld.engine.logins import login_of, redacted
from hgld.errors import AnswerError, FetchError, InputError
from hgld.http.addresses import AddressRule
from hgld.http.bodies import ENCODING, TooLargeError, UnusableAnswerError, read_body
from hgld.http.connections import (
    ForbiddenConnectionError,
    PromptHTTPConnection,
    PromptHTTPSConnection,
    deadline,
    reaching,
)
from hgld.http.patience import FAULTS, HttpPolicy, Patience
from hgld.http.redirects import OFFICIAL_HOSTS, PoliteSession, RefusedRedirectError

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_TOO_MANY_REQUESTS = 429
_REFUSALS = 4  # 400 to 499
# Errors of MediaWiki's API that say "later": the server is behind, or has had enough of us.
_BUSY_CODE = re.compile(rb'"code"\s*:\s*"(maxlag|ratelimited|readonly)"')

_REASONS = {
    "Connection refused": "connection refused, no server listens there",
    "NameResolutionError": "no such host name",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted (REQUESTS_CA_BUNDLE names a file "
    "of others to trust)",
    "Remote end closed": "the connection was closed before an answer",
    "Connection reset": "the connection was reset",
    "Read timed out": "no answer in time",
}
"""What the text of an error holds, to what is said of it."""


def user_agent(contact: str = "") -> str:
    """Returns the User-Agent header: `hgld/VERSION (contact) python-requests/VERSION`."""
    operator = f" ({contact})" if contact else ""
    return f"hgld/{__version__}{operator} python-requests/{requests.__version__}"


def require_contact(contact: str, *urls: str) -> None:
    """Refuses to talk to another machine without saying who is asking.

    Wikimedia asks for a way to reach the operator, and blocks agents that name none.

    Raises:
        InputError: no contact, and a URL that is not on this machine; or a contact that no
            header can carry.
    """
    hosts = [urlsplit(url).hostname or "" for url in urls]
    others = [host for host in hosts if host not in _LOOPBACK]
    if others and not contact.strip():
        raise InputError(
            f"{others[0]} asks who is calling; say how to reach you: --contact you@example.org"
        )
    if not contact.isprintable() or not contact.isascii():
        # Without it: a contact stands in no error and no log.
        raise InputError("contact must be one line of ASCII, such as you@example.org")


def is_web_address(url: str) -> bool:
    """Says whether a text can be an http(s) URL: its scheme, host and port."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or half of an IPv6 address
        return False


def make_session(
    contact: str = "", policy: HttpPolicy | None = None, *, address: str = ""
) -> PoliteSession:
    """Returns a session with time-outs, bounded retries and a User-Agent of our own.

    A request that meets a fault is tried again 1, 2, 4, ... s later; a busy server is waited for as
    its Retry-After says (seconds or date), within the policy's bounds. What cannot be mended
    by then is raised as `requests.RequestException`.

    Args:
        contact: how the operator of a server reaches whoever runs this; Wikimedia demands it.
        policy: the bounds.
        address: what is going to be asked; its login, if it has one, is sent along.

    Returns:
        A `requests` session. Several threads may post over it; where one of them is asked by a
        host to wait, they all wait.
    """
    session = PoliteSession(policy or HttpPolicy())
    session.headers["User-Agent"] = user_agent(contact)
    session.headers["Accept-Encoding"] = ENCODING
    if login := login_of(address):
        session.auth = HTTPBasicAuth(*(part.encode() for part in login))
    adapter = _PoliteAdapter(session.policy)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


def failure(url: str, error: requests.RequestException) -> FetchError:
    """Returns what a failed request means: nobody there, a refusal, or an answer of no use.

    Args:
        url: what was asked.
        error: what `requests` raised, after every retry.

    Returns:
        `AnswerError` where another request may do better, else `FetchError`.
    """
    url = redacted(url)
    if _is_unreachable(error) or isinstance(error, RefusedRedirectError):
        return FetchError(
            f"cannot reach {url}: {reason_of(error)}; check the address and the connection, then "
            f"rerun: what was fetched is kept"
        )
    answer = error.response
    # `is not None`: a response is false where its status is an error.
    if answer is not None and answer.status_code // 100 == _REFUSALS:
        return FetchError(
            f"{url} refuses with {answer.status_code} {answer.reason}; check the address and "
            f"--contact, then rerun: what was fetched is kept"
        )
    return AnswerError(
        f"{url}: {reason_of(error)}", smaller_may_do=isinstance(error, TooLargeError)
    )


def reason_of(error: requests.RequestException) -> str:
    """Returns an error in a few words, on one line; the libraries wrap it in several layers."""
    if isinstance(cause := _cause(error), ForbiddenConnectionError):
        return str(cause.__cause__)
    text = " ".join(redacted(str(error)).split())
    for sign, words in _REASONS.items():
        if sign in text:
            return words
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    return text


@dataclass(slots=True)
class _Host:
    """What is known of one host."""

    gate: threading.Lock = field(default_factory=threading.Lock)
    """Held by the thread that waits for the host, so that all others wait too."""
    waited_at: float = -math.inf
    """When the last such wait was over, on the monotonic clock."""
    has_answered: bool = False


class _PoliteAdapter(HTTPAdapter):
    """Sends requests under a policy."""

    def __init__(self, policy: HttpPolicy) -> None:
        super().__init__(max_retries=0)
        self._policy = policy
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._addresses = AddressRule(OFFICIAL_HOSTS)

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        *args: Any,  # noqa: ANN401 - as they come
        **options: Any,  # noqa: ANN401
    ) -> urllib3.connectionpool.ConnectionPool:
        """Returns a pool of our connections."""
        pool = super().get_connection_with_tls_context(request, *args, **options)
        pool = cast("urllib3.HTTPConnectionPool", pool)
        ours = PromptHTTPSConnection if pool.scheme == "https" else PromptHTTPConnection
        if not issubclass(ours, pool.ConnectionCls):
            # Of a SOCKS proxy, which keeps none of our rules.
            raise requests.exceptions.InvalidProxyURL(
                "a SOCKS proxy cannot be used, an HTTP one can"
            )
        pool.ConnectionCls = ours
        return pool

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,  # noqa: ANN401 - seconds, in each of the forms that requests knows
        *args: Any,  # noqa: ANN401 - as they come
        **options: Any,  # noqa: ANN401
    ) -> requests.Response:
        """Sends a request, as `HTTPAdapter.send` does, again where that may help."""
        url = redacted(str(request.url)).partition("?")[0]
        host = self._hosts[urlsplit(url).netloc]
        timeout = timeout or (self._policy.connect_timeout_s, self._policy.read_timeout_s)
        patience = Patience(self._policy, url)
        while True:
            _rewind(request)
            with host.gate:
                sent_at = time.monotonic()
            try:
                with deadline(self._policy.deadline_s), reaching(self._addresses):
                    response = super().send(request, True, timeout, *args, **options)
                    # `requests` reads that of a redirect, too, and as much as there is.
                    if not stream or response.is_redirect:
                        read_body(response, self._policy.answer_bytes)
            except requests.RequestException as error:
                if not self._may_repeat(error, host) or not patience.fault(reason_of(error)):
                    raise
                continue
            host.has_answered = True
            why = f"answered {response.status_code} {response.reason}"
            if _is_busy(response, peek=not stream):
                why += ", to come back later"
                waited = _wait_for(host, sent_at, patience, why, response.headers)
            elif response.status_code in self._policy.faults:
                waited = patience.fault(why)
            else:
                return response
            response.close()
            if not waited:
                raise requests.exceptions.RetryError(f"still {why}", request=request)

    def _may_repeat(self, error: requests.RequestException, host: _Host) -> bool:
        """Says whether the same request may fare better a little later."""
        final = (UnusableAnswerError, requests.exceptions.SSLError, ForbiddenConnectionError)
        if isinstance(error, final) or isinstance(_cause(error), final):
            return False
        if _is_unreachable(error):
            # A server that was there a moment ago is being restarted; one that never was is a
            # wrong address, and waiting would only hide it.
            return host.has_answered
        if isinstance(error, requests.Timeout):
            return self._policy.repeats_slow
        broken = requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError
        return isinstance(error, (requests.ConnectionError, *broken))


def _rewind(request: requests.PreparedRequest) -> None:
    """Goes back to the start of a file that is sent, which an earlier try has read."""
    if seek := getattr(request.body, "seek", None):
        seek(0)


def _wait_for(
    host: _Host, sent_at: float, patience: Patience, why: str, headers: Mapping[str, str]
) -> bool:
    """Waits for a busy host, one thread for all; False where that exceeds the patience.

    A request that was refused before another one's wait was over has waited with that one.
    """
    with host.gate:
        if sent_at < host.waited_at:
            return True
        has_waited = patience.busy(why, headers)
        host.waited_at = time.monotonic()
        return has_waited


def _is_busy(response: requests.Response, *, peek: bool) -> bool:
    """Says whether a server asks to come back later.

    MediaWiki does so with status 200 and an error in the body, as a rule with Retry-After or
    X-Database-Lag. Only a body that was read may be looked into (`peek`).
    """
    if response.status_code == _TOO_MANY_REQUESTS or "X-Database-Lag" in response.headers:
        return True
    if response.status_code in FAULTS:
        return "Retry-After" in response.headers
    if not peek or not response.ok or not response.content.lstrip().startswith(b'{"error"'):
        return False
    return "Retry-After" in response.headers or _BUSY_CODE.search(response.content) is not None


def _is_unreachable(error: requests.RequestException) -> bool:
    """Says whether no connection came about: nobody there, no such name, no trust."""
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError)):
        return True
    cause = _cause(error)
    return isinstance(cause, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.SSLError))


def _cause(error: requests.RequestException) -> BaseException | None:
    """Returns what `requests` and urllib3 wrapped, if anything."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return cause if isinstance(cause, BaseException) else None
