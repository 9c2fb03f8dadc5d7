"""The garbage collector, kept off what a page holds as long as it is served.

Python looks through all objects from time to time, and nothing else runs meanwhile: of 10,000
labels with their proposals and landmarks that takes 40 ms and more, after every few actions, and it
finds nothing, since they stay.
"""

import gc
from collections.abc import Callable

from hgld.pages.review.session import Happening, ReviewSession

_YOUNG = 20_000  # objects between two looks at the newest, 700 by default: a page writes that many


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
