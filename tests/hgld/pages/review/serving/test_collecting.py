import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from hgld.pages.review.serving.collecting import collects_after, spare_what_stays
from hgld.pages.review.session import Happening, ReviewSession


class Heard:
    """A session of which only what it tells matters."""

    def __init__(self) -> None:
        self.listeners: list[object] = []

    def listen(self, listener: object) -> object:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tell(self, kind: str) -> None:
        for listener in self.listeners:
            assert callable(listener)
            listener(Happening(kind, 1, "", ""))


@pytest.fixture
def unfrozen() -> Iterator[None]:
    threshold = gc.get_threshold()
    assert gc.get_freeze_count() == 0
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("unfrozen")
def test_what_is_there_is_spared_at_once_and_when_proposals_came_until_the_end() -> None:
    threshold = gc.get_threshold()
    session: ReviewSession = Heard()  # type: ignore[assignment]
    end = spare_what_stays(session)
    first = gc.get_freeze_count()
    assert first > 1_000
    proposals = [[number] for number in range(5_000)]
    session.tell("line")  # type: ignore[attr-defined]
    assert gc.get_freeze_count() <= first
    session.tell("scored")  # type: ignore[attr-defined]
    assert gc.get_freeze_count() >= first + len(proposals) - 1_000
    # Later ones replace one another: those are looked through.
    more = [[number] for number in range(5_000)]
    before = gc.get_freeze_count()
    session.tell("scored")  # type: ignore[attr-defined]
    assert gc.get_freeze_count() <= before
    end()
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, threshold)
    assert session.listeners == []  # type: ignore[attr-defined]
    assert len(more) == len(proposals)


class Ring:
    """What refers to itself, and so stays until it is looked for."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("unfrozen")
def test_what_an_answer_made_is_looked_through_after_it() -> None:
    gc.set_threshold(100_000)
    made: list[weakref.ref[Ring]] = []
    said: list[str] = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        assert callable(send)
        made.append(weakref.ref(Ring()))
        await send("answer")

    async def send(message: object) -> None:
        said.append(str(message))
        assert made[-1]() is not None  # the answer does not wait for it

    async def receive() -> dict[str, object]:
        return {}

    async def ask() -> None:
        await collects_after(app)({}, receive, send)

    for count in (1, 2):
        asyncio.run(ask())
        assert said == ["answer"] * count
        assert [ring() for ring in made] == [None] * count
