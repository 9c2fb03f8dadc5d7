import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from hgld.pages.review.serving.collecting import collects_after, spare_what_stays
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.served import done


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_stays_is_spared_until_the_end(session: ReviewSession) -> None:
    threshold = gc.get_threshold()
    end = spare_what_stays(session)
    first = gc.get_freeze_count()
    assert first > 1_000
    stays = [[number] for number in range(5_000)]
    done(session, "ann", "ignore", "Q9259")
    assert session.settle()  # proposals came, which stay too
    assert gc.get_freeze_count() >= len(stays)
    end()
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, threshold)


class Ring:
    """What refers to itself, and so stays until it is looked for."""

    def __init__(self) -> None:
        self.itself = self


def test_what_an_answer_made_is_looked_through_after_it() -> None:
    gc.set_threshold(100_000)
    made: list[weakref.ref[Ring]] = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        assert callable(send)
        made.append(weakref.ref(Ring()))
        await send({})

    async def send(_: object) -> None:
        assert made[-1]() is not None  # the answer does not wait for it

    async def receive() -> dict[str, object]:
        return {}

    async def ask() -> None:
        await collects_after(app)({}, receive, send)

    for _ in range(2):
        asyncio.run(ask())
    assert [ring() for ring in made] == [None, None]
