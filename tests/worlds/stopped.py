"""Runs that are stopped in their own process, as suddenly as by a kill."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class Stopped(BaseException):
    """Ends a program as a kill does: nobody catches it, and nothing is written for it."""


@contextmanager
def stopped_at(target: object, name: str, number: int = 1) -> Iterator[None]:
    """Stops what a block runs at a call of a function, which is counted from 1."""
    whole, calls = getattr(target, name), itertools.count(1)

    def stopping(*given: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on as they are
        if next(calls) == number:
            raise Stopped
        return whole(*given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, stopping)
        with pytest.raises(Stopped):
            yield
