"""What has happened, told to every open page within a second: server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator

from hgld.errors import HgldError
from hgld.pages.review.session import News, ReviewSession

LOOK_EVERY_S = 0.5
"""How often the log is looked at for what other processes have added."""
TELL_AFTER_S = 0.15
"""Who decides is answered first: to tell pages takes time of the same core."""
_HEARTBEAT_S = 15.0
_MOST_WAITING = 1_000  # events that a page may be behind; then it reads all anew


class Feed:
    """Tells pages. All but `close` of the loop's own thread."""

    def __init__(self, session: ReviewSession, *, heartbeat_s: float = _HEARTBEAT_S) -> None:
        """Prepares; `run` follows the log."""
        self._session, self._heartbeat_s = session, heartbeat_s
        self._queues: set[asyncio.Queue[News | None]] = set()
        self._is_closed = False
        self._problem = ""

    async def run(self) -> None:
        """Follows the log until it is cancelled."""
        loop = asyncio.get_running_loop()

        def heard(told: News) -> None:
            loop.call_soon_threadsafe(loop.call_later, TELL_AFTER_S, self._spread, told)

        leave = self._session.listen(heard)
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                await self._look()
        finally:
            leave()

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
        for queue in self._queues:
            _put(queue, None)

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self._session.sync)
        except HgldError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._spread(News(self._session.line, self._problem, is_problem=True))
        else:
            self._problem = ""

    def _spread(self, told: News) -> None:
        for queue in self._queues:
            _put(queue, told)


def _put(queue: "asyncio.Queue[News | None]", told: News | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(told)


def _event(told: News) -> str:
    # JSON has no bare line break, which would end the field.
    return f"data: {json.dumps(told._asdict())}\n\n"
