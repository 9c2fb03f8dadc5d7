"""A few bytes out of the midst of a large file, by one request (Range)."""

import re
from http import HTTPStatus

import requests

from hgld.errors import FetchError, NotFoundError
from hgld.http.bodies import read_body
from hgld.http.connections import deadline
from hgld.http.patience import Patience
from hgld.http.redirects import PoliteSession
from hgld.http.session import reason_of

_NOT_FOUND = (403, 404, 410)
_BROKEN = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ReadTimeout)
"""How an answer shows that broke off."""


def fetch_part(session: PoliteSession, url: str, offset: int, size: int) -> bytes:
    """Returns bytes of a file.

    Args:
        session: its policy bounds the request.
        url: of the file.
        offset: of the first byte.
        size: how many, at least 1.

    Raises:
        NotFoundError: the server has no such file.
        FetchError: no answer, another error status, other bytes than were asked for, or the whole
            file, of which nothing is read.
    """
    patience = Patience(session.policy, url)
    while True:
        try:
            with _asked(session, url, offset, size) as answer, deadline(session.policy.deadline_s):
                read_body(answer, size)
                content = bytes(answer.raw.read())
        except requests.RequestException as error:
            # Where there was no answer at all, the session has tried as often as it may.
            has_answered = isinstance(error, _BROKEN)
            if not (has_answered and patience.fault(reason_of(error))):
                raise FetchError(
                    f"cannot fetch {size:,} bytes of {url}: {reason_of(error)}; check the address "
                    f"and rerun"
                ) from error
            continue
        if len(content) == size:
            return content
        if not patience.fault(f"{len(content):,} of {size:,} bytes came"):
            raise FetchError(f"{url} sent {len(content):,} bytes where {size:,} were asked for")


def _asked(session: PoliteSession, url: str, offset: int, size: int) -> requests.Response:
    """Returns the answer with the part that is asked for, whose body is still to come."""
    last = offset + size - 1
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-{last}"}
    answer = session.get(url, headers=headers, stream=True)
    status, came = answer.status_code, answer.headers.get("Content-Range", "")
    pattern = rf"bytes {offset}-{last}/(?:[0-9]+|\*)"
    if status == HTTPStatus.PARTIAL_CONTENT and re.fullmatch(pattern, came):
        return answer
    answer.close()
    if status in _NOT_FOUND:
        raise NotFoundError(f"{url} is not there ({status}); check the address")
    if status == HTTPStatus.OK:
        raise FetchError(f"{url} comes as a whole, whatever part is asked for")
    raise FetchError(f"{url} answered {status} {answer.reason} to bytes {offset}-{last}")
