import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hgld.pages.review import feed as module
from hgld.pages.review.feed import follow
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import DECISIONS_FILE
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done

LAKE, SITE, TARN = "Q23397", "Q9259", "Q200005"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens is told without a pause."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.001)


async def told(stream: AsyncIterator[str], line: int = 0, *, is_problem: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Returns the next news of a line, or of a problem."""
    async for event in stream:
        if event.startswith(":"):  # a sign of life
            continue
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
        is_ending = threading.Event()
        streams = [follow(session, line, is_ending.is_set) for line in (0, 1)]
        assert [await anext(stream) for stream in streams] == ["retry: 1000\n\n"] * 2
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
        is_ending.set()
        async for _ in streams[1]:
            pass  # it ends

    asyncio.run(asyncio.wait_for(act(), 30))
