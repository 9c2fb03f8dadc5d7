"""Scrapes that are killed at a write and run again, as if nothing had happened.

Write point 2n is before the n-th rename of a finished file, 2n + 1 after it.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import newest_generation
from hgld.scrape.parents import ParentsConfig, run_parents
from tests.worlds.forked import run_forked
from tests.worlds.wikimedia.edits import edited
from tests.worlds.wikimedia.scraping import Small, fast_config
from tests.worlds.wikimedia.small import CATEGORIES_CSV, serving

Points = Callable[[int], Iterable[int]]
"""How many write points there are to those at which a run is killed."""
Act = Callable[[Small], object]
Kill = Callable[[Path, Points], None]


def first_middle_last(count: int) -> tuple[int, ...]:
    """Returns the write points that differ in kind."""
    return 0, count // 2, count - 1


def kill_scrapes(folder: Path, points: Points) -> None:
    """Kills scrapes: afterwards no row differs, and at most one request was made for nothing."""
    _kill(folder, points, before=lambda _: None, run=Small.scrape)


def kill_parents(folder: Path, points: Points) -> None:
    """Kills runs of the parents, as `kill_scrapes` does the scrape's."""

    def run(small: Small) -> None:
        run_parents(small.workspace, ParentsConfig(), fast_config(small.server))

    _kill(folder, points, before=Small.scrape, run=run)


def kill_refreshes(folder: Path, points: Points, *, resumes: bool) -> None:
    """Kills refreshes of an edited world.

    Args:
        folder: for the builds.
        points: where to kill.
        resumes: whether `refresh` is set again afterwards; a scrape goes on with it all the same.
    """

    def refresh(small: Small) -> None:
        small.scrape(refresh=True)

    def again(small: Small) -> None:
        small.scrape(refresh=resumes)
        assert newest_generation(small.workspace) == 1

    # A refresh that is killed after its last write is over, and the next is another one.
    points_before_the_end = lambda count: points(count - resumes)  # noqa: E731
    _kill(
        folder, points_before_the_end, before=Small.scrape, run=refresh, again=again, world=edited
    )


KILLS: dict[str, Kill] = {
    "scrape": kill_scrapes,
    "parents": kill_parents,
    "refresh": partial(kill_refreshes, resumes=True),
    "refresh by a scrape": partial(kill_refreshes, resumes=False),
}


def _kill(
    folder: Path,
    points: Points,
    *,
    before: Act,
    run: Act,
    again: Act | None = None,
    world: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> None:
    with _small(folder, "whole", before) as whole, world():
        count = 2 * _count_renames(lambda: run(whole))
        needed = len(whole.server.hits)
    # Before and after each answer, the shard and the manifest.
    assert count >= 2 * (needed + 1 + 1)
    for die_at in points(count):
        with _small(folder, str(die_at), before) as killed, world():
            assert run_forked(_dying(die_at, lambda: run(killed))) == -signal.SIGKILL
            (again or run)(killed)
        assert _outputs(killed) == _outputs(whole)
        assert len(killed.server.hits) <= needed + 1


@contextlib.contextmanager
def _small(folder: Path, name: str, before: Act) -> Iterator[Small]:
    """Gives a build of which something is done before; what that asked is forgotten."""
    categories = folder / "categories.csv"
    categories.write_text(CATEGORIES_CSV, encoding="utf-8")
    with serving() as server:
        small = Small(server, Workspace(folder / name), categories, {})
        before(small)
        server.hits.clear()
        yield small


def _outputs(small: Small) -> dict[str, str]:
    manifests = map(small.workspace.manifest, ("scrape", "evidence", "refresh", "parents"))
    return {name: digest for one in manifests if one for name, digest in one.outputs.items()}


def _count_renames(run: Callable[[], object]) -> int:
    renames = 0

    def count(renaming: Callable[[], None]) -> None:
        nonlocal renames
        renaming()
        renames += 1

    with _at_renames(count):
        run()
    return renames


def _dying(die_at: int, run: Callable[[], object]) -> Callable[[], object]:
    """Returns a run that kills its process with SIGKILL at a write point."""
    point = 0

    def rename_or_die(renaming: Callable[[], None]) -> None:
        nonlocal point
        if die_at == point:
            os.kill(os.getpid(), signal.SIGKILL)
        renaming()
        if die_at == point + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        point += 2

    def dying() -> None:
        with _at_renames(rename_or_die):
            run()

    return dying


@contextlib.contextmanager
def _at_renames(act: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    replace = os.replace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", lambda *paths: act(lambda: replace(*paths)))
        yield
