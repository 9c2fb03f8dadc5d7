"""The log kept open: it takes up what others add, and survives damage, kills and full disks."""

import errno
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, WorkspaceBusyError
from hgld.review.log import decisions
from hgld.review.log.decisions import (
    DECISIONS_FILE,
    OpenLog,
    append_decisions,
    check_decisions,
    log_lock,
    read_log,
)
from hgld.review.log.events import Event, parse_event
from tests.hgld.review.log.acts import act, assigned, edited, ignored, random_edit, random_switch
from tests.worlds.forked import Forked
from tests.worlds.review.sheets import copy_of, flip, log_of

ONE, TWO, THREE = edited(assigned("Q1")), edited(assigned("Q2"), who="bob"), edited(assigned("Q3"))


def everything(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def opened(workspace: Workspace, *events: Event) -> OpenLog:
    """Returns an open log, to which these were appended."""
    log = OpenLog(workspace)
    for event in events:
        log.append(event)
    return log


def wholly(workspace: Workspace, *events: Event) -> None:
    """Checks that the log holds these, log and copy are whole, and an open log says the same."""
    assert [event.numbered(0) for event in read_log(workspace).events] == list(events)
    assert check_decisions(workspace) == []
    assert copy_of(workspace).read_bytes() == log_of(workspace).read_bytes()


def check_interleaved_writers(workspace: Workspace, seed: int) -> None:
    """Has three writers append, read and open one log anew, in any order."""
    chance = random.Random(seed)
    logs = {who: OpenLog(workspace) for who in ("ann", "bob", "zoë")}
    told: dict[str, list[Event]] = {who: [] for who in logs}
    for _ in range(80):
        who = chance.choice(list(logs))
        log = logs[who]
        match chance.choice(["append", "append", "sync", "locked", "outside", "open"]):
            case "append":
                log.append(random_switch(chance, log.events, who) or random_edit(chance, who))
            case "sync":
                log.sync()
            case "locked":
                with log_lock(workspace):
                    log.sync()
                    log.append_locked(random_edit(chance, who))
            case "outside":
                append_decisions(workspace, [ignored("Q1", who)] * chance.randint(1, 3))
            case _:
                logs[who] = OpenLog(workspace)
                told[who] = list(logs[who].events)
        told[who] += logs[who].events[len(told[who]) :]
    whole = list(read_log(workspace).events)
    assert len(whole) > 20
    assert [event.number for event in whole] == list(range(1, len(whole) + 1))
    for who, log in logs.items():
        told[who] += log.sync()
        assert log.events == whole == told[who]
    assert copy_of(workspace).read_bytes() == log_of(workspace).read_bytes()
    assert check_decisions(workspace) == []


@pytest.mark.usefixtures("unflushed")
@pytest.mark.parametrize("seed", range(4))
def test_any_interleaving_of_writers_is_one_log(workspace: Workspace, seed: int) -> None:
    check_interleaved_writers(workspace, seed)


def test_the_log_is_read_again_if_another_wrote_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other, lines = OpenLog(workspace), OpenLog(workspace), list[bytes]()

    def parse(text: bytes, where: str) -> Event:
        lines.append(text)
        return parse_event(text, where)

    monkeypatch.setattr(decisions, "parse_event", parse)
    for _ in range(3):
        other.append(ONE)
        assert other.sync() == []
    assert lines == []
    assert [event.number for event in log.sync()] == [1, 2, 3]
    os.utime(log_of(workspace))
    assert log.sync() == log.sync() == []
    assert len(lines) == 6


def test_an_event_is_on_the_disk_before_its_copy(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, flushed = OpenLog(workspace), list[tuple[str, int]]()
    flush = os.fsync

    def noted(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        flush(descriptor)
        flushed.append((path.name, path.stat().st_size if path.is_file() else 0))

    monkeypatch.setattr(os, "fsync", noted)
    log.append(ONE)
    size = log_of(workspace).stat().st_size
    assert flushed[0] == ("decisions.jsonl", size)  # before the copy is begun
    assert flushed[1:] == [("review", 0)] * 2  # the names of both
    flushed.clear()
    log.append(TWO)
    size = log_of(workspace).stat().st_size
    assert flushed == [("decisions.jsonl", size)]  # the copy comes to the disk in its own time
    assert copy_of(workspace).stat().st_size == size


def test_a_log_only_shown_is_not_touched_and_its_torn_line_is_named(workspace: Workspace) -> None:
    opened(workspace, ONE, TWO)
    (workspace.root / "review/.log.lock").unlink(missing_ok=True)
    data = log_of(workspace).read_bytes()
    log_of(workspace).write_bytes(data + b'{"number": 3, "eve')
    copy_of(workspace).write_bytes(data[: data.index(b"\n") + 1])
    before = everything(workspace.root)
    log = OpenLog(workspace, mend=False)
    assert log.events == list(read_log(workspace).events) == [ONE.numbered(1), TWO.numbered(2)]
    assert log.sync() == []
    (torn,) = [one.what for one in check_decisions(workspace) if one.path == DECISIONS_FILE]
    assert "line 3" in torn
    assert everything(workspace.root) == before


def test_a_whole_copy_is_not_made_again_of_a_log_that_rotted_unseen(workspace: Workspace) -> None:
    """A bit that flips on the disk changes no time; the copy is then what is left."""
    log = opened(workspace, ONE, TWO)
    path, before = log_of(workspace), log_of(workspace).stat()
    path.write_bytes(flip(data := path.read_bytes(), len(data) // 2, 0))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy_of(workspace).write_bytes(data[: data.index(b"\n") + 1])
    after = everything(workspace.root)
    with pytest.raises(DamagedError, match="line 2"):
        log.append(THREE)
    assert everything(workspace.root) == after


def test_who_has_the_lock_is_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = OpenLog(workspace)
    monkeypatch.setattr(decisions, "log_lock", lambda workspace: log_lock(workspace, wait_s=0.05))
    with log_lock(workspace):
        assert (log.events, log.line, log.sync()) == ([], 0, [])  # waits for nobody
        with pytest.raises(WorkspaceBusyError, match="decisions"):
            log.append(ONE)
    assert log.append(ONE.numbered(77)) == ONE.numbered(1)
    assert (log.events, log.line, log.sync()) == ([ONE.numbered(1)], 1, [])


MENDS: dict[str, Callable[[Workspace, OpenLog], object]] = {
    "the open log": lambda _, log: log.append(THREE),
    "one that opens it": lambda workspace, _: OpenLog(workspace).append(THREE),
    "another program": lambda workspace, _: append_decisions(workspace, [ignored("Q3")]),
}


def check_a_torn_line(workspace: Workspace, mends: str, every: int) -> None:
    """Tears the second line of a log at every n-th byte; every reader passes over what is left."""
    log = opened(workspace, ONE, TWO)
    data = log_of(workspace).read_bytes()
    start, last = data.index(b"\n") + 1, len(data) - 1
    for end in (start, *range(start + 1, last - 1, every), last - 1, last):
        log_of(workspace).write_bytes(data[:start])
        copy_of(workspace).write_bytes(data[:start])
        log = OpenLog(workspace)
        shown = OpenLog(workspace, mend=False)
        with log_of(workspace).open("ab") as file:
            file.write(data[start:end])
        is_whole = end == last  # only its line feed is missing
        assert log.sync() == shown.sync() == [TWO.numbered(2)] * is_whole
        MENDS[mends](workspace, log)
        log.sync()
        shown.sync()
        assert log.events == shown.events == list(read_log(workspace).events)
        assert log.line == shown.line == 2 + is_whole
        assert check_decisions(workspace) == []


@pytest.mark.fault(26, "log of decisions torn by a crash")
@pytest.mark.parametrize("mends", MENDS)
def test_a_line_torn_at_any_byte_is_passed_over_by_all(workspace: Workspace, mends: str) -> None:
    check_a_torn_line(workspace, mends, every=20)


@pytest.mark.fault(133, "disk full or failing while an event is appended")
@pytest.mark.parametrize(
    ("error", "lost"),
    [(OSError(errno.ENOSPC, "full"), 0), (OSError(errno.EIO, "no"), 40), (KeyboardInterrupt(), 0)],
)
def test_what_could_not_be_flushed_does_not_count(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: BaseException, lost: int
) -> None:
    """A disk may take the whole line, and say only then that it has no room for it."""
    log, other = opened(workspace, ONE), OpenLog(workspace)
    before, flush = log_of(workspace).read_bytes(), os.fsync

    def lose(descriptor: int) -> None:
        assert Path(f"/proc/self/fd/{descriptor}").readlink() == log_of(workspace)
        monkeypatch.setattr(os, "fsync", flush)
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - lost)
        raise error

    monkeypatch.setattr(os, "fsync", lose)
    with pytest.raises((InputError, KeyboardInterrupt)):
        log.append(TWO)
    assert log_of(workspace).read_bytes() == copy_of(workspace).read_bytes() == before
    assert log.events == [ONE.numbered(1)]
    assert log.sync() == other.sync() == []
    assert log.append(THREE) == THREE.numbered(2)
    assert other.sync() == [THREE.numbered(2)]
    wholly(workspace, ONE, THREE)


@pytest.mark.fault(133, "disk full or failing while an event is appended")
def test_no_copy_stops_nobody(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    log = opened(workspace, ONE)
    copy_of(workspace).unlink()
    copy_of(workspace).mkdir()
    assert log.append(TWO) == TWO.numbered(2)
    assert {one.levelname for one in caplog.records} == {"WARNING"}
    copy_of(workspace).rmdir()
    log.append(THREE)
    wholly(workspace, ONE, TWO, THREE)


def writing(workspace: Workspace, who: str, count: int) -> Forked:
    """Starts a process that appends so many random edits."""

    def act() -> None:
        chance, log = random.Random(who), OpenLog(workspace)
        for _ in range(count):
            log.append(random_edit(chance, who))

    return Forked(act)


@pytest.mark.fault(23, "two reviewers")
def test_processes_that_append_at_once_lose_nothing(workspace: Workspace) -> None:
    follower, count = OpenLog(workspace, mend=False), 20
    writers = [writing(workspace, who, count) for who in ("ann", "bob", "zoë")]
    seen = list[Event]()
    while any(writer.is_alive() for writer in writers):
        seen += follower.sync()
    assert [writer.ended() for writer in writers] == [0, 0, 0]
    seen += follower.sync()
    assert seen == follower.events == list(read_log(workspace).events)
    assert [event.number for event in seen] == list(range(1, 3 * count + 1))
    for who in ("ann", "bob", "zoë"):
        assert sum(event.reviewer == who for event in seen) == count
    assert check_decisions(workspace) == []


def check_killed_writers(workspace: Workspace, seed: int, kills: int) -> None:
    """Kills one writer after another at its work; at most what it was at is lost."""
    act(workspace, random.Random(seed), 20)
    chance, known = random.Random(seed + 1), list(read_log(workspace).events)
    for _ in range(kills):
        writer = writing(workspace, "ann", 100_000)
        try:
            log = OpenLog(workspace, mend=False)
            until = len(known) + chance.randint(1, 10)
            while len(log.events) < until:
                assert writer.is_alive()
                log.sync()
        finally:
            writer.kill()
        assert writer.ended() == -signal.SIGKILL
        seen = list(log.events)
        with log_lock(workspace, wait_s=5):  # the dead hold no lock
            known = list(read_log(workspace, mend=True).events)
        assert known[: len(seen)] == seen
    assert check_decisions(workspace) == []


@pytest.mark.fault(130, "killed while decisions are appended")
@pytest.mark.usefixtures("unflushed")
def test_a_writer_killed_again_and_again_loses_at_most_what_it_was_at(workspace: Workspace) -> None:
    check_killed_writers(workspace, seed=1, kills=2)
