"""One HTTP policy for all servers: User-Agent, time-outs, retries, waits.

It is in the adapter of a `requests` session (`_PoliteAdapter.send`), so it applies to everything
that uses the session: our downloads, mwclient and SPARQLWrapper (`hgld.scrape.services`).

Who handles which fault:

    too many requests a minute       `_Host.turn` spaces them, each after the one before
    429, Retry-After, maxlag         `_is_busy` detects it, `_Host.wait` pauses the whole host
    500, 502, 503, 504               `_PoliteAdapter.send` tries again
    broken connections, time-outs    `_may_repeat` decides whether to try again
    what remains after all retries   `failure` turns it into our error

`hgld.http.patience` has the length and number of waits, `hgld.http.bodies` the limit of an answer,
`hgld.http.redirects` the permitted redirects, and `hgld.http.connections` the permitted addresses.

Proxies and extra certificates come from the environment, as in `requests` (HTTP_PROXY, HTTPS_PROXY,
NO_PROXY, REQUESTS_CA_BUNDLE). A login in an address is sent as Basic authentication, only to that
server.
"""

import math
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import NewConnectionError

from hgld import __version__
from hgld.engine.logins import login_of, redacted
from hgld.errors import AnswerError, FetchError, InputError
from hgld.http import connections
from hgld.http.bodies import ENCODING, read_body
from hgld.http.patience import FAULTS, HttpPolicy, Patience
from hgld.http.redirects import OFFICIAL_HOSTS, PoliteSession

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_MINUTE_S = 60
_TOO_MANY_REQUESTS = 429
_REFUSALS = 4  # 400 to 499
# Errors of MediaWiki's API that mean "later": replication lag, rate limit, read-only mode.
_BUSY_CODE = re.compile(rb'"code"\s*:\s*"(maxlag|ratelimited|readonly)"')

_REASONS = {
    "Connection refused": "connection refused, no server listens there",
    "NameResolutionError": "no such host name",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted (see REQUESTS_CA_BUNDLE)",
    "Remote end closed": "the connection was closed before an answer",
    "Connection reset": "the connection was reset",
    "Read timed out": "no answer in time",
    "ConnectTimeoutError": "no connection in time",
}
"""Part of an error's text to the words that a user sees."""


def require_contact(contact: str, *urls: str) -> None:
    """Refuses to ask another machine without a contact.

    Wikimedia requires a way to reach the operator, and blocks agents that give none.

    Raises:
        InputError: no contact for a URL that is not on this machine, or a contact that cannot be in
            a header.
    """
    others = [urlsplit(url).hostname for url in urls if not is_on_this_machine(url)]
    if others and not contact.strip():
        raise InputError(f"{others[0]} asks who is calling; add --contact you@example.org")
    if not contact.isprintable() or not contact.isascii():
        # The message does not repeat it: a contact must not get into errors or logs.
        raise InputError("contact must be one line of ASCII, such as you@example.org")


def is_on_this_machine(url: str) -> bool:
    """Says whether the host of a URL is a name of this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def is_web_address(url: str) -> bool:
    """Says whether a text has the scheme, host and port of an http(s) URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, or half an IPv6 address
        return False


def make_session(
    contact: str = "", policy: HttpPolicy | None = None, *, address: str = "", token: str = ""
) -> PoliteSession:
    """Returns a session with time-outs, limited retries and our User-Agent.

    A request with a fault is tried again 1, 2, 4, ... s later; for a busy server the wait is its
    Retry-After (seconds or date), within the policy's limits. Faults that remain are raised as
    `requests.RequestException`, refusals as `FetchError`.

    Args:
        contact: how the operator of a server can reach the user; Wikimedia requires it.
        policy: the limits.
        address: the address to be asked; its login, if any, is sent along.
        token: an OAuth 2.0 access token to send in its place, only to that server.

    Returns:
        A `requests` session, which keeps the cookies that it gets. Several threads may use it; when
        a host asks one of them to wait, all of them wait.
    """
    session = PoliteSession(policy or HttpPolicy())
    operator, library = f" ({contact})" if contact else "", f"requests/{requests.__version__}"
    session.headers["User-Agent"] = f"hgld/{__version__}{operator} python-{library}"
    session.headers["Accept-Encoding"] = ENCODING
    if token:
        session.auth = _Bearer(token)
    elif login := login_of(address):
        session.auth = HTTPBasicAuth(*(part.encode() for part in login))
    adapter = _PoliteAdapter(session.policy)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


def failure(url: str, error: requests.RequestException) -> FetchError:
    """Returns our error for a failed request: unreachable, refused, or a useless answer.

    Args:
        url: of the request.
        error: from `requests`, after all retries.

    Returns:
        `AnswerError` if another request may succeed, else `FetchError`.
    """
    url, mend = redacted(url), "then rerun: what was fetched is kept"
    if _is_unreachable(error):
        return FetchError(f"cannot reach {url}: {reason_of(error)}; check the address, {mend}")
    answer = error.response
    # `is not None`: a response with an error status is falsy.
    if answer is not None and answer.status_code // 100 == _REFUSALS:
        why = f"{answer.status_code} {answer.reason}"
        return FetchError(f"{url} refuses with {why}; check the address and --contact, {mend}")
    return AnswerError(f"{url}: {reason_of(error)}")


def reason_of(error: requests.RequestException) -> str:
    """Returns the reason of an error, without its layers of wrappers, on one line."""
    text = " ".join(redacted(str(error)).split())
    for sign, words in _REASONS.items():
        if sign in text:
            return words
    return text


class _Bearer(AuthBase):
    """Sends a token; a header alone would give way to a login in `~/.netrc`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(slots=True)
class _Host:
    """The state of one host."""

    gate: threading.Lock = field(default_factory=threading.Lock)
    """Held by the thread that waits for the host, so that all others wait too."""
    waited_at: float = -math.inf
    """End of the last such wait, on the monotonic clock."""
    has_answered: bool = False
    next_at: float = -math.inf
    """When the next request may be sent."""

    def turn(self, per_minute: float) -> float:
        """Waits for one's turn; returns when that came, on the monotonic clock."""
        with self.gate:
            sent_at = time.monotonic()
            if per_minute:
                time.sleep(max(0.0, self.next_at - sent_at))
                sent_at = time.monotonic()
                self.next_at = sent_at + _MINUTE_S / per_minute
            return sent_at

    def wait(self, sent_at: float, patience: Patience, why: str, answer: Response) -> bool:
        """Waits as the host asks, one thread for all; False if that exceeds the patience.

        A request sent before the end of another thread's wait has waited with that thread.
        """
        with self.gate:
            if sent_at < self.waited_at:
                return True
            has_waited = patience.busy(why, answer.headers)
            self.waited_at = time.monotonic()
            return has_waited


class _PoliteAdapter(HTTPAdapter):
    """Sends requests under a policy."""

    def __init__(self, policy: HttpPolicy) -> None:
        super().__init__(max_retries=0)
        self._policy = policy
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._addresses = connections.AddressRule(OFFICIAL_HOSTS)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:  # noqa: ANN401 - as they come
        """Returns a pool of our connections."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*args, **options))
        is_tls = pool.scheme == "https"
        ours = connections.PromptHTTPSConnection if is_tls else connections.PromptHTTPConnection
        if not issubclass(ours, pool.ConnectionCls):  # SOCKS would bypass our rules
            raise requests.exceptions.InvalidProxyURL("cannot use a SOCKS proxy; use an HTTP proxy")
        pool.ConnectionCls = ours
        pool.conn_kw["rule"] = self._addresses
        return pool

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - as they come
        """Sends a request like `HTTPAdapter.send`, and repeats it if that may help."""
        url = redacted(str(request.url)).partition("?")[0]
        host, policy = self._hosts[urlsplit(url).netloc], self._policy
        is_streamed = options["stream"]
        timeout = options["timeout"] or (policy.connect_timeout_s, policy.read_timeout_s)
        options |= {"stream": True, "timeout": timeout}
        patience = Patience(policy, url)
        while True:
            sent_at = host.turn(policy.requests_per_minute)
            try:
                with connections.deadline(policy.deadline_s):
                    response = super().send(request, *args, **options)
                    # `requests` would read the body of a redirect without a limit.
                    if not is_streamed or response.is_redirect:
                        read_body(response, policy.answer_bytes)
            except requests.RequestException as error:
                if not self._may_repeat(error, host) or not patience.fault(reason_of(error)):
                    raise
                continue
            host.has_answered = True
            why = f"answered {response.status_code} {response.reason}"
            if _is_busy(response, peek=not is_streamed):
                why += ", to come back later"
                waited = host.wait(sent_at, patience, why, response)
            elif response.status_code in policy.faults:
                waited = patience.fault(why)
            else:
                return response
            response.close()
            if not waited:
                raise requests.exceptions.RetryError(f"still {why}", request=request)

    def _may_repeat(self, error: requests.RequestException, host: _Host) -> bool:
        """Says whether the same request may succeed a little later."""
        if _is_unreachable(error):
            # A server that has answered is probably restarting; one that never did is a wrong
            # address, and waiting would only hide that.
            return host.has_answered
        if isinstance(error, requests.Timeout):
            return self._policy.repeats_slow
        broken = requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError
        return isinstance(error, (requests.ConnectionError, *broken))


def _is_busy(response: Response, *, peek: bool) -> bool:
    """Says whether a server asks to come back later.

    MediaWiki does so with status 200 and an error in the body, usually with Retry-After or
    X-Database-Lag. `peek`: the body was read and may be inspected.
    """
    if response.status_code == _TOO_MANY_REQUESTS or "X-Database-Lag" in response.headers:
        return True
    names_a_time = "Retry-After" in response.headers
    if response.status_code in FAULTS:
        return names_a_time
    is_error = peek and response.ok and response.content.lstrip().startswith(b'{"error"')
    return is_error and (names_a_time or _BUSY_CODE.search(response.content) is not None)


def _is_unreachable(error: requests.RequestException) -> bool:
    """Says whether there was no connection: no server, no such name, no trusted certificate."""
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError)):
        return True
    wrapped = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(wrapped, NewConnectionError)
