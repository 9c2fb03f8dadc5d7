import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hgld.pages.review.serving.feed import TELL_AFTER_S, Feed
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import DECISIONS_FILE
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, done, serve_session

LAKE, SITE, TARN = "Q23397", "Q9259", "Q200005"


class Stream:
    """An open page's stream of events."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer

    def next(self, kind: str = "line") -> dict[str, Any]:
        """Waits for the next event of a kind."""
        event = ""
        while line := self._answer.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == kind:
                found: dict[str, Any] = json.loads(value)
                return found
        raise EOFError

    def ends(self) -> bool:
        """Reads to the end."""
        self._answer.read()
        return True


@contextmanager
def opened(served: Served, line: int) -> Iterator[Stream]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    with closing(connection):
        connection.request("GET", f"/feed?line={line}")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.readline() == b"retry: 1000\n"
        yield Stream(answer)


def test_all_pages_are_told_within_a_second_of_what_one_does(served: Served) -> None:
    with opened(served, 0) as one, opened(served, 0) as other:
        start = time.monotonic()
        served.act("ignore", [SITE])
        for stream in (one, other):
            told = stream.next()
            assert (told["line"], told["reviewer"], told["text"], told["groups"]) == (
                *(1, "ann", "ignored heritage site"),
                ["c3"],
            )
        assert time.monotonic() - start < 1
        assert one.next("scored")["scored"] == 1


def test_who_decides_is_answered_before_pages_are_told(served: Served) -> None:
    with opened(served, 0) as stream:
        start = time.monotonic()
        for turn, action in enumerate(("ignore", "clear", "ignore"), 1):
            assert f'data-line="{turn}"' in served.act(action, [SITE]).text
        # In their order, and none before the answer had its time.
        assert stream.next()["line"] == 1
        assert time.monotonic() - start >= TELL_AFTER_S
        assert [stream.next()["line"], stream.next()["line"]] == [2, 3]


def test_pages_are_told_within_a_second_of_what_another_process_appends(
    served: Served, opener: Opener
) -> None:
    other = opener(served.session.workspace)
    with opened(served, 0) as stream:
        start = time.monotonic()
        done(other, "bob", "ignore", SITE)
        told = stream.next()
        assert (told["line"], told["reviewer"]) == (1, "bob")
        assert time.monotonic() - start < 1


def test_a_page_that_is_behind_is_told_at_once(served: Served) -> None:
    done(served.session, "bob", "ignore", SITE)
    done(served.session, "bob", "ignore", LAKE)
    with opened(served, 1) as stream:
        assert stream.next()["line"] == 2


def test_a_split_tells_both_groups(served: Served) -> None:
    with opened(served, 0) as stream:
        served.act("split", [TARN], g="c1")
        groups = stream.next()["groups"]
        assert groups[0] == "c1"
        assert groups[1].startswith("g-")


def test_a_damaged_log_is_told_once(served: Served) -> None:
    served.act("ignore", [SITE])
    served.act("ignore", [LAKE])
    with opened(served, 2) as stream:
        log = served.session.workspace.path(DECISIONS_FILE)
        log.write_bytes(log.read_bytes().replace(b"heritage", b"herbage!")[:-4])
        assert "restores it" in stream.next("problem")["text"]


def test_streams_end_when_the_server_does(session: ReviewSession, tmp_path: Path) -> None:
    with serve_session(session, tmp_path) as served:
        streams = [opened(served, 0) for _ in range(10)]
        entered = [stream.__enter__() for stream in streams]
        start = time.monotonic()
    assert all(stream.ends() for stream in entered)
    assert time.monotonic() - start < 5
    for stream in streams:
        stream.__exit__(None, None, None)


def test_a_page_that_is_gone_is_forgotten(served: Served) -> None:
    with opened(served, 0):
        pass
    for turn in range(3):
        served.act("ignore" if turn % 2 else "accept", [SITE])
    assert served.get("/").status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_quiet_stream_says_that_it_is_still_there(session: ReviewSession) -> None:
    feed = Feed(session, heartbeat_s=0.01)
    events = feed.events(0)
    assert await anext(events) == "retry: 1000\n\n"
    assert await anext(events) == ": still here\n\n"
    feed.close()
    assert [line async for line in events] in ([], [": still here\n\n"])
