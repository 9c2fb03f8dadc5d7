"""How much of an answer is taken, however it is packed."""

import gzip
import random
import tracemalloc

import pytest

from hgld.errors import AnswerError
from hgld.http.patience import HttpPolicy
from tests.worlds.gldv2.faulty_server import send
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.scraping import post
from tests.worlds.wikimedia.small import Server

LIMIT = HttpPolicy(answer_bytes=1_000_000, backoff_s=0.01, attempts=3)
BOMB = gzip.compress(bytes(1_000_000), compresslevel=9) * 200
"""200 KB that unpack to 200 MB."""


def packed(body: bytes, encoding: str = "gzip") -> Fault:
    return reply(200, body, Content_Encoding=encoding)


@pytest.mark.fault(30, "gzip bomb in an answer")
@pytest.mark.parametrize("bomb", [BOMB, gzip.compress(b"") * 60_000], ids=["large", "empty"])
def test_an_answer_that_unpacks_without_end_is_left_at_the_limit(
    server: Server, waits: list[float], bomb: bytes
) -> None:
    # Its length is not announced, by which it would be refused unread.
    server.faults["sparql", 0] = send(bomb, Content_Encoding="gzip", Content_Length=None)
    tracemalloc.start()
    try:
        with pytest.raises(AnswerError, match="answer_bytes") as caught:
            post(server, LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert server.fired == ["sparql"]
    assert waits == []  # it would come the same way again
    assert peak < 10_000_000
    assert caught.value.smaller_may_do
    assert b"bindings" in post(server, LIMIT).content


@pytest.mark.parametrize("length", [None, "1000001", "9" * 18], ids=str)
def test_a_plain_answer_beyond_the_limit_is_refused_and_one_at_the_limit_taken(
    server: Server, length: str | None
) -> None:
    headers = {"Content_Length": length} if length else {}
    server.faults["sparql", 0] = reply(200, b"x" * (1 if length else 1_000_001), **headers)
    with pytest.raises(AnswerError, match="answer_bytes"):
        post(server, LIMIT)
    assert server.fired == ["sparql"]
    server.always["sparql"] = reply(200, b"x" * 1_000_000)
    assert len(post(server, LIMIT).content) == 1_000_000


@pytest.mark.fault(31, "answer packed in another way")
@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "gzip,br", "x" * 99])
def test_an_answer_packed_in_a_way_that_was_not_asked_for_is_refused(
    server: Server, waits: list[float], encoding: str
) -> None:
    server.faults["sparql", 0] = packed(gzip.compress(BOMB), encoding)
    with pytest.raises(AnswerError, match="gzip"):
        post(server, LIMIT)
    assert server.fired == ["sparql"]
    assert waits == []
    assert post(server, LIMIT).ok


@pytest.mark.parametrize(
    ("size", "name"), [(0, "gzip"), (1, "gzip"), (65_536, "gzip"), (65_537, "X-GZip")]
)
def test_what_was_packed_comes_out_as_it_was(server: Server, size: int, name: str) -> None:
    noise = random.Random(size).randbytes(size)
    for content in (noise, bytes(size)):
        half = size // 2
        members = gzip.compress(content[:half]) + gzip.compress(content[half:])
        for body in (gzip.compress(content), members):
            server.always["sparql"] = packed(body, name)
            assert post(server, LIMIT).content == content
