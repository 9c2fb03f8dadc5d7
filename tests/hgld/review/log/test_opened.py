"""The log kept open: it follows what others add, reads nothing twice, and refuses another log."""

import dataclasses
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, WorkspaceBusyError
from hgld.review.log import decisions
from hgld.review.log.chain import Chain, sealed
from hgld.review.log.decisions import (
    OpenLog,
    append_decisions,
    append_event,
    check_decisions,
    log_lock,
    read_log,
)
from hgld.review.log.events import Event, event_content, parse_event
from tests.hgld.review.log.acts import (
    assigned,
    edited,
    ignored,
    random_edit,
    random_switch,
)
from tests.worlds.review.sheets import copy_of, flip, log_of

ONE, TWO, THREE = edited(assigned("Q1")), edited(assigned("Q2"), who="bob"), edited(assigned("Q3"))


@dataclasses.dataclass
class Counts:
    """How often lines are read, and files are read whole."""

    parsed: int = 0
    checked: int = 0
    whole: int = 0


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    counted, follows = Counts(), Chain.follows

    def parsed(text: bytes, where: str) -> Event:
        counted.parsed += 1
        return parse_event(text, where)

    def followed(self: Chain, text: bytes) -> bool:
        counted.checked += 1
        return follows(self, text)

    def read_whole(workspace: Workspace, *, mend: bool = False) -> decisions.DecisionLog:
        counted.whole += 1
        return read_log(workspace, mend=mend)

    monkeypatch.setattr(decisions, "parse_event", parsed)
    monkeypatch.setattr(decisions, "read_log", read_whole)
    monkeypatch.setattr(Chain, "follows", followed)
    return counted


def everything(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_an_empty_build_has_an_empty_log_that_can_be_appended_to(workspace: Workspace) -> None:
    log = OpenLog(workspace)
    assert (log.events, log.line, log.sync()) == ([], 0, [])
    assert log.append(dataclasses.replace(ONE, number=77)) == ONE.numbered(1)
    assert (log.events, log.line, log.sync()) == ([ONE.numbered(1)], 1, [])
    assert read_log(workspace).events == (ONE.numbered(1),)
    assert copy_of(workspace).read_bytes() == log_of(workspace).read_bytes()


def test_open_logs_and_other_programs_see_what_each_adds(workspace: Workspace) -> None:
    ours, theirs = OpenLog(workspace), OpenLog(workspace)
    ours.append(ONE)
    assert theirs.sync() == [ONE.numbered(1)]
    append_decisions(workspace, [ignored("Q5"), ignored("Q6")])
    append_event(workspace, TWO)
    assert theirs.append(THREE).number == 5  # after what it had not read yet
    assert [event.number for event in ours.sync()] == [2, 3, 4, 5]
    assert ours.sync() == theirs.sync() == []
    assert ours.events == theirs.events == list(read_log(workspace).events)
    assert ours.line == theirs.line == 5
    assert check_decisions(workspace) == []


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


def test_only_what_is_new_is_read(workspace: Workspace, counts: Counts) -> None:
    append_decisions(workspace, [ignored(f"Q{number}") for number in range(100)])
    log = OpenLog(workspace)
    other = OpenLog(workspace)
    counts.parsed = counts.checked = counts.whole = 0
    for _ in range(50):
        assert log.sync() == []
    assert counts == Counts()
    for _ in range(7):
        other.append(ONE)
    assert counts == Counts()
    assert [event.number for event in log.sync()] == list(range(101, 108))
    assert log.sync() == []
    log.append(TWO)
    assert counts == Counts(parsed=7, checked=7)


def test_a_torn_line_that_another_mended_is_followed_too(
    workspace: Workspace, counts: Counts
) -> None:
    log, other = OpenLog(workspace), OpenLog(workspace)
    other.append(ONE)
    with log_of(workspace).open("ab") as file:
        file.write(b'{"number": 2, "eve')
    assert log.sync() == [ONE.numbered(1)]
    other.append(TWO)
    counts.parsed = counts.checked = counts.whole = 0
    assert log.sync() == [TWO.numbered(2)]
    assert counts == Counts(parsed=1, checked=1)


def test_an_event_is_on_the_disk_before_it_is_done_and_the_copy_comes_after_the_log(
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


@pytest.mark.parametrize("lost", [1, 5, 1000])
@pytest.mark.parametrize("with_zeros", [False, True])
def test_a_copy_that_a_power_cut_took_the_end_of_is_made_again(
    workspace: Workspace, lost: int, with_zeros: bool
) -> None:
    """It is not flushed: the disk may lack its end, or have zeros there."""
    log = OpenLog(workspace)
    for event in (ONE, TWO):
        log.append(event)
    whole = copy_of(workspace).read_bytes()
    kept = whole[: max(0, len(whole) - lost)]
    copy_of(workspace).write_bytes(kept + bytes(len(whole) - len(kept)) * with_zeros)
    reopened = OpenLog(workspace)
    assert [event.number for event in reopened.events] == [1, 2]
    reopened.append(THREE)
    assert copy_of(workspace).read_bytes() == log_of(workspace).read_bytes()
    assert check_decisions(workspace) == []


def test_a_log_that_is_only_shown_is_not_touched(workspace: Workspace) -> None:
    append_event(workspace, ONE)
    append_event(workspace, TWO)
    (workspace.root / "review/.log.lock").unlink(missing_ok=True)
    data = log_of(workspace).read_bytes()
    log_of(workspace).write_bytes(data + b'{"number": 3, "eve')
    copy_of(workspace).write_bytes(data[: data.index(b"\n") + 1])
    before = everything(workspace.root)
    log = OpenLog(workspace, mend=False)
    assert log.events == [ONE.numbered(1), TWO.numbered(2)]
    assert log.sync() == []
    with pytest.raises(ValueError, match="mend"):
        log.append(THREE)
    with pytest.raises(ValueError, match="mend"):
        log.append_locked(THREE)
    assert everything(workspace.root) == before
    # It follows one who writes, and is not told of what a crash left.
    other = OpenLog(workspace)
    assert log.sync() == []
    assert log.line == other.line == 2
    other.append(THREE)
    assert [event.number for event in log.sync()] == [3]
    assert log.events == other.events


def test_a_line_of_a_later_version_is_told_each_time_and_none_before_it_is_missed(
    workspace: Workspace,
) -> None:
    log = OpenLog(workspace)
    log.append(ONE)
    later = event_content(TWO) | {"mood": "good"}
    data = log_of(workspace).read_bytes()
    lines = sealed(data, [event_content(TWO), later])
    log_of(workspace).write_bytes(data + lines)
    for call in (log.sync, log.sync, lambda: log.append(THREE), lambda: OpenLog(workspace)):
        with pytest.raises(InputError, match=r"line 3.*mood"):
            call()
        assert log.events == [ONE.numbered(1)]
    assert log_of(workspace).read_bytes() == data + lines
    log_of(workspace).write_bytes(data + lines[: lines.index(b"\n") + 1])
    assert log.sync() == [TWO.numbered(2)]


def lines_of(workspace: Workspace) -> list[bytes]:
    return log_of(workspace).read_bytes().splitlines(keepends=True)


def cut(workspace: Workspace) -> None:
    log_of(workspace).write_bytes(b"".join(lines_of(workspace)[:2]))


def cut_both(workspace: Workspace) -> None:
    cut(workspace)
    shutil.copy(log_of(workspace), copy_of(workspace))


def remove_both(workspace: Workspace) -> None:
    log_of(workspace).unlink()
    copy_of(workspace).unlink()


def flip_in_the_middle(workspace: Workspace) -> None:
    data = log_of(workspace).read_bytes()
    log_of(workspace).write_bytes(flip(data, len(data) // 2, 0))


def replace(workspace: Workspace) -> None:
    """By another log, of the same size and whole, and its copy."""
    data = log_of(workspace).read_bytes()
    other = sealed(b"", [event_content(edited(assigned(f"R{number}"))) for number in range(1, 6)])
    assert len(other) == len(data)
    for path in (log_of(workspace), copy_of(workspace)):
        path.write_bytes(other)


def replace_by_a_longer_one(workspace: Workspace) -> None:
    other = [event_content(edited(assigned(f"R{number}"))) for number in range(1, 9)]
    for path in (log_of(workspace), copy_of(workspace)):
        path.unlink()
        path.write_bytes(sealed(b"", other))


def add_a_foreign_line(workspace: Workspace) -> None:
    with log_of(workspace).open("ab") as file:
        file.write(lines_of(workspace)[2])


@pytest.mark.fault(131, "log of decisions damaged while it is open")
@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (cut, "line 2.*`cp "),
        (cut_both, "other lines"),
        (lambda workspace: log_of(workspace).unlink(), "gone.*`cp "),
        (remove_both, "other lines"),
        (flip_in_the_middle, "line 3.*`cp "),
        (replace, "other lines"),
        (replace_by_a_longer_one, "other lines"),
        (add_a_foreign_line, "line 6"),
    ],
)
def test_an_open_log_is_not_appended_to_once_it_is_another_and_goes_on_when_it_is_back(
    workspace: Workspace, damage: Callable[[Workspace], None], text: str
) -> None:
    log = OpenLog(workspace)
    for number in range(1, 6):
        log.append(edited(assigned(f"Q{number}")))
    clean, events = log_of(workspace).read_bytes(), list(log.events)
    damage(workspace)
    after = everything(workspace.root)
    for call in (log.sync, lambda: log.append(THREE), log.sync):
        with pytest.raises(DamagedError, match=text):
            call()
        assert log.events == events
        assert everything(workspace.root) == after
    for path in (log_of(workspace), copy_of(workspace)):
        path.write_bytes(clean)
    assert log.sync() == []
    assert log.append(THREE).number == 6
    assert check_decisions(workspace) == []


@pytest.mark.fault(22, "copy of decisions damaged")
@pytest.mark.parametrize("damage", ["behind", "gone", "cut in a line", "emptied"])
def test_a_copy_that_is_not_what_the_log_was_is_made_again_by_the_next_event(
    workspace: Workspace, damage: str
) -> None:
    log = OpenLog(workspace)
    for event in (ONE, TWO):
        log.append(event)
    data = copy_of(workspace).read_bytes()
    match damage:
        case "gone":
            copy_of(workspace).unlink()
        case "behind":
            copy_of(workspace).write_bytes(data[: data.index(b"\n") + 1])
        case "cut in a line":
            copy_of(workspace).write_bytes(data[:-30])
        case _:
            copy_of(workspace).write_bytes(b"")
    log.append(THREE)
    assert log.events == [ONE.numbered(1), TWO.numbered(2), THREE.numbered(3)]
    assert copy_of(workspace).read_bytes() == log_of(workspace).read_bytes()
    assert check_decisions(workspace) == []


def test_nothing_is_appended_beside_a_copy_that_has_more(workspace: Workspace) -> None:
    """The log may have lost what the copy has."""
    log = OpenLog(workspace)
    log.append(ONE)
    with copy_of(workspace).open("ab") as file:
        file.write(b"{")
    before = everything(workspace.root)
    with pytest.raises(DamagedError, match="line 1"):
        log.append(TWO)
    assert everything(workspace.root) == before


def test_a_whole_copy_is_not_made_again_of_a_log_that_rotted_unseen(workspace: Workspace) -> None:
    """A bit that flips on the disk changes no time; the copy is then what is left."""
    log = OpenLog(workspace)
    for event in (ONE, TWO):
        log.append(event)
    before = log_of(workspace).stat()
    flip_in_the_middle(workspace)
    os.utime(log_of(workspace), ns=(before.st_atime_ns, before.st_mtime_ns))
    kept = lines_of(workspace)[0]
    copy_of(workspace).write_bytes(copy_of(workspace).read_bytes()[: len(kept)])
    after = everything(workspace.root)
    with pytest.raises(DamagedError, match="line 2"):
        log.append(THREE)
    assert everything(workspace.root) == after


def test_a_file_that_was_only_touched_is_read_once_more(
    workspace: Workspace, counts: Counts
) -> None:
    log = OpenLog(workspace)
    log.append(ONE)
    os.utime(log_of(workspace))
    counts.whole = 0
    for _ in range(3):
        assert log.sync() == []
    assert counts.whole == 1


def test_a_writer_that_holds_the_lock_is_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = OpenLog(workspace)
    monkeypatch.setattr(decisions, "log_lock", lambda workspace: log_lock(workspace, wait_s=0.05))
    with log_lock(workspace):
        assert log.sync() == []  # waits for nobody
        with pytest.raises(WorkspaceBusyError, match="decisions"):
            log.append(ONE)
    assert log.append(ONE).number == 1


def test_a_chain_that_is_copied_goes_its_own_way() -> None:
    one = Chain()
    line = one.seal(event_content(ONE))
    other = one.copy()
    other.add(line[:-1])
    assert (one.count, other.count) == (0, 1)
    assert one.follows(line[:-1])
    assert not other.follows(line[:-1])


@pytest.fixture(autouse=True)
def whole_logs(workspace: Workspace) -> Iterator[None]:
    """Each test leaves a log whose lines can be read, or said that they cannot."""
    yield
    assert not list(workspace.root.rglob("*.tmp"))
