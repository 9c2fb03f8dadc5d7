"""Which categories are asked about: those that need it, and some that show what it is worth. Pure.

The sample is drawn by a digest of each title, so that a title that is in it stays in it when other
landmarks come or go, unless it was one of a few that filled it up.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

_DIGESTS = 1 << 64


class AskedCategories(NamedTuple):
    """Page titles, each once, in order."""

    without_class: list[str]
    """Of landmarks that have no class."""
    sample: list[str]
    """Some of those of landmarks that have one."""

    def all(self) -> list[str]:
        """Returns both, in order."""
        return sorted([*self.without_class, *self.sample])


def asked_categories(
    categories: pa.Table, classes: pa.Table, share: float, at_least: int
) -> AskedCategories:
    """Returns the categories whose parents are worth asking for.

    Args:
        categories: CATEGORIES, of it split, landmark_id and page_title; a landmark without a page
            has nothing to ask about.
        classes: CLASSES, of it split and landmark_id.
        share: of the categories of landmarks with a class, those that are asked about as well.
        at_least: how many of them, as far as there are so many.
    """
    with_class = set(_landmarks(classes))
    without, others = set[str](), set[str]()
    for landmark, title in zip(
        _landmarks(categories), categories["page_title"].to_pylist(), strict=True
    ):
        if title is not None:
            (others if landmark in with_class else without).add(title)
    return AskedCategories(sorted(without), sorted(_sample(others - without, share, at_least)))


def _landmarks(table: pa.Table) -> Iterator[tuple[str, int]]:
    yield from zip(table["split"].to_pylist(), table["landmark_id"].to_pylist(), strict=True)


def _sample(titles: Iterable[str], share: float, at_least: int) -> list[str]:
    drawn = sorted((_digest(title), title) for title in titles)
    below = sum(digest < share * _DIGESTS for digest, _ in drawn)
    return [title for _, title in drawn[: max(below, at_least)]]


def _digest(title: str) -> int:
    return int.from_bytes(hashlib.sha256(title.encode()).digest()[:8], "big")
