"""Seeded damage to the log of decisions and its copy: named or healed, never another result."""

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.review.log.decisions import (
    DECISIONS_COPY,
    DECISIONS_FILE,
    check_decisions,
    read_decisions,
)
from hgld.review.log.guard import judge
from hgld.review.stage import run_review
from tests.worlds.reviewing import (
    PROPOSE,
    copy_of,
    finished,
    flip,
    log_of,
    type_command,
    write_old_log,
)

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


DAMAGES: list[tuple[int, Callable[[bytes, random.Random], bytes]]] = [
    (90, lambda data, chance: flip(data, chance.randrange(len(data)), chance.randrange(8))),
    (8, lambda data, chance: flip(data, len(data) - 1, chance.randrange(8))),
    (30, lambda data, chance: data[: chance.randrange(len(data))]),
    (10, shuffled),
    (10, without_a_line),
    (5, doubled),
    (10, lambda data, chance: data + chance.randbytes(chance.randrange(1, 50))),
    (
        10,
        lambda data, chance: data[: (place := chance.randrange(len(data)))] + b"\n" + data[place:],
    ),
]


EXPECTED = {
    (DECISIONS_FILE,): {"restored as told": 164, "healed": 9},
    (DECISIONS_COPY,): {"named": 25, "healed": 148},
    (DECISIONS_FILE, DECISIONS_COPY): {"named": 172, "restored as told": 1},
}


def outcome(reviewed: Workspace, clean: Mapping[Path, bytes]) -> str:
    """Reviews a build with a damaged log or copy, and returns what became of it."""
    before = finished(reviewed)
    try:
        after = run_review(reviewed, PROPOSE)
    except DamagedError as error:
        text = str(error)
        assert text.startswith(f"{log_of(reviewed)} ")
        assert re.search(r"line \d+|is gone", text)
        assert finished(reviewed) == before
        if "`cp " not in text:
            return "named"
        type_command(text, "cp")
        return "restored as told"
    # What stands after the last line is no decision, and stays where it is.
    assert log_of(reviewed).read_bytes().startswith(clean[log_of(reviewed)])
    assert after.manifest.outputs == before.outputs
    assert check_decisions(reviewed) == []
    return "healed"


def as_of_an_earlier_version(workspace: Workspace) -> None:
    """Makes the log one of an earlier version, of which this one has made a copy."""
    decisions = list(read_decisions(workspace).values())
    shutil.rmtree(workspace.path("review"))
    workspace.manifest_path("review").unlink()
    write_old_log(workspace, decisions)
    run_review(workspace, PROPOSE)


@pytest.mark.fault(20, "log of decisions damaged")
@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("names", EXPECTED)
def test_no_damage_changes_a_result_in_silence(
    reviewed: Workspace, names: tuple[str, ...], is_old: bool
) -> None:
    if is_old:
        as_of_an_earlier_version(reviewed)
    kept = [path for path in reviewed.root.rglob("*") if path.is_file()]
    clean = {path: path.read_bytes() for path in kept}
    chance, seen = random.Random(20220713), Counter[str]()
    for damage in (damage for times, damage in DAMAGES for _ in range(times)):
        for name in names:
            damaged = damage(clean[log_of(reviewed)], chance)
            assert damaged != clean[reviewed.path(name)]
            reviewed.path(name).write_bytes(damaged)
        seen[one := outcome(reviewed, clean)] += 1
        if one == "restored as told" and names == (DECISIONS_FILE,):
            assert run_review(reviewed, PROPOSE).skipped
            assert {path: path.read_bytes() for path in clean} == clean
        for path, data in clean.items():
            path.write_bytes(data)
        assert run_review(reviewed, PROPOSE).skipped
    assert seen.total() == sum(times for times, _ in DAMAGES)
    if not is_old:  # where lines have a chain, it is known which of the two files to trust
        assert seen == EXPECTED[names]


@pytest.mark.fault(20, "log of decisions damaged")
@pytest.mark.parametrize("has_copy", [True, False])
def test_a_flipped_bit_in_any_byte_is_named_with_its_line(
    reviewed: Workspace, has_copy: bool
) -> None:
    clean, chance = log_of(reviewed).read_bytes(), random.Random(20220713)
    if not has_copy:
        copy_of(reviewed).unlink()
    for place in range(len(clean)):
        log_of(reviewed).write_bytes(flip(clean, place, chance.randrange(8)))
        damage = judge(log_of(reviewed), copy_of(reviewed)).log_damage
        line = clean.count(b"\n", 0, place) + 1
        assert damage.startswith(f"line {line} is not as it was written")
        assert ("`cp " in damage) == has_copy
    with pytest.raises(DamagedError, match="line 5 is not as it was written"):
        run_review(reviewed, PROPOSE)
    log_of(reviewed).write_bytes(clean)
    assert run_review(reviewed, PROPOSE).skipped
