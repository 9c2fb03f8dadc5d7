"""A disk that is really full: each write says so in words, loses nothing and can be done again."""

import os
import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.log.decisions import append_decisions, check_decisions, read_decisions, read_log
from hgld.review.log.history import Decision
from hgld.scrape.archive import RawAnswer, RawArchive, now
from hgld.scrape.stage import run_scrape
from tests.worlds.disk import Disk
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, kept_answers, statuses_of
from tests.worlds.wikimedia.small import serving

_FULL = "No space left"


@pytest.mark.fault(197, "disk full at any write of a scrape")
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


@pytest.mark.fault(199, "disk full for a raw answer")
def test_an_archive_goes_on_under_the_number_that_there_was_no_room_for(disk: Disk) -> None:
    archive = RawArchive(disk.folder)
    values = {"endpoint": "x", "request": {}, "fetched_at": now(), "answer": []}
    answers = [RawAnswer(keys=(key,), **values) for key in "AB"]  # type: ignore[arg-type]
    archive.append(answers[0])
    disk.fill()
    with pytest.raises(InputError, match=rf"000001\.json\.gz.*{_FULL}"):
        archive.append(answers[1])
    disk.empty()
    archive.append(answers[1])
    assert kept_answers(disk.folder) == answers
    assert [path.name for path in archive.files()] == ["000000.json.gz", "000001.json.gz"]


@pytest.mark.fault(200, "disk full for the lock")
def test_a_workspace_without_room_for_its_lock_is_refused(disk: Disk) -> None:
    workspace = Workspace(disk.folder / "build")
    disk.fill()
    with pytest.raises(InputError, match=rf"\.lock.*{_FULL}"), workspace.lock():
        pass
    disk.empty()
    with workspace.lock():
        assert f"process {os.getpid()} " in workspace.lock_holder()


def ignored(numbers: range) -> list[Decision]:
    values = {"decided_at": "2026-11-25T00:00:00+00:00", "reviewer": "ann", "action": "ignore"}
    values["class_label"] = "World Heritage Site"
    return [Decision(class_qid=f"Q{number}", **values) for number in numbers]  # type: ignore[arg-type]


def test_decisions_that_find_no_room_are_refused_and_those_before_stay(disk: Disk) -> None:
    workspace = Workspace(disk.folder)
    append_decisions(workspace, ignored(range(1, 2)))
    disk.fill()
    with pytest.raises(InputError, match=rf"decisions\.jsonl.*{_FULL}"):
        append_decisions(workspace, ignored(range(2, 100)))
    disk.empty()
    disk.resize(100)
    append_decisions(workspace, ignored(range(2, 100)))
    assert list(read_decisions(workspace)) == [f"Q{number}" for number in range(1, 100)]
    assert check_decisions(workspace) == []


def test_decisions_that_find_room_only_in_the_log_are_kept_and_copied_later(disk: Disk) -> None:
    workspace = Workspace(disk.folder)
    append_decisions(workspace, ignored(range(1, 2)))
    disk.resize(12)  # the log takes nine pages, and two files of one page are there
    append_decisions(workspace, ignored(range(2, 100)))
    assert len(check_decisions(workspace)) == 1
    disk.resize(100)
    read_log(workspace, mend=True)
    assert check_decisions(workspace) == []
    assert list(read_decisions(workspace)) == [f"Q{number}" for number in range(1, 100)]
