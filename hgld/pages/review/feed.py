"""What has happened, told to every open page within a second: server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import NamedTuple

from hgld.errors import HgldError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.wording import event_words

LOOK_EVERY_S = 0.3
"""How often the log is looked at; who decides is answered first."""
_HEARTBEAT_S = 15.0
_MOST_WAITING = 1_000  # events that a page may be behind; then it reads all anew


class News(NamedTuple):
    """What has happened, for everybody who has the page open."""

    line: int
    """The last of the log."""
    text: str = ""
    """In words, where somebody did something; or what is wrong."""
    reviewer: str = ""
    """Who did it; empty: proposals or pictures are others."""
    is_problem: bool = False


class Feed:
    """Tells pages. All but `close` of the loop's own thread."""

    def __init__(self, session: ReviewSession, *, heartbeat_s: float = _HEARTBEAT_S) -> None:
        """Prepares; `run` follows the log."""
        self._session, self._heartbeat_s = session, heartbeat_s
        self._queues: set[asyncio.Queue[News | None]] = set()
        self._is_closed = False
        self._told = (session.line, session.renewed)

    async def run(self) -> None:
        """Follows the log until it is cancelled."""
        problem = ""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await asyncio.to_thread(self._session.sync)
            except HgldError as error:
                if str(error) != problem:
                    problem = str(error)
                    self._spread(News(self._session.line, problem, is_problem=True))
                continue
            problem = ""
            line, renewed = self._told
            self._told = (self._session.line, self._session.renewed)
            for event in self._session.events[line : self._told[0]]:
                self._spread(News(event.number, event_words(event), event.reviewer))
            if renewed != self._told[1]:
                self._spread(News(self._told[0]))

    async def events(self, line: int) -> AsyncIterator[str]:
        """Yields what happens from a line of the log on, as lines of an event stream.

        Args:
            line: the last that the page shows.
        """
        queue: asyncio.Queue[News | None] = asyncio.Queue(_MOST_WAITING)
        self._queues.add(queue)
        try:
            yield "retry: 1000\n\n"
            if self._session.line != line:
                yield _event(News(self._session.line))
            while not self._is_closed:
                try:
                    told = await asyncio.wait_for(queue.get(), self._heartbeat_s)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if told is None:
                    return
                yield _event(told)
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """Ends all streams."""
        self._is_closed = True
        self._spread(None)

    def _spread(self, told: News | None) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(told)


def _event(told: News) -> str:
    # JSON has no bare line break, which would end the field.
    return f"data: {json.dumps(told._asdict())}\n\n"
