"""Runs that are stopped in their own process, as suddenly as by a kill."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

Function = Callable[..., Any]


class Stopped(BaseException):
    """Ends a program as a kill does: nobody catches it, and nothing is written for it."""


def raising(error: BaseException) -> Callable[[], None]:
    """Returns what raises an error."""

    def raise_it() -> None:
        raise error

    return raise_it


def acting_at(number: int, whole: Function, act: Callable[[], object]) -> Function:
    """Returns a function that does something before the call of that number, from 1."""
    calls = itertools.count(1)

    def acting(*given: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on as they are
        if next(calls) == number:
            act()
        return whole(*given, **options)

    return acting


@contextmanager
def stopped_at(target: object, name: str, number: int = 1) -> Iterator[None]:
    """Stops what a block runs at a call of a function, which is counted from 1."""
    stopping = acting_at(number, getattr(target, name), raising(Stopped()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, stopping)
        with pytest.raises(Stopped):
            yield
