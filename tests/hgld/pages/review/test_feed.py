import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hgld.pages.review import feed as module
from hgld.pages.review.feed import Feed
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import DECISIONS_FILE
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done

LAKE, SITE, TARN = "Q23397", "Q9259", "Q200005"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens is told without a pause."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.001)


async def opened(feed: Feed, line: int) -> AsyncIterator[str]:
    """Returns the stream of a page that shows a line."""
    stream = feed.events(line)
    assert await anext(stream) == "retry: 1000\n\n"
    return stream


async def told(stream: AsyncIterator[str], line: int = 0, *, is_problem: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Returns the next news of a line, or of a problem."""
    async for event in stream:
        news = json.loads(event.removeprefix("data: "))
        if news["line"] >= line and news["is_problem"] == is_problem:
            return news
    raise AssertionError


def test_a_page_is_told_where_it_is_behind_of_lines_of_new_proposals_and_of_a_damaged_log(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "ignore", SITE)
    other = opener(session.workspace)  # as another process has it

    async def act() -> None:
        feed = Feed(session)
        following = asyncio.create_task(feed.run())
        streams = [await opened(feed, 0), await opened(feed, 1)]
        assert (await told(streams[0]))["line"] == 1
        waiting = [asyncio.create_task(told(stream, 2)) for stream in streams]
        await asyncio.sleep(0)  # they wait
        await asyncio.to_thread(done, other, "bob", "split", TARN, g="c1")
        for event in await asyncio.gather(*waiting):
            assert (event["line"], event["reviewer"]) == (2, "bob")
        await asyncio.to_thread(done, session, "ann", "ignore", LAKE)
        assert (await told(streams[0], 3))["reviewer"] == "ann"
        log: Path = session.workspace.path(DECISIONS_FILE)
        log.write_bytes(log.read_bytes().replace(b"heritage", b"herbage!")[:-4])
        assert log.name in (await told(streams[1], is_problem=True))["text"]

        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(asyncio.wait_for(act(), 30))
