"""Seeded damage to the log of decisions and its copy: named or healed, never another result."""

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
from hgld.review.log.chain import scan
from hgld.review.log.decisions import (
    DECISIONS_COPY,
    DECISIONS_FILE,
    OpenLog,
    check_decisions,
    read_log,
)
from hgld.review.log.events import Event, parse_event
from hgld.review.stage import run_review
from tests.hgld.review.log.acts import act, assigned, edited
from tests.worlds.review.sheets import PROPOSE, copy_of, finished, flip, log_of

pytestmark = pytest.mark.usefixtures("unflushed")


def shuffled(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def without_a_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def doubled(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


Damage = Callable[[bytes, random.Random], bytes]
DAMAGES: list[tuple[int, Damage]] = [
    (18, lambda data, chance: flip(data, chance.randrange(len(data)), chance.randrange(8))),
    (2, lambda data, chance: flip(data, len(data) - 1, chance.randrange(8))),
    (6, lambda data, chance: data[: chance.randrange(len(data))]),
    (2, shuffled),
    (2, without_a_line),
    (1, doubled),
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


def drawn(chance: random.Random, rounds: int) -> list[Damage]:
    """Returns the damages of so many rounds, in any order."""
    damages = [damage for times, damage in DAMAGES for _ in range(times * rounds)]
    return chance.sample(damages, len(damages))


def obey(text: str) -> None:
    """Does what an error tells, as `cp` does."""
    (command,) = re.findall("`(cp [^`]*)`", text)
    _, source, target = shlex.split(command)
    shutil.copyfile(source, target)


def scanned(data: bytes) -> list[Event]:
    return [parse_event(text, "the line") for text in scan(data).lines]


def seen_by_an_open_log(workspace: Workspace) -> list[Event] | None:
    try:
        return OpenLog(workspace, mend=False).events
    except DamagedError:
        return None


def appended(log: OpenLog) -> Event | str:
    """Appends an event; returns it, or why that was refused."""
    try:
        return log.append(edited(assigned("Q1")))
    except DamagedError as error:
        return str(error)


def outcome(reviewed: Workspace, clean: Mapping[Path, bytes]) -> str:
    """Reviews a build with a damaged log or copy, and returns what became of it."""
    before = finished(reviewed)
    events, shown = scanned(clean[log_of(reviewed)]), seen_by_an_open_log(reviewed)
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
        obey(text)
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


@pytest.mark.fault(20, "log of decisions damaged")
@pytest.mark.parametrize("names", [LOG, COPY, BOTH])
def test_no_damage_changes_a_result_in_silence(acted: Workspace, names: tuple[str, ...]) -> None:
    seen = check_a_damaged_log(acted, names, seed=20220713)
    assert seen.keys() <= OUTCOMES[names]
    assert (seen["healed"] > 0) == (names != BOTH)


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
    events = list(read_log(workspace).events)
    for damage in drawn(chance, rounds):
        for path in paths:
            path.write_bytes(clean)
        log = OpenLog(workspace)
        for name in names:
            workspace.path(name).write_bytes(damage(clean, chance))
        damaged = [path.read_bytes() for path in paths]
        added = appended(log)
        if isinstance(added, str):
            assert re.search(r"line \d+|is gone|has other lines", added)
            assert [path.read_bytes() for path in paths] == damaged
            assert log.events == events
            seen["named"] += 1
            continue
        assert log.events == list(read_log(workspace).events) == [*events, added]
        assert log_of(workspace).read_bytes().startswith(clean)
        assert added.number == len(events) + 1
        seen["healed"] += 1
    return seen


@pytest.mark.fault(131, "log of decisions damaged while it is open")
@pytest.mark.parametrize("names", [LOG, COPY, BOTH])
def test_no_damage_to_a_log_that_is_open_is_built_upon(
    workspace: Workspace, names: tuple[str, ...]
) -> None:
    seen = check_an_open_log(workspace, names, seed=20261126)
    assert seen["named"] > 0
    assert (seen["healed"] > 0) == (names != BOTH)
