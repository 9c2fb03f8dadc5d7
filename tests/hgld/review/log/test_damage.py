"""Damaged logs, case by case and by seed: named or healed, never a machine's proposals."""

import hashlib
import random
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.review.exporting import export_file
from hgld.review.log import decisions
from hgld.review.log.chain import scan
from hgld.review.log.decisions import DECISIONS_COPY, DECISIONS_FILE, OpenLog, check_decisions
from hgld.review.log.events import Event, event_content, parse_event
from hgld.review.stage import run_decided, run_review
from tests.hgld.review.log.acts import act, assigned, edited, ignored, sealed, write_acted
from tests.worlds.builders import write_proposals
from tests.worlds.review import sheets
from tests.worlds.review.sheets import LAKE, PROPOSE, copy_of, decide, finished, flip, log_of


def refusal(workspace: Workspace) -> str:
    """Returns how the log is refused: by the stage, and by whatever else would use it."""
    with pytest.raises(DamagedError) as caught:
        run_review(workspace, PROPOSE)
    text = str(caught.value)
    assert "\n" not in text
    for use in (
        lambda: run_decided(workspace),
        lambda: export_file(workspace, workspace.root / "never.csv"),
        lambda: decisions.append_decisions(workspace, [ignored("Q10")]),
    ):
        with pytest.raises(DamagedError, match=re.escape(text)):
            use()
    assert text in {f"{workspace.path(one.path)} {one.what}" for one in check_decisions(workspace)}
    return text


def cut(path: Path, kept: int | None) -> None:
    """Leaves so many lines of a log, as of an old backup; None: no log."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    if kept is not None:
        path.write_bytes(b"".join(lines[:kept]))


@pytest.mark.fault(24, "emptied log")
@pytest.mark.parametrize(("kept", "what"), [(None, "gone"), (0, "line 0"), (4, "line 4")])
@pytest.mark.parametrize("command", ["cp", "rm"])
def test_a_log_that_is_gone_or_cut_is_restored_or_accepted_as_told(
    reviewed: Workspace, kept: int | None, what: str, command: str
) -> None:
    lines = log_of(reviewed).read_bytes().splitlines(keepends=True)
    cut(log_of(reviewed), kept)
    text = refusal(reviewed)
    assert text.startswith(str(log_of(reviewed)))
    assert what in text
    sheets.type_command(text, command)
    is_restored = command == "cp"
    assert run_review(reviewed, PROPOSE).skipped == is_restored
    left = lines if is_restored else lines[: kept or 0]
    assert [*decisions.read_log(reviewed).found.lines] == [line.rstrip() for line in left]
    assert check_decisions(reviewed) == []


@pytest.mark.fault(21, "log and copy of decisions gone")
@pytest.mark.parametrize("kept", [None, 0, 4])
def test_decisions_are_missed_also_without_a_copy(reviewed: Workspace, kept: int | None) -> None:
    clean, before = log_of(reviewed).read_bytes(), finished(reviewed)
    for path in (log_of(reviewed), copy_of(reviewed)):
        cut(path, kept)
    text = refusal(reviewed)
    assert ("gone" if kept is None else f"line {kept}") in text
    assert "`cp " not in text
    log_of(reviewed).write_bytes(clean)
    assert run_review(reviewed, PROPOSE).manifest.outputs == before.outputs
    assert log_of(reviewed).read_bytes() == copy_of(reviewed).read_bytes() == clean


def test_the_log_of_another_build_is_not_taken(reviewed: Workspace, tmp_path: Path) -> None:
    other = Workspace(tmp_path / "other")
    write_proposals(other, sheets.CLASSES)
    decide(other, {"Q9": LAKE}, "eve")
    clean = log_of(reviewed).read_bytes()
    shutil.copy(log_of(other), log_of(reviewed))
    assert "line 1" in refusal(reviewed)
    shutil.copy(copy_of(other), copy_of(reviewed))
    assert "last review" in refusal(reviewed)
    for path in (log_of(reviewed), copy_of(reviewed)):
        path.write_bytes(clean)
    assert run_review(reviewed, PROPOSE).skipped


@pytest.mark.parametrize("place", [50, -50])
def test_lines_that_no_copy_has_yet_are_not_given_up(reviewed: Workspace, place: int) -> None:
    """A crash before the copy was made, and then a flipped bit."""
    clean = log_of(reviewed).read_bytes()
    cut(copy_of(reviewed), 3)
    log_of(reviewed).write_bytes(flip(clean, place % len(clean), 0))
    text = refusal(reviewed)
    assert f"line {1 if place == 50 else 5}" in text
    assert str(copy_of(reviewed)) in text


def test_a_line_whose_number_is_not_that_of_its_place_is_damaged() -> None:
    for number, damaged_line in ((1, 0), (2, 1)):
        text = f'{{"number": {number}, "a": 1'
        chained = f'{text}, "chain": "{hashlib.sha256(text.encode()).hexdigest()}"}}\n'
        assert scan(chained.encode()).damaged_line == damaged_line


def test_files_that_cannot_be_read_are_named(reviewed: Workspace) -> None:
    clean = log_of(reviewed).read_bytes()
    log_of(reviewed).unlink()
    log_of(reviewed).mkdir()
    assert "Is a directory" in refusal(reviewed)
    log_of(reviewed).rmdir()
    log_of(reviewed).write_bytes(clean)
    copy_of(reviewed).unlink()
    copy_of(reviewed).mkdir()
    (found,) = check_decisions(reviewed)
    assert "Is a directory" in found.what


Damage = Callable[[bytes, random.Random], bytes]


def relined(change: Callable[[list[bytes], random.Random], object]) -> Damage:
    """Damages a log line by line."""

    def damage(data: bytes, chance: random.Random) -> bytes:
        lines = data.splitlines(keepends=True)
        change(lines, chance)
        return b"".join(lines)

    return damage


def swap(lines: list[bytes], chance: random.Random) -> None:
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]


def shorten(lines: list[bytes], chance: random.Random) -> None:
    del lines[chance.randrange(len(lines)) :]


ADDED = edited(assigned("Q1"))
DAMAGES: list[tuple[int, Damage]] = [
    (18, lambda data, chance: flip(data, chance.randrange(len(data)), chance.randrange(8))),
    (2, lambda data, chance: flip(data, len(data) - 1, chance.randrange(8))),
    (6, lambda data, chance: data[: chance.randrange(len(data))]),
    (2, relined(swap)),
    (2, relined(lambda lines, chance: lines.pop(chance.randrange(len(lines))))),
    (3, relined(shorten)),
    (1, relined(lambda lines, chance: lines.insert(chance.randrange(len(lines)), lines[0]))),
    (2, lambda data, chance: data + chance.randbytes(chance.randrange(1, 50))),
    (2, lambda data, chance: data[: (place := chance.randrange(len(data)))] + b"\n" + data[place:]),
]
"""What becomes of a file, and how often in a round."""

LOG, COPY, BOTH = (DECISIONS_FILE,), (DECISIONS_COPY,), (DECISIONS_FILE, DECISIONS_COPY)
# With a chain it is known which of the two files to trust.
OUTCOMES = {
    LOG: {"restored as told", "healed"},
    COPY: {"named", "healed"},
    BOTH: {"named", "restored as told"},
}


def another(data: bytes, _: random.Random) -> bytes:
    """Returns the log of another build, whole and of as many lines."""
    events = (edited(assigned(f"R{number}")) for number in range(data.count(b"\n")))
    return sealed(map(event_content, events))


def drawn(chance: random.Random, rounds: int) -> list[Damage]:
    """Returns the damages of so many rounds, in any order."""
    damages = [damage for times, damage in DAMAGES for _ in range(times * rounds)]
    return chance.sample(damages, len(damages))


def seen_by_an_open_log(workspace: Workspace) -> list[Event] | None:
    try:
        return OpenLog(workspace, mend=False).events
    except DamagedError:
        return None


def appended(log: OpenLog) -> Event | str:
    """Appends an event; returns it, or why that was refused."""
    try:
        return log.append(ADDED)
    except DamagedError as error:
        return str(error)


def outcome(reviewed: Workspace, clean: Mapping[Path, bytes]) -> str:
    """Reviews a build with a damaged log or copy, and returns what became of it."""
    before = finished(reviewed)
    lines, shown = scan(clean[log_of(reviewed)]).lines, seen_by_an_open_log(reviewed)
    events = [parse_event(text, "the line") for text in lines]
    assert shown in (events, None)
    try:
        after = run_review(reviewed, PROPOSE)
    except DamagedError as error:
        text = str(error)
        assert shown is None  # nor does a page begin with it
        assert text.startswith(f"{log_of(reviewed)} ")
        assert re.search(r"line \d+|is gone", text)
        assert finished(reviewed) == before
        if "`cp " not in text:
            return "named"
        (command,) = re.findall("`(cp [^`]*)`", text)
        shutil.copyfile(*shlex.split(command)[1:])
        return "restored as told"
    assert OpenLog(reviewed).events == shown == events
    # What stands after the last line is no decision, and stays where it is.
    assert log_of(reviewed).read_bytes().startswith(clean[log_of(reviewed)])
    assert after.manifest.outputs == before.outputs
    assert check_decisions(reviewed) == []
    return "healed"


def check_a_damaged_log(
    reviewed: Workspace, names: tuple[str, ...], seed: int, rounds: int = 1
) -> Counter[str]:
    """Damages log, copy or both; each damage is named or healed. Returns how often which."""
    kept = [path for path in reviewed.root.rglob("*") if path.is_file()]
    clean = {path: path.read_bytes() for path in kept}
    chance, seen = random.Random(seed), Counter[str]()
    for damage in drawn(chance, rounds):
        for name in names:
            damaged = damage(clean[log_of(reviewed)], chance)
            reviewed.path(name).write_bytes(damaged)
        if names == COPY:
            assert DECISIONS_COPY in {one.path for one in check_decisions(reviewed)}
        seen[one := outcome(reviewed, clean)] += 1
        if one == "restored as told" and names == LOG:
            assert run_review(reviewed, PROPOSE).skipped
            assert {path: path.read_bytes() for path in clean} == clean
        for path, data in clean.items():
            path.write_bytes(data)
    assert run_review(reviewed, PROPOSE).skipped
    return seen


@pytest.fixture
def acted(workspace: Workspace) -> Workspace:
    """Four classes, and edits of all kinds of which some are switched off."""
    return write_acted(workspace)


@pytest.mark.usefixtures("unflushed")
@pytest.mark.fault(20, "log of decisions damaged")
@pytest.mark.parametrize("names", [LOG, COPY, BOTH])
def test_no_damage_changes_a_result_in_silence(acted: Workspace, names: tuple[str, ...]) -> None:
    seen = check_a_damaged_log(acted, names, seed=20220713)
    assert seen.keys() <= OUTCOMES[names]
    assert (seen["healed"] > 0) == (names != BOTH)


@pytest.mark.usefixtures("unflushed")
@pytest.mark.fault(20, "log of decisions damaged")
@pytest.mark.parametrize("has_copy", [True, False])
def test_a_flipped_bit_in_any_byte_is_named_with_its_line(acted: Workspace, has_copy: bool) -> None:
    clean, chance = log_of(acted).read_bytes(), random.Random(20220713)
    last = len(clean.splitlines())
    if not has_copy:
        copy_of(acted).unlink()
    for place in [*range(chance.randrange(9), len(clean) - 1, 9), len(clean) - 1]:
        log_of(acted).write_bytes(flip(clean, place, chance.randrange(8)))
        damage = next(one.what for one in check_decisions(acted) if one.path == DECISIONS_FILE)
        line = clean.count(b"\n", 0, place) + 1
        assert damage.startswith(f"line {line} ")
        assert ("`cp " in damage) == has_copy
    with pytest.raises(DamagedError, match=f"line {last} "):
        run_review(acted, PROPOSE)
    log_of(acted).write_bytes(clean)
    assert run_review(acted, PROPOSE).skipped


def check_an_open_log(
    workspace: Workspace, names: tuple[str, ...], seed: int, rounds: int = 1
) -> Counter[str]:
    """Damages a log that a page has read, which then appends; returns what became of it."""
    act(workspace, random.Random(5), 40)
    paths = [log_of(workspace), copy_of(workspace)]
    clean, chance, seen = log_of(workspace).read_bytes(), random.Random(seed), Counter[str]()
    events = list(decisions.read_log(workspace).events)
    for damage in [*drawn(chance, rounds), another]:
        for path in paths:
            path.write_bytes(clean)
        log = OpenLog(workspace)
        for name in names:
            workspace.path(name).write_bytes(damage(clean, chance))
        damaged = [path.read_bytes() for path in paths]
        added = appended(log)
        if isinstance(added, str):
            assert "decisions.jsonl" in added
            assert [path.read_bytes() for path in paths] == damaged
            assert log.events == events
            for path in paths:
                path.write_bytes(clean)
            assert log.sync() == []
            assert log.append(ADDED).number == len(events) + 1
            seen["named"] += 1
            continue
        assert log.events == list(decisions.read_log(workspace).events) == [*events, added]
        assert log_of(workspace).read_bytes().startswith(clean)
        assert added.number == len(events) + 1
        if len(damaged[1]) != len(clean):  # one of this size is compared when the log is opened
            assert check_decisions(workspace) == []
        seen["healed"] += 1
    return seen


@pytest.mark.usefixtures("unflushed")
@pytest.mark.fault(22, "copy of decisions damaged")
@pytest.mark.fault(131, "log of decisions damaged while it is open")
@pytest.mark.fault(132, "killed while the log of decisions is copied")
@pytest.mark.parametrize("names", [LOG, COPY, BOTH])
def test_no_damage_of_an_open_log_is_kept(workspace: Workspace, names: tuple[str, ...]) -> None:
    seen = check_an_open_log(workspace, names, seed=20261126)
    assert seen["named"] > 0
    assert (seen["healed"] > 0) == (names != BOTH)
