"""The limits of every request: how long to wait, how often to try, how much to read.

`Patience.busy` waits as long as a busy server asks (429, Retry-After, maxlag); `Patience.fault`
waits after any other fault. `hgld.http.session` decides which one applies.
"""

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import sleep

from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

logger = logging.getLogger(__name__)

FAULTS = frozenset({500, 502, 503, 504})
"""Statuses that a retry may fix. Others (403, 404, 410, ...) are final answers."""

_LONGEST_BACKOFF_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPolicy:
    """Time-outs, retries and size limits. They do not change what is fetched."""

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    """Without a byte."""
    deadline_s: float = 120.0
    """For a complete answer, however slowly it drips. For a download: for its head, and the time
    after which its speed is checked."""
    requests_per_minute: float = 0
    """Most requests to a host, evenly spread; 0: any number."""
    attempts: int = 5
    """For a request with faults: no connection, a broken answer, a status of `faults`."""
    backoff_s: float = 1.0
    """The first wait if the server names none; it doubles up to a minute."""
    patience_s: float = 1800.0
    """The longest total wait of one request for a busy server (429, Retry-After, maxlag)."""
    answer_bytes: int = 64_000_000
    """Limit of an answer, decompressed. MediaWiki stops at 8 MB, a batch of items has less."""
    download_bytes: int = 4_000_000_000
    """Limit of a download. GLDv2's largest files have about 1 GB."""
    slowest_bytes_per_s: int = 20_000
    """Least average rate of a download after `deadline_s`. Because it is a rate, a tar of 1 GB may
    take 14 hours on a slow line, but a server that drips is dropped after minutes."""
    faults: frozenset[int] = FAULTS
    repeats_slow: bool = True
    """Whether to repeat a request unchanged after a time-out."""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Reads the Retry-After header, seconds or a date; None if it is missing or malformed."""
    with contextlib.suppress(InvalidHeader, KeyError):
        return Retry().parse_retry_after(headers["Retry-After"])
    return None


@dataclass(slots=True)
class Patience:
    """Counts the faults and the waits of one request, against the limits of its policy."""

    policy: HttpPolicy
    url: str
    """For the log."""
    _tries: int = field(default=0, init=False)
    _faults: int = field(default=0, init=False)
    _waited_s: float = field(default=0.0, init=False)

    def fault(self, why: str) -> bool:
        """Waits after a fault; returns False at once if it was one too many."""
        self._faults += 1
        if self._faults >= self.policy.attempts:
            return False
        self._wait(why, self._backoff_s())
        return True

    def busy(self, why: str, headers: Mapping[str, str]) -> bool:
        """Waits as a busy server asks; returns False at once if that exceeds the time left."""
        asked_s = retry_after_s(headers)
        # With a date that has just passed, no wait at all would cause a storm of requests.
        wait_s = self._backoff_s() if asked_s is None else max(asked_s, self.policy.backoff_s)
        if self._waited_s + wait_s > self.policy.patience_s:
            return False
        self._waited_s += wait_s
        self._wait(why, wait_s)
        return True

    def _backoff_s(self) -> float:
        return float(min(_LONGEST_BACKOFF_S, self.policy.backoff_s * 2**self._tries))

    def _wait(self, why: str, wait_s: float) -> None:
        self._tries += 1
        logger.warning("%s: %s; trying again in %.3g s", self.url, why, wait_s)
        sleep(wait_s)
