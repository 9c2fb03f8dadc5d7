"""Scrapes that are killed between two calls that change the disk and run again, as if unharmed."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from hgld.scrape.archive import newest_generation
from hgld.scrape.parents import ParentsConfig, run_parents
from tests.worlds.forked import killed_after
from tests.worlds.wikimedia.scraping import Small, fast_config, small_of
from tests.worlds.wikimedia.small import edited

Act = Callable[[Small], object]
Kill = Callable[[Path, int], None]
"""In a folder, at each n-th of the calls that change the disk."""


def kill_scrapes(folder: Path, every: int) -> None:
    """Kills scrapes: afterwards no row differs, and at most one request was made for nothing."""
    _kill(folder, every, before=lambda _: None, run=Small.scrape)


def kill_parents(folder: Path, every: int) -> None:
    """Kills runs of the parents, as `kill_scrapes` does the scrape's."""

    def run(small: Small) -> None:
        run_parents(small.workspace, ParentsConfig(), fast_config(small.server))

    _kill(folder, every, before=Small.scrape, run=run)


def kill_refreshes(folder: Path, every: int, *, resumes: bool) -> None:
    """Kills refreshes of an edited world.

    Args:
        folder: for the builds.
        every: n-th call is where one is killed.
        resumes: whether `refresh` is set again afterwards; a scrape goes on with it all the same.
    """

    def refresh(small: Small) -> None:
        small.scrape(refresh=True)

    def again(small: Small) -> None:
        is_over = small.workspace.manifest("refresh") is not None  # the next is another one
        small.scrape(refresh=resumes and not is_over)
        assert newest_generation(small.workspace) == 1

    _kill(folder, every, before=Small.scrape, run=refresh, again=again, world=edited)


KILLS: dict[str, Kill] = {
    "scrape": kill_scrapes,
    "parents": kill_parents,
    "refresh": partial(kill_refreshes, resumes=True),
    "refresh by a scrape": partial(kill_refreshes, resumes=False),
}


def _kill(
    folder: Path,
    every: int,
    *,
    before: Act,
    run: Act,
    again: Act | None = None,
    world: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> None:
    with _small(folder, "whole", before) as whole, world():
        run(whole)
    needed = len(whole.server.hits)
    for survived in itertools.count(0, every):
        with _small(folder, str(survived), before) as killed, world():
            if killed_after(survived, partial(run, killed)) == 0:
                break
            (again or run)(killed)
        assert _outputs(killed) == _outputs(whole)
        assert len(killed.server.hits) <= needed + 1
    assert survived > 2 * (needed + 1 + 1)  # around each answer, the shard and the manifest


@contextlib.contextmanager
def _small(folder: Path, name: str, before: Act) -> Iterator[Small]:
    """Gives a build of which something is done before; what that asked is forgotten."""
    with small_of(folder, name) as small:
        before(small)
        small.server.hits.clear()
        yield small


def _outputs(small: Small) -> dict[str, str]:
    stages = ("scrape", "evidence", "facts", "refresh", "parents")
    manifests = map(small.workspace.manifest, stages)
    return {name: digest for one in manifests if one for name, digest in one.outputs.items()}
