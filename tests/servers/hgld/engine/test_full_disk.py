"""A disk that is really full: each write says so in words, loses nothing and can be done again."""

import os
import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.stage import run_scrape
from tests.worlds.disk import Disk
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import serving

_FULL = "No space left"


@pytest.mark.fault(197, "disk full at any write of a scrape")
@pytest.mark.fault(199, "disk full for a raw answer")
def test_a_scrape_that_fills_the_disk_at_any_write_goes_on_when_there_is_room(
    disk: Disk, categories: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    with serving() as server:
        run_scrape(Workspace(tmp_path / "whole"), fast_config(server), categories)
        needed = len(server.hits)
    full: list[str] = []
    for pages in range(1, 100):
        disk.resize(pages)
        workspace = Workspace(disk.folder / str(pages))
        with serving() as server:
            try:
                run_scrape(workspace, fast_config(server), categories)
            except InputError as error:
                full.append(str(error))
            else:
                break
            disk.resize(1000)
            report = run_scrape(workspace, fast_config(server), categories)
            assert report.manifest.outputs == clean
            assert statuses_of(workspace) == STATUSES
            assert len(server.hits) <= needed + 1
        assert not list(workspace.root.rglob("*.tmp"))
        shutil.rmtree(workspace.root)
    assert all(_FULL in error for error in full)
    # Each kind of write met the end of the disk.
    for path in ("raw/commons-", "raw/wikidata-", "scrape/", "stages/.next/scrape.json"):
        assert any(f"/{path}" in error for error in full)


@pytest.mark.fault(200, "disk full for the lock")
def test_a_workspace_without_room_for_its_lock_is_refused(disk: Disk) -> None:
    workspace = Workspace(disk.folder / "build")
    disk.fill()
    with pytest.raises(InputError, match=rf"\.lock.*{_FULL}"), workspace.lock():
        pass
    disk.empty()
    with workspace.lock():
        assert f"process {os.getpid()} " in workspace.lock_holder()
