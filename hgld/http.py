"""One HTTP policy for every server the project talks to: who we are, time-outs and retries."""

from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

import hgld
from hgld.errors import FetchError

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
_RETRIES = 5


def user_agent(contact: str = "") -> str:
    """Returns the User-Agent header: `hgld/VERSION (contact) python-requests/VERSION`."""
    operator = f" ({contact})" if contact else ""
    return f"hgld/{hgld.__version__}{operator} python-requests/{requests.__version__}"


def make_session(contact: str = "") -> requests.Session:
    """Returns a session with time-outs, bounded retries and a User-Agent of our own.

    Retries: five, on connection errors and on 429, 500, 502, 503 and 504, waiting as Retry-After
    says (seconds or date) and otherwise 1, 2, 4, ... s.

    Args:
        contact: how the operator of a server reaches whoever runs this; Wikimedia demands it.

    Returns:
        A `requests` session for one thread.
    """
    retry = urllib3.Retry(
        total=_RETRIES,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        respect_retry_after_header=True,
        raise_on_status=False,
    )
    session = requests.Session()
    session.headers["User-Agent"] = user_agent(contact)
    for scheme in ("http://", "https://"):
        session.mount(scheme, _TimeoutAdapter(max_retries=retry))
    return session


def download(session: requests.Session, url: str, destination: Path) -> None:
    """Streams a file to `destination`, which the caller renames when it is whole.

    Raises:
        FetchError: no answer, an error status, or fewer bytes than announced.
    """
    try:
        with session.get(url, stream=True) as answer:
            if not answer.ok:
                raise FetchError(f"{url} answered {answer.status_code} {answer.reason}")
            with destination.open("wb") as file:
                for chunk in answer.iter_content(chunk_size=1 << 20):
                    file.write(chunk)
    except requests.RequestException as error:
        raise FetchError(f"cannot fetch {url}: {error}; check the address and rerun") from error


class _TimeoutAdapter(HTTPAdapter):
    """Gives every request the default time-outs; `requests` itself has none."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Sends a request, as `HTTPAdapter.send` does."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        return super().send(request, **kwargs)
