import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from hgld.pages.review.serving import feed as module
from hgld.pages.review.serving.feed import Feed
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import DECISIONS_FILE
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done

LAKE, SITE, TARN = "Q23397", "Q9259", "Q200005"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens is told without the pause that lets answers go first."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(module, "TELL_AFTER_S", 0.0)


async def opened(feed: Feed, line: int) -> AsyncIterator[str]:
    """Returns the stream of a page that shows a line."""
    stream = feed.events(line)
    assert await anext(stream) == "retry: 1000\n\n"
    return stream


async def told(stream: AsyncIterator[str], kind: str = "line") -> dict[str, Any]:
    """Returns the next event of a kind."""
    async for event in stream:
        name, data = event.rstrip("\n").split("\n")
        if name == f"event: {kind}":
            found: dict[str, Any] = json.loads(data.removeprefix("data: "))
            return found
    raise AssertionError(kind)


def followed(session: ReviewSession, act: Callable[[Feed], Coroutine[Any, Any, None]]) -> None:
    """Does something while a feed follows the log."""

    async def run() -> None:
        feed = Feed(session)
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0)  # it listens
        await act(feed)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize("is_other", [False, True])
def test_all_pages_are_told_of_what_is_done_here_or_in_another_process(
    session: ReviewSession, opener: Opener, is_other: bool
) -> None:
    where = opener(session.workspace) if is_other else session

    async def act(feed: Feed) -> None:
        streams = [await opened(feed, 0), await opened(feed, 0)]
        next_ones = [asyncio.create_task(told(stream)) for stream in streams]
        await asyncio.sleep(0)  # they wait
        await asyncio.to_thread(done, where, "bob", "split", TARN, g="c1")
        for next_one in next_ones:
            event = await next_one
            assert (event["line"], event["reviewer"]) == (1, "bob")
            assert "c1" in event["groups"]
            assert len(event["groups"]) == 2  # the other is the new one

    followed(session, act)


def test_a_page_is_told_where_it_is_behind_then_of_new_proposals_and_of_a_damaged_log(
    session: ReviewSession,
) -> None:
    done(session, "ann", "ignore", SITE)

    async def act(feed: Feed) -> None:
        stream = await opened(feed, 0)
        assert (await told(stream))["line"] == 1
        await asyncio.to_thread(done, session, "ann", "ignore", LAKE)
        assert (await told(stream, "scored"))["scored"] > 0
        log: Path = session.workspace.path(DECISIONS_FILE)
        log.write_bytes(log.read_bytes().replace(b"heritage", b"herbage!")[:-4])
        assert log.name in (await told(stream, "problem"))["text"]

    followed(session, act)


def test_a_quiet_stream_says_that_it_is_still_there_and_ends_with_the_server(
    session: ReviewSession,
) -> None:
    async def listen() -> None:
        feed = Feed(session, heartbeat_s=0.001)
        stream = await opened(feed, 0)
        assert (await anext(stream)).startswith(":")  # a comment, which a browser leaves out
        feed.close()
        assert not [event async for event in stream if not event.startswith(":")]

    asyncio.run(listen())
