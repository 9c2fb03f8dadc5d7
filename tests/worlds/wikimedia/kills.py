"""Scrapes that are killed between two calls that change the disk and run again, as if unharmed."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import newest_generation
from hgld.scrape.parents import run_parents
from tests.worlds.forked import killed_after
from tests.worlds.wikimedia.scraping import Small, fast_config, small_of
from tests.worlds.wikimedia.small import edited

Act = Callable[[Small], object]
Kill = Callable[[Path, Iterable[int]], None]
"""In a folder, after so many of the calls that change the disk each, until a run has no more."""


def kill_scrapes(folder: Path, moments: Iterable[int]) -> None:
    """Kills scrapes: afterwards no row differs, and at most one request was made for nothing."""
    _kill(folder, moments, before=lambda _: None, run=Small.scrape)


def kill_parents(folder: Path, moments: Iterable[int]) -> None:
    """Kills runs of the parents, as `kill_scrapes` does the scrape's."""

    def run(small: Small) -> None:
        run_parents(small.workspace, fast_config(small.server))

    _kill(folder, moments, before=Small.scrape, run=run)


def kill_refreshes(folder: Path, moments: Iterable[int], *, resumes: bool) -> None:
    """Kills refreshes of an edited world.

    Args:
        folder: for the builds.
        moments: as `Kill` has them.
        resumes: whether `refresh` is set again afterwards; a scrape goes on with it all the same.
    """

    def refresh(small: Small) -> None:
        small.scrape(refresh=True)

    def again(small: Small) -> None:
        is_over = small.workspace.manifest("refresh") is not None  # the next is another one
        small.scrape(refresh=resumes and not is_over)
        assert newest_generation(small.workspace) == 1

    _kill(folder, moments, before=Small.scrape, run=refresh, again=again, world=edited)


KILLS: dict[str, Kill] = {
    "scrape": kill_scrapes,
    "parents": kill_parents,
    "refresh": partial(kill_refreshes, resumes=True),
    "refresh by a scrape": partial(kill_refreshes, resumes=False),
}


def _kill(
    folder: Path,
    moments: Iterable[int],
    *,
    before: Act,
    run: Act,
    again: Act | None = None,
    world: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> None:
    with small_of(folder, "before") as begun:
        before(begun)
        with world():
            run(whole := _copy(begun, "whole"))
            needed = len(whole.server.hits)
            for survived in moments:
                killed = _copy(begun, str(survived))
                if killed_after(survived, partial(run, killed)) == 0:
                    break
                (again or run)(killed)
                assert _outputs(killed) == _outputs(whole)
                assert len(killed.server.hits) <= needed + 1
    assert survived > 2 * (needed + 1 + 1)  # around each answer, the shard and the manifest


def _copy(begun: Small, name: str) -> Small:
    """Returns a copy of a build, of the same services; what these were asked is forgotten."""
    root = begun.workspace.root
    copy = dataclasses.replace(begun, workspace=Workspace(root.with_name(name)))
    if root.exists():
        shutil.copytree(root, copy.workspace.root)
    begun.server.hits.clear()
    return copy


def _outputs(small: Small) -> dict[str, str]:
    stages = ("scrape", "evidence", "facts", "refresh", "parents")
    manifests = map(small.workspace.manifest, stages)
    return {name: digest for one in manifests if one for name, digest in one.outputs.items()}
