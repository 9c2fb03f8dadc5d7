import os
import random
from pathlib import Path

import pytest

from hgld.benchmarks.faults.damages import (
    PlannedDamage,
    files_by_kind,
    kind_of_file,
    plan_damages,
    write_damaged,
)


def damage(how: str, relative: str = "review/decisions.jsonl") -> PlannedDamage:
    return PlannedDamage(
        kind=kind_of_file(relative), how=how, relative=relative, other="review/other.jsonl", seed=3
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two builds with two files each: the one that is damaged, and an earlier one."""
    for name in ("build", "earlier"):
        folder = tmp_path / name / "review"
        folder.mkdir(parents=True)
        lines = "".join(f'{{"line": {number}}}\n' for number in range(200))
        (folder / "decisions.jsonl").write_text(name + lines)
        (folder / "other.jsonl").write_text(f"the other of {name}")
        os.utime(folder / "decisions.jsonl", (1_000_000, 1_000_000))
    return tmp_path / "build"


def content(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((root / "review").iterdir())}


WAYS = {planned.how for planned in plan_damages("decisions", ["review/decisions.jsonl"], 99, 0)}


@pytest.mark.parametrize("how", sorted(WAYS))
def test_a_damage_changes_a_file_keeps_its_time_and_can_be_mended(root: Path, how: str) -> None:
    clean = content(root)
    planned = damage(how)
    assert planned.inflict(root, root.parent / "earlier")
    damaged = content(root)
    changed = {
        name for name in clean.keys() | damaged.keys() if clean.get(name) != damaged.get(name)
    }
    assert changed == {
        "deleted": {"decisions.jsonl"},
        "copied beside": {"decisions (1).jsonl"},
        "swapped": {"decisions.jsonl", "other.jsonl"},
    }.get(how, {"decisions.jsonl"})
    if how != "deleted":
        assert (root / planned.relative).stat().st_mtime == 1_000_000
    reference = root.parent / "reference"
    (reference / "review").mkdir(parents=True)
    for name, data in clean.items():
        (reference / "review" / name).write_bytes(data)
    planned.mend(root, reference)
    assert content(root) == clean


def test_what_an_earlier_build_did_not_have_is_no_damage(root: Path) -> None:
    (root.parent / "earlier/review/decisions.jsonl").unlink()
    assert not damage("earlier version").inflict(root, root.parent / "earlier")


def test_the_name_of_a_copy_is_what_has_to_be_told() -> None:
    assert damage("copied beside", "raw/commons-pages/000000.json.gz").names() == (
        "commons-pages/000000 (1).json.gz",
    )
    assert damage("cut", "runs/happier/config.json").names()[0] == "happier/config.json"


def test_damages_are_the_same_each_time_and_meet_every_way_and_file() -> None:
    files = [f"stages/{name}.json" for name in "abcdef"]
    planned = list(plan_damages("manifest", files, 60, 7))
    assert planned == list(plan_damages("manifest", files, 60, 7))
    assert planned != list(plan_damages("manifest", files, 60, 8))
    assert {one.relative for one in planned} == set(files)
    assert {one.how for one in planned} == WAYS - {"line lost", "lines in another order"}
    assert all(one.other != one.relative for one in planned if one.how == "swapped")


def test_every_file_is_of_a_kind_or_known_not_to_count(tmp_path: Path) -> None:
    (tmp_path / "scrape/classes").mkdir(parents=True)
    for name in ("scrape/classes/0.parquet", "hgld.toml", ".lock", "scrape/.0.tmp"):
        (tmp_path / name).touch()
    assert files_by_kind(tmp_path) == {"table scrape/classes": ["scrape/classes/0.parquet"]}
    (tmp_path / "scrape/notes.txt").touch()
    with pytest.raises(LookupError, match=r"scrape/notes\.txt is of no kind of file"):
        files_by_kind(tmp_path)


def test_a_seed_draws_the_same_bit_each_time(root: Path) -> None:
    before = (root / "review/decisions.jsonl").read_bytes()
    damage("bit flipped").inflict(root, root)
    after = (root / "review/decisions.jsonl").read_bytes()
    (place,) = [n for n, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
    assert place == random.Random(3).randrange(len(before))
    assert (before[place] ^ after[place]).bit_count() == 1


def test_what_is_damaged_can_be_handed_to_other_programs(root: Path) -> None:
    folder = root.parent / "handed"
    ways = ["cut", "deleted", "copied beside", "swapped"]
    told = write_damaged(root, root.parent / "earlier", map(damage, ways), folder)
    assert [one["how"] for one in told] == ways
    changed = [
        sorted(path.name for path in (folder / one["folder"]).rglob("*.jsonl")) for one in told
    ]
    assert changed == [
        ["decisions.jsonl"],
        [],
        ["decisions (1).jsonl"],
        ["decisions.jsonl", "other.jsonl"],
    ]
    cut = folder / told[0]["folder"] / "review/decisions.jsonl"
    assert 0 < cut.stat().st_size < (root / "review/decisions.jsonl").stat().st_size
    assert not (folder / "being-damaged").exists()


def test_what_is_filled_is_of_the_tables_that_share_a_folder() -> None:
    assert kind_of_file("annotations/filled/train-00000-of-00001.parquet") == (
        "table annotations/filled/train"
    )
    assert kind_of_file("annotations/credits-filled-00000-of-00001.parquet") == (
        "table annotations/credits-filled"
    )
