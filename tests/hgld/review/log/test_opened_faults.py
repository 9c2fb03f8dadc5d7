"""Kills and refusals while an event is appended: what was done stays, and no more."""

import errno
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.log import decisions
from hgld.review.log.decisions import (
    OpenLog,
    append_decisions,
    append_lines,
    check_decisions,
    log_lock,
    read_log,
)
from hgld.review.log.events import Event
from tests.hgld.review.log.acts import act, assigned, edited, ignored, random_edit
from tests.worlds.forked import Forked, run_forked
from tests.worlds.review.sheets import copy_of, log_of

ONE, TWO, THREE = edited(assigned("Q1")), edited(assigned("Q2"), who="bob"), edited(assigned("Q3"))


def wholly(workspace: Workspace, *events: Event) -> None:
    """Checks that the log holds these, log and copy are whole, and an open log says the same."""
    assert [event.numbered(0) for event in read_log(workspace).events] == list(events)
    assert check_decisions(workspace) == []
    assert copy_of(workspace).read_bytes() == log_of(workspace).read_bytes()


# Killed -------------------------------------------------------------------------------------------


def kill_in_an_append(workspace: Workspace, left: int, name: str) -> None:
    """Kills a process that appends TWO when it writes a file, and leaves so much of that."""
    path = workspace.root / "review" / name

    def killed(file: Path, lines: bytes, *, flush: bool = True) -> None:
        if file == path:  # the disk took some bytes of the line when the process died
            with path.open("ab") as opened_file:
                opened_file.write(lines)
                opened_file.truncate(left)
            os.kill(os.getpid(), signal.SIGKILL)
        append_lines(file, lines, flush=flush)

    def act() -> None:
        log = OpenLog(workspace)
        pytest.MonkeyPatch().setattr(decisions, "append_lines", killed)
        log.append(TWO)

    assert run_forked(act) == -signal.SIGKILL
    assert path.stat().st_size == left


@pytest.mark.fault(130, "killed while decisions are appended")
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_an_event_whose_process_was_killed_counts_where_its_line_is_whole(
    workspace: Workspace, part: float
) -> None:
    log = OpenLog(workspace)
    log.append(ONE)
    start = log_of(workspace).stat().st_size
    undisturbed = Workspace(workspace.root.parent / "undisturbed")
    for event in (ONE, TWO):
        OpenLog(undisturbed).append(event)
    whole = log_of(undisturbed).read_bytes()
    left = start + round(part * (len(whole) - start))
    kill_in_an_append(workspace, left, "decisions.jsonl")
    assert log_of(workspace).read_bytes() == whole[:left]
    is_whole = left == len(whole)
    # One who had the log open all the while, and one who opens it now.
    assert log.sync() == ([TWO.numbered(2)] if is_whole else [])
    log.append(THREE)
    wholly(workspace, ONE, *([TWO] if is_whole else []), THREE)
    assert OpenLog(workspace).events == log.events == list(read_log(workspace).events)


MENDS = ("the open log", "one that opens it", "another program")


def check_a_torn_line(workspace: Workspace, mends: str, every: int) -> None:
    """Tears the second line of a log at every so-manieth byte; all pass over what is left of it."""
    log = OpenLog(workspace)
    for event in (ONE, TWO):
        log.append(event)
    data = log_of(workspace).read_bytes()
    start, last = data.index(b"\n") + 1, len(data) - 1
    for end in (start, *range(start + 1, last - 1, every), last - 1, last):
        log_of(workspace).write_bytes(data[:start])
        copy_of(workspace).write_bytes(data[:start])
        log = OpenLog(workspace)
        shown = OpenLog(workspace, mend=False)
        with log_of(workspace).open("ab") as file:
            file.write(data[start:end])
        is_whole = end == last
        assert log.sync() == shown.sync() == []
        assert len(read_log(workspace).events) == 1 + is_whole  # only its line feed is missing
        match mends:
            case "the open log":
                log.append(THREE)
            case "one that opens it":
                OpenLog(workspace).append(THREE)
            case _:
                append_decisions(workspace, [ignored("Q3")])
        log.sync()
        shown.sync()
        assert log.events == shown.events == list(read_log(workspace).events)
        assert log.line == shown.line == 2 + is_whole
        assert check_decisions(workspace) == []


@pytest.mark.fault(26, "log of decisions torn by a crash")
@pytest.mark.parametrize("mends", MENDS)
def test_a_line_torn_at_any_byte_is_passed_over_by_all(workspace: Workspace, mends: str) -> None:
    check_a_torn_line(workspace, mends, every=20)


@pytest.mark.fault(132, "killed while the log of decisions is copied")
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_an_event_whose_process_was_killed_in_the_copy_counts(
    workspace: Workspace, part: float
) -> None:
    log = OpenLog(workspace)
    log.append(ONE)
    start = copy_of(workspace).stat().st_size
    kill_in_an_append(workspace, start + round(part * 200), "decisions.backup.jsonl")
    assert log.sync() == [TWO.numbered(2)]
    log.append(THREE)
    wholly(workspace, ONE, TWO, THREE)


# Refusals of a disk -------------------------------------------------------------------------------


def refuse(
    monkeypatch: pytest.MonkeyPatch, name: str, after: Callable[[int], None], code: int
) -> list[str]:
    """Makes the flush of a file fail, once; returns what was refused."""
    refused, flush = list[str](), os.fsync

    def fails(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not refused and path.name == name:
            refused.append(path.name)
            after(descriptor)
            raise OSError(code, os.strerror(code))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fails)
    return refused


@pytest.mark.fault(133, "disk full or failing while an event is appended")
@pytest.mark.parametrize(("code", "lost"), [(errno.ENOSPC, 0), (errno.EIO, 40)])
def test_what_could_not_be_flushed_counts_not_and_the_next_append_goes_well(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, code: int, lost: int
) -> None:
    """A disk may take the whole line, and say only then that it has no room for it."""
    log, other = OpenLog(workspace), OpenLog(workspace)
    log.append(ONE)
    before = log_of(workspace).read_bytes()

    def lose(descriptor: int) -> None:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - lost)

    refused = refuse(monkeypatch, "decisions.jsonl", lose, code)
    with pytest.raises(InputError, match=r"decisions\.jsonl"):
        log.append(TWO)
    assert refused
    assert log_of(workspace).read_bytes() == copy_of(workspace).read_bytes() == before
    assert log.events == [ONE.numbered(1)]
    assert log.sync() == []
    assert other.sync() == log.events
    assert log.append(THREE) == THREE.numbered(2)
    assert other.sync() == [THREE.numbered(2)]
    wholly(workspace, ONE, THREE)


@pytest.mark.fault(133, "disk full or failing while an event is appended")
def test_a_disk_that_cannot_even_take_it_back_leaves_a_line_that_is_mended(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = OpenLog(workspace)
    log.append(ONE)
    truncate = os.ftruncate

    def cannot(*_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def tear(descriptor: int) -> None:
        truncate(descriptor, os.fstat(descriptor).st_size - 20)

    refuse(monkeypatch, "decisions.jsonl", tear, errno.EIO)
    monkeypatch.setattr(os, "ftruncate", cannot)
    with pytest.raises(InputError, match=r"decisions\.jsonl"):
        log.append(TWO)
    assert log.sync() == []
    assert log.append(THREE) == THREE.numbered(2)
    wholly(workspace, ONE, THREE)


@pytest.mark.fault(133, "disk full or failing while an event is appended")
def test_a_copy_that_finds_no_room_is_said_and_the_event_is_done(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = OpenLog(workspace)
    log.append(ONE)
    before = copy_of(workspace).read_bytes()
    append = append_lines

    def refused(path: Path, lines: bytes, *, flush: bool = True) -> None:
        if path == copy_of(workspace):
            raise InputError(f"cannot write {path}: no room")
        append(path, lines, flush=flush)

    with monkeypatch.context() as patch:
        patch.setattr(decisions, "append_lines", refused)
        assert log.append(TWO) == TWO.numbered(2)
    (warning,) = caplog.records
    assert str(copy_of(workspace)) in warning.getMessage()
    assert copy_of(workspace).read_bytes() == before
    assert len(read_log(workspace).events) == 2
    log.append(THREE)
    wholly(workspace, ONE, TWO, THREE)


@pytest.mark.fault(133, "disk full or failing while an event is appended")
def test_a_copy_that_cannot_be_made_at_all_stops_nobody(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    log = OpenLog(workspace)
    log.append(ONE)
    copy_of(workspace).unlink()
    copy_of(workspace).mkdir()
    log.append(TWO)
    assert {one.levelname for one in caplog.records} == {"WARNING"}
    copy_of(workspace).rmdir()
    log.append(THREE)
    wholly(workspace, ONE, TWO, THREE)


@pytest.mark.fault(133, "disk full or failing while an event is appended")
def test_an_interrupted_append_takes_back_what_it_wrote(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    log = OpenLog(workspace)
    log.append(ONE)
    refuse(monkeypatch, "decisions.jsonl", interrupt, errno.EIO)
    with pytest.raises(KeyboardInterrupt):
        log.append(TWO)
    log.append(THREE)
    wholly(workspace, ONE, THREE)


def test_a_new_file_is_named_on_the_disk_and_short_writes_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = list[str]()
    monkeypatch.setattr(
        "hgld.review.log.decisions.flush_folder", lambda folder: folders.append(folder.name)
    )
    path = tmp_path / "new" / "log.jsonl"
    append_lines(path, b"one\n")
    append_lines(path, b"two\nthree\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert folders == ["new"]


# Two at once --------------------------------------------------------------------------------------


def writing(workspace: Workspace, who: str, count: int) -> Forked:
    """Starts a process that appends so many random edits."""

    def act() -> None:
        chance, log = random.Random(who), OpenLog(workspace)
        for _ in range(count):
            log.append(random_edit(chance, who))

    return Forked(act)


@pytest.mark.fault(23, "two reviewers")
def test_processes_that_append_at_once_lose_nothing_and_one_who_follows_sees_it_all(
    workspace: Workspace,
) -> None:
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
def test_a_writer_killed_again_and_again_loses_at_most_what_it_was_at(
    workspace: Workspace,
) -> None:
    check_killed_writers(workspace, seed=1, kills=2)
