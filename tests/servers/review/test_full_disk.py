"""A log of decisions on a disk that is really full, or became read-only; to mount it needs root."""

import contextlib

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.log.decisions import OpenLog, read_log
from hgld.review.log.events import Event
from tests.hgld.review.log.acts import assigned, edited, said
from tests.hgld.review.log.test_opened import ONE, THREE, TWO, wholly
from tests.worlds.disk import Disk
from tests.worlds.review.sheets import log_of


@pytest.mark.fault(133, "disk full or failing while an event is appended")
def test_events_that_find_no_room_are_refused_and_those_before_stay(disk: Disk) -> None:
    """A disk that is really full, of any number of free bytes."""
    workspace = Workspace(disk.folder)
    log, done, refusals = OpenLog(workspace), list[Event](), 0
    log.append(ONE)
    done.append(ONE)
    disk.resize(30)
    for number in range(12):
        disk.fill()
        event = edited(said(*[f"Q{each}" for each in range(60)], effect="comment", note="x" * 700))
        before = log_of(workspace).read_bytes()
        for _ in range(3):
            with contextlib.suppress(InputError):
                log.append(event)
                done.append(event)
                before = log_of(workspace).read_bytes()
                continue
            refusals += 1
            assert log_of(workspace).read_bytes() == before
            assert len(log.events) == len(done) == len(read_log(workspace).events)
        disk.empty()
        disk.resize(30 + 4 * (number + 1))
        log.append(small := edited(assigned(f"Q{number}")))
        done.append(small)
        wholly(workspace, *done)
    assert refusals > 12


@pytest.mark.fault(133, "disk full or failing while an event is appended")
def test_a_disk_that_became_read_only_is_one_error(disk: Disk) -> None:
    workspace = Workspace(disk.folder)
    log = OpenLog(workspace)
    log.append(ONE)
    with disk.read_only():
        with pytest.raises(InputError, match="Read-only"):
            log.append(TWO)
        assert OpenLog(workspace, mend=False).events == [ONE.numbered(1)]
    log.append(THREE)
    wholly(workspace, ONE, THREE)
