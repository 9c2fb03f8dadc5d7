"""The garbage collector, kept off what a page holds as long as it is served.

Python looks through all objects from time to time, and nothing else runs meanwhile: of 10,000
labels with their proposals and landmarks that takes 40 ms and more, after every few actions, and it
finds nothing, since they stay. The newest are looked through when an answer is on its way: amid one
it takes 8 to 12 ms, once 20,000 have come together.
"""

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from hgld.pages.review.session import Happening, ReviewSession

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_YOUNG = 100_000  # objects between two looks at the newest, 700 by default: no answer makes as many


def spare_what_stays(session: ReviewSession) -> Callable[[], None]:
    """Has what is there when proposals were first scored looked through no more.

    For the one session of a process. What is no longer used is freed still, where it does not
    refer to itself.

    Args:
        session: whose proposals are awaited.

    Returns:
        What ends that, and has all looked through again.
    """
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, *before[1:])
    gc.freeze()

    is_awaited = True

    def heard(told: Happening) -> None:
        nonlocal is_awaited
        if told.kind == "scored" and is_awaited:
            is_awaited = False
            gc.freeze()

    leave = session.listen(heard)

    def end() -> None:
        leave()
        gc.unfreeze()
        gc.set_threshold(*before)

    return end


def collects_after(app: "ASGIApp") -> "ASGIApp":
    """Returns an application that has its newest objects looked through after each answer."""

    async def answer(scope: "Scope", receive: "Receive", send: "Send") -> None:
        await app(scope, receive, send)
        gc.collect(0)

    return answer
