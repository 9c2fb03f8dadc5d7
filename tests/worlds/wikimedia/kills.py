"""Scrapes that are killed at a write and run again, as if nothing had happened.

Write point 2n is before the n-th rename of a finished file, 2n + 1 after it.
"""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import newest_generation
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.parents import ParentsConfig, run_parents
from hgld.scrape.stage import run_scrape
from tests.worlds.forked import run_forked
from tests.worlds.wikimedia.edits import edited
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import CATEGORIES_CSV, serving

Points = Callable[[int], Iterable[int]]
"""How many write points there are to those at which a run is killed."""


def first_middle_last(count: int) -> tuple[int, ...]:
    """Returns the write points that differ in kind."""
    return 0, count // 2, count - 1


def kill_scrapes(folder: Path, points: Points) -> None:
    """Kills scrapes: afterwards no row differs, and at most one request was made for nothing."""
    categories = _write_categories(folder)
    whole = Workspace(folder / "whole")
    with serving() as server:
        config = fast_config(server)
        count = _count_points(lambda: run_scrape(whole, config, categories))
        needed = len(server.hits)
    # Before and after each answer, each table of the scrape and the evidence, and two manifests.
    assert count >= 2 * (needed + 3 + 1 + 1 + 1)
    for die_at in points(count):
        killed = Workspace(folder / str(die_at))
        with serving() as server:
            _kill(die_at, killed, fast_config(server), categories)
            run_scrape(killed, fast_config(server), categories)
        assert _outputs(killed) == _outputs(whole)
        assert len(server.hits) <= needed + 1


def kill_parents(folder: Path, points: Points) -> None:
    """Kills runs of the parents, as `kill_scrapes` does the scrape's."""
    scraped, whole = Workspace(folder / "scraped"), folder / "whole"
    with serving() as server:
        config = fast_config(server)
        run_scrape(scraped, config, _write_categories(folder))
        shutil.copytree(scraped.root, whole)
        asked = len(server.hits)
        count = _count_points(lambda: run_parents(Workspace(whole), ParentsConfig(), config))
        needed = len(server.hits) - asked
        # Before and after each answer, the shard and the manifest.
        assert count >= 2 * (needed + 1 + 1)
        for die_at in points(count):
            killed = Workspace(shutil.copytree(scraped.root, folder / str(die_at)))
            asked = len(server.hits)
            run = _dying(die_at, lambda: run_parents(killed, ParentsConfig(), config))  # noqa: B023
            assert run_forked(run) == -signal.SIGKILL
            run_parents(killed, ParentsConfig(), config)
            assert _outputs(killed) == _outputs(Workspace(whole))
            assert len(server.hits) - asked <= needed + 1


def kill_refreshes(folder: Path, points: Points, *, resumes: bool) -> None:
    """Kills refreshes of an edited world.

    Args:
        folder: for the builds.
        points: where to kill.
        resumes: whether `refresh` is set again afterwards; a scrape goes on with it all the same.
    """
    categories = _write_categories(folder)
    whole = Workspace(folder / "whole")
    with serving() as server:
        run_scrape(whole, fast_config(server), categories)
        asked = len(server.hits)
        refresh = fast_config(server, refresh=True)
        with edited():
            count = _count_points(lambda: run_scrape(whole, refresh, categories))
        needed = len(server.hits) - asked
    # A refresh that is killed after its last write is over, and the next is another one.
    for die_at in points(count - resumes):
        killed = Workspace(folder / str(die_at))
        with serving() as server:
            run_scrape(killed, fast_config(server), categories)
            asked = len(server.hits)
            with edited():
                _kill(die_at, killed, fast_config(server, refresh=True), categories)
                run_scrape(killed, fast_config(server, refresh=resumes), categories)
        assert _outputs(killed) == _outputs(whole)
        assert len(server.hits) - asked <= needed + 1
        assert newest_generation(killed) == 1


def _write_categories(folder: Path) -> Path:
    path = folder / "categories.csv"
    path.write_text(CATEGORIES_CSV, encoding="utf-8")
    return path


def _kill(die_at: int, workspace: Workspace, config: ScrapeConfig, categories: Path) -> None:
    run = _dying(die_at, lambda: run_scrape(workspace, config, categories))
    assert run_forked(run) == -signal.SIGKILL


def _outputs(workspace: Workspace) -> dict[str, str]:
    manifests = map(workspace.manifest, ("scrape", "evidence", "refresh", "parents"))
    return {name: digest for one in manifests if one for name, digest in one.outputs.items()}


def _count_points(run: Callable[[], object]) -> int:
    renames = 0

    def count(renaming: Callable[[], None]) -> None:
        nonlocal renames
        renaming()
        renames += 1

    with _at_renames(count):
        run()
    return 2 * renames


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
