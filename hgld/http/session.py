"""One HTTP policy for every server the project talks to: who we are, time-outs, retries, waits.

It sits in the adapter of a `requests` session (`_PoliteAdapter.send`), so that it holds for
whatever uses the session: our own downloads, mwclient and SPARQLWrapper
(`hgld.scrape.services`).

Who handles which fault:

    429, Retry-After, maxlag         `_is_busy` sees it, `_Host.wait` pauses the whole host
    500, 502, 503, 504               `_PoliteAdapter.send` tries again
    broken connections, time-outs    `_may_repeat` says whether to try again
    what is left after all retries   `failure` says what it means

How long each wait is, and when it is enough, is in `hgld.http.patience`; how much of an answer is
read in `hgld.http.bodies`, which redirects are followed in `hgld.http.redirects`, and which
addresses are connected to in `hgld.http.connections`.

Proxies and further certificates are those of the environment, as `requests` takes them (HTTP_PROXY,
HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE). A login in an address is sent as Basic authentication,
only to that server.
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
from requests.auth import HTTPBasicAuth
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
_TOO_MANY_REQUESTS = 429
_REFUSALS = 4  # 400 to 499
# Errors of MediaWiki's API that say "later": the server is behind, or has had enough of us.
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
"""What the text of an error holds, to what is said of it."""


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
        raise InputError(f"{others[0]} asks who is calling; say so: --contact you@example.org")
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
    by then is raised as `requests.RequestException`, and what is refused as `FetchError`.

    Args:
        contact: how the operator of a server reaches whoever runs this; Wikimedia demands it.
        policy: the bounds.
        address: what is going to be asked; its login, if it has one, is sent along.

    Returns:
        A `requests` session. Several threads may post over it; where one of them is asked by a
        host to wait, they all wait.
    """
    session = PoliteSession(policy or HttpPolicy())
    operator, library = f" ({contact})" if contact else "", f"requests/{requests.__version__}"
    session.headers["User-Agent"] = f"hgld/{__version__}{operator} python-{library}"
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
    url, mend = redacted(url), "then rerun: what was fetched is kept"
    if _is_unreachable(error):
        return FetchError(f"cannot reach {url}: {reason_of(error)}; check the address, {mend}")
    answer = error.response
    # `is not None`: a response is false where its status is an error.
    if answer is not None and answer.status_code // 100 == _REFUSALS:
        why = f"{answer.status_code} {answer.reason}"
        return FetchError(f"{url} refuses with {why}; check the address and --contact, {mend}")
    return AnswerError(f"{url}: {reason_of(error)}")


def reason_of(error: requests.RequestException) -> str:
    """Returns an error in a few words, on one line; the libraries wrap it in several layers."""
    text = " ".join(redacted(str(error)).split())
    for sign, words in _REASONS.items():
        if sign in text:
            return words
    return text


@dataclass(slots=True)
class _Host:
    """What is known of one host."""

    gate: threading.Lock = field(default_factory=threading.Lock)
    """Held by the thread that waits for the host, so that all others wait too."""
    waited_at: float = -math.inf
    """When the last such wait was over, on the monotonic clock."""
    has_answered: bool = False

    def wait(self, sent_at: float, patience: Patience, why: str, answer: Response) -> bool:
        """Waits as the host asks, one thread for all; False where that exceeds the patience.

        A request that was refused before another one's wait was over has waited with that one.
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
        if not issubclass(ours, pool.ConnectionCls):  # that of SOCKS keeps none of our rules
            raise requests.exceptions.InvalidProxyURL("a SOCKS proxy cannot be used; an HTTP can")
        pool.ConnectionCls = ours
        pool.conn_kw["rule"] = self._addresses
        return pool

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - as they come
        """Sends a request, as `HTTPAdapter.send` does, again where that may help."""
        url = redacted(str(request.url)).partition("?")[0]
        host, policy = self._hosts[urlsplit(url).netloc], self._policy
        is_streamed = options["stream"]
        timeout = options["timeout"] or (policy.connect_timeout_s, policy.read_timeout_s)
        options |= {"stream": True, "timeout": timeout}
        patience = Patience(policy, url)
        while True:
            with host.gate:
                sent_at = time.monotonic()
            try:
                with connections.deadline(policy.deadline_s):
                    response = super().send(request, *args, **options)
                    # `requests` reads that of a redirect, too, and as much as there is.
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
        """Says whether the same request may fare better a little later."""
        if _is_unreachable(error):
            # A server that was there a moment ago is being restarted; one that never was is a
            # wrong address, and waiting would only hide it.
            return host.has_answered
        if isinstance(error, requests.Timeout):
            return self._policy.repeats_slow
        broken = requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError
        return isinstance(error, (requests.ConnectionError, *broken))


def _is_busy(response: Response, *, peek: bool) -> bool:
    """Says whether a server asks to come back later.

    MediaWiki does so with status 200 and an error in the body, as a rule with Retry-After or
    X-Database-Lag. Only a body that was read may be looked into (`peek`).
    """
    if response.status_code == _TOO_MANY_REQUESTS or "X-Database-Lag" in response.headers:
        return True
    names_a_time = "Retry-After" in response.headers
    if response.status_code in FAULTS:
        return names_a_time
    is_error = peek and response.ok and response.content.lstrip().startswith(b'{"error"')
    return is_error and (names_a_time or _BUSY_CODE.search(response.content) is not None)


def _is_unreachable(error: requests.RequestException) -> bool:
    """Says whether no connection came about: nobody there, no such name, no trust."""
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError)):
        return True
    wrapped = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(wrapped, NewConnectionError)
