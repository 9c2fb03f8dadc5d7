"""What has happened, told to every open page within a second: server-sent events."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from hgld.errors import HgldError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.wording import event_words

LOOK_EVERY_S = 0.1
"""How often each page's stream looks: new proposals are shown before the next key, 0.5 s on."""
_HEARTBEAT = 150  # looks between two signs of life


async def follow(
    session: ReviewSession, line: int, is_ending: Callable[[], bool]
) -> AsyncIterator[str]:
    """Yields what happens after a line of the log, as lines of an event stream.

    Args:
        session: what is followed.
        line: the last that the page shows.
        is_ending: whether the server ends, and the stream with it.
    """
    was = _State(line, session.renewed, "")
    yield "retry: 1000\n\n"
    for look in itertools.count(1):
        await asyncio.sleep(LOOK_EVERY_S)
        if is_ending():
            return
        now = await asyncio.to_thread(_look, session)
        if now.problem != was.problem:
            yield _news(now.line, now.problem, is_problem=bool(now.problem))
        if now.line != was.line:
            for event in session.events[now.line - 1 : now.line]:  # what is shown has all before it
                yield _news(now.line, event_words(event), event.reviewer)
        if now.renewed != was.renewed:
            yield _news(now.line)
        if look % _HEARTBEAT == 0:
            yield ": still here\n\n"
        was = now


class _State(NamedTuple):
    line: int
    renewed: int
    problem: str


def _look(session: ReviewSession) -> _State:
    try:
        session.sync()
    except HgldError as error:
        return _State(session.line, session.renewed, str(error))
    return _State(session.line, session.renewed, "")


def _news(line: int, text: str = "", reviewer: str = "", *, is_problem: bool = False) -> str:
    """Returns what has happened, for who has the page open.

    Args:
        line: the last of the log.
        text: in words, where somebody did something; or what is wrong.
        reviewer: who did it; empty: proposals or pictures are others.
        is_problem: whether something is wrong.
    """
    told = {"line": line, "text": text, "reviewer": reviewer, "is_problem": is_problem}
    # JSON has no bare line break, which would end the field.
    return f"data: {json.dumps(told)}\n\n"
