"""The bounds of every request: how long to wait, how often to try, how much to take.

`Patience.busy` waits for a server that asks for it (429, Retry-After, maxlag), as long as it says;
`Patience.fault` waits after any other fault. `hgld.http.session` tells which is which.
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
"""What a retry may mend. Other statuses (403, 404, 410, ...) are answers."""

_LONGEST_BACKOFF_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPolicy:
    """How long to wait for what, and how much to take. It does not change what is fetched."""

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    """Of silence."""
    deadline_s: float = 120.0
    """For a whole answer, however slowly it drips; of a download, for its head, and the time after
    which its speed counts."""
    attempts: int = 5
    """For a request that meets faults: no connection, a broken answer, a status of `faults`."""
    backoff_s: float = 1.0
    """The first wait where the server names none; it doubles up to a minute."""
    patience_s: float = 1800.0
    """The most time that one request waits for a busy server (429, Retry-After, maxlag) in all."""
    answer_bytes: int = 64_000_000
    """The most of an answer, unpacked. MediaWiki stops at 8 MB, a batch of items has less."""
    download_bytes: int = 4_000_000_000
    """The most of a download. GLDv2's largest files have about 1 GB."""
    slowest_bytes_per_s: int = 20_000
    """The average rate of a download after `deadline_s`. With a rate and not a time, a tar of 1 GB
    may take 14 hours on a slow line, and a server that drips is left after minutes."""
    faults: frozenset[int] = FAULTS
    repeats_slow: bool = True
    """Whether a request that ran into a time-out is sent again as it was."""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Reads the Retry-After header, seconds or a date; None for no header and a malformed one."""
    with contextlib.suppress(InvalidHeader, KeyError):
        return Retry().parse_retry_after(headers["Retry-After"])
    return None


@dataclass(slots=True)
class Patience:
    """How long one request is still tried: so many faults, and so much time for a busy server."""

    policy: HttpPolicy
    url: str
    """What is asked, for the log."""
    _tries: int = field(default=0, init=False)
    _faults: int = field(default=0, init=False)
    _waited_s: float = field(default=0.0, init=False)

    def fault(self, why: str) -> bool:
        """Waits after a fault; False, at once, where it was one too many."""
        self._faults += 1
        if self._faults >= self.policy.attempts:
            return False
        self._wait(why, self._backoff_s())
        return True

    def busy(self, why: str, headers: Mapping[str, str]) -> bool:
        """Waits for a busy server as it says; False, at once, where that is more than is left."""
        asked_s = retry_after_s(headers)
        # A wait of nothing would make of a date that is just past a storm of requests.
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
