"""The two services that the scrape asks, and what their errors mean.

`hgld.scrape.wikimedia` writes the requests and reads the answers. This module sends them through
mwclient and SPARQLWrapper, each over a session with its own policy (`hgld.http.session`).
"""

import contextlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import mwclient
import mwclient.errors
import requests
from SPARQLWrapper import JSON, POST, SPARQLWrapper

from hgld.errors import AnswerError, FetchError
from hgld.http.patience import HttpPolicy, Patience
from hgld.http.session import failure, make_session
from hgld.scrape.archive import RawAnswer, now
from hgld.scrape.config import ScrapeConfig

logger = logging.getLogger(__name__)

_MAXLAG_S = "5"
_MOST_CHUNKS = 500  # of 500 links each: more than fit in a page of 2 MB
_RESULTS = {"query", "error", "batchcomplete"}  # only the last: a generator found no pages
_OK = 200
# Bad request, content too large, URI too long, server error and gateway time-out: the services
# send these for a query that is wrong or takes too long.
_TOO_MUCH = frozenset({400, 413, 414, 500, 504})


POLICY = HttpPolicy()
"""The limits of every request."""
FAILURE_PAUSE_S = 2.0
"""After a failed SPARQL query; the public service bans clients with 30 failures in a minute."""


@dataclass(frozen=True, slots=True)
class CommonsApi:
    """Asks the API of a MediaWiki through mwclient, and tells answers from errors.

    `policy` must be the one that `session` was made with.
    """

    url: str
    """The folder of api.php, with its slash: `https://commons.wikimedia.org/w/`."""
    session: requests.Session
    policy: HttpPolicy

    def ask(self, request: dict[str, str], titles: Sequence[str]) -> RawAnswer:
        """Sends a request and its continuations until the answer is complete.

        A list of pages to ask about (`generator`), such as a category's million files, does not go
        on after its first batch.

        Args:
            request: the parameters, from a function of `hgld.scrape.wikimedia`.
            titles: the titles in the request.

        Raises:
            AnswerError: an API error, or no JSON after the policy's retries.
            FetchError: no connection, or a refusal that every request would get.
        """
        chunks = [self._call(request)]
        while onward := chunks[-1].get("continue"):
            if "generator" in request and chunks[-1].get("batchcomplete"):
                break
            if len(chunks) >= _MOST_CHUNKS or onward in [one["continue"] for one in chunks[:-1]]:
                raise AnswerError(f"{self.url} continues without end", smaller_may_do=True)
            chunks.append(self._call({**request, **onward}))
        return RawAnswer(self.url, request, tuple(titles), fetched_at=now(), answer=chunks)

    def _call(self, parameters: dict[str, str]) -> dict[str, Any]:
        patience = Patience(self.policy, self.url)
        while True:
            try:
                # POST: fifty titles in other scripts do not fit in a URL. `raw_api`: the layer
                # above it asks for user info with every request, so our IP would be archived.
                answer = self._site().raw_api(
                    "query", "POST", retry_on_error=False, maxlag=_MAXLAG_S, **parameters
                )
                error = self._error_of(answer)
            except requests.RequestException as broken:
                raise failure(self.url, broken) from broken
            except RecursionError as deep:
                why = f"{self.url} answered JSON that is nested too deeply"
                raise AnswerError(why, smaller_may_do=True) from deep
            except (mwclient.errors.InvalidResponse, UnicodeDecodeError) as garbage:
                why = f"answered no JSON: {_shown(garbage)!r}"
                if not patience.fault(why):
                    raise AnswerError(f"{self.url} {why}", smaller_may_do=True) from garbage
                continue
            if error:
                raise AnswerError(f"{self.url}: {error}", smaller_may_do=True)
            return cast("dict[str, Any]", answer)

    def _error_of(self, answer: Any) -> str:  # noqa: ANN401 - any JSON
        """Returns an answer's error as `code: text`, or an empty string; logs its warnings."""
        if not isinstance(answer, dict) or not answer.keys() & _RESULTS:
            return f"no result: {answer!r:.80}"
        if warnings := answer.get("warnings"):
            logger.warning("%s: %.300r", self.url, warnings)
        onward = answer.get("continue", {})
        if not isinstance(onward, dict) or not all(isinstance(one, str) for one in onward.values()):
            return f"a malformed continuation: {onward!r:.80}"
        error = answer.get("error")
        if isinstance(error, dict):
            return f"{error.get('code')}: {error.get('info', '')}"
        return f"error: {error!r:.80}" if error else ""

    def _site(self) -> mwclient.Site:
        """Returns mwclient over our session, without its own retries and start-up requests."""
        parts = urlsplit(self.url)
        return mwclient.Site(
            parts.netloc,
            path=parts.path,
            scheme=parts.scheme,
            pool=self.session,
            do_init=False,
            max_retries=0,
            connection_options={"timeout": None, "hooks": {"response": _require_text}},
        )


@dataclass(frozen=True, slots=True)
class WikidataApi:
    """Asks a SPARQL endpoint through SPARQLWrapper, and tells answers from broken ones."""

    url: str
    session: requests.Session
    """Its policy must not repeat a query that took too long."""

    def ask(self, query: str, qids: Sequence[str]) -> RawAnswer:
        """Sends a query.

        Args:
            query: SPARQL, from a function of `hgld.scrape.wikimedia`.
            qids: the Q-ids in the query.

        Raises:
            AnswerError: a time-out (an error status, or cut-off JSON with status 200), a query that
                the service refuses, or a server error.
            FetchError: no connection, or a refusal that every request would get.
        """
        wrapper = _SessionSPARQL(self.url, agent=str(self.session.headers["User-Agent"]))
        wrapper.setMethod(POST)  # GET is refused over 8 KB
        wrapper.setReturnFormat(JSON)
        wrapper.setQuery(query)
        try:
            answer = _result(wrapper.send(self.session))
        except requests.RequestException as error:
            time.sleep(FAILURE_PAUSE_S)
            raise _failure(self.url, error) from error
        except ValueError as error:
            time.sleep(FAILURE_PAUSE_S)
            why = f"{self.url} gave an incomplete or malformed result: {error}"
            raise AnswerError(why, smaller_may_do=True) from error
        request, keys = {"query": query}, tuple(qids)
        return RawAnswer(self.url, request, keys, fetched_at=now(), answer=answer)


class Services(NamedTuple):
    """The services to ask, each named like the setting that has its address."""

    commons: CommonsApi
    sparql: WikidataApi


@contextlib.contextmanager
def open_services(config: ScrapeConfig) -> Iterator[Services | None]:
    """Gives the two services, each with its own session; None for a replay, which is offline."""
    if config.replay:
        yield None
        return
    policy = replace(POLICY, requests_per_minute=config.pace(config.commons))
    # A query that takes too long is not repeated unchanged.
    once = replace(POLICY, faults=POLICY.faults - _TOO_MUCH, repeats_slow=False)
    once = replace(once, requests_per_minute=config.pace(config.sparql))
    token = config.read_token(config.commons)
    with (
        make_session(config.contact, policy, address=config.commons, token=token) as commons,
        make_session(config.contact, once, address=config.sparql) as sparql,
    ):
        # Only the sessions have the logins; answers, errors and logs must not.
        public = config.without_logins()
        yield Services(
            CommonsApi(public.commons, commons, policy), WikidataApi(public.sparql, sparql)
        )


class _SessionSPARQL(SPARQLWrapper):
    """SPARQLWrapper writes the request; our session, with its policy, sends it.

    SPARQLWrapper's own transport is urllib: no retries, a time-out per read, 429 as a raw error.
    """

    def send(self, session: requests.Session) -> requests.Response:
        """Sends the current query."""
        request = self._createRequest()
        body = request.data if isinstance(request.data, bytes) else b""
        return session.post(request.full_url, data=body, headers=dict(request.header_items()))


def _require_text(response: requests.Response, **_: object) -> None:
    """Refuses a response that is not complete UTF-8 text.

    mwclient guesses an encoding and replaces what it cannot read. A status such as 204 or 206 would
    end in an unrelated error.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        mwclient.errors.InvalidResponse: its status is not 200.
    """
    if response.ok and not response.is_redirect:
        if response.status_code != _OK:
            raise mwclient.errors.InvalidResponse(f"{response.status_code} {response.reason}")
        response.content.decode("utf-8")
        response.encoding = "utf-8"


def _shown(garbage: mwclient.errors.InvalidResponse | UnicodeDecodeError) -> str:
    """Returns the start of the text that came instead of JSON."""
    if isinstance(garbage, UnicodeDecodeError):
        return str(garbage)
    return str(garbage.response_text)[:80]


def _result(response: requests.Response) -> dict[str, Any]:
    """Returns a complete, well-formed result.

    Raises:
        requests.HTTPError: an error status.
        ValueError: JSON that is not a result, or is cut off, as by a time-out after the status
            line.
    """
    response.raise_for_status()
    if response.status_code != _OK:
        raise ValueError(f"its status is {response.status_code} {response.reason}")
    try:
        answer = json.loads(response.content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    try:
        answer["results"]["bindings"][:0]
    except (KeyError, TypeError) as error:
        raise ValueError("it has no results.bindings") from error
    return cast("dict[str, Any]", answer)


def _failure(url: str, error: requests.RequestException) -> FetchError:
    status = error.response.status_code if error.response is not None else 0
    # The same query would time out again, but a part of it may be fast enough. A refused query may
    # have only one bad id.
    if status in _TOO_MUCH or isinstance(error, requests.exceptions.ReadTimeout):
        text = error.response.text if error.response is not None else str(error)
        return AnswerError(f"{url}: {status or 'no answer'}: {text[:200]}", smaller_may_do=True)
    return failure(url, error)
