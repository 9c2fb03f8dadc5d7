"""A finished build, damaged in one file: named or healed, never silent, never a traceback."""

import dataclasses
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.benchmarks.faults.command import HUNG, Ended
from hgld.benchmarks.faults.damages import PlannedDamage, files_by_kind
from hgld.benchmarks.faults.fuzz import (
    BAD,
    FinishedBuilds,
    classify_run,
    counts_by_kind,
    digest_build,
    fuzz,
    names_damage,
    why_harmless,
)
from hgld.benchmarks.retrieval.results import CSV_FILE, REPORT_FILE, RESULTS_FILE
from hgld.engine.files import write_text
from hgld.engine.manifest import load_manifest

_TABLES = "table "
_GROUPS = {
    "tables": (_TABLES,),
    "manifests": ("manifest",),
    "decisions": ("decisions", "kept beside the decisions"),
    "inputs": ("official CSV", "raw answer", "list of ", "index of "),
    "pictures": ("picture",),
    "learned": ("model", "checkpoint", "embedding cache", "kept vectors"),
    "published": ("release file", "results", "report"),
}


def kinds_of(builds: FinishedBuilds, group: str) -> list[str]:
    return [kind for kind in builds.kinds() if kind.startswith(_GROUPS[group])]


def test_every_kind_of_file_is_damaged_by_a_test(builds: FinishedBuilds) -> None:
    assert sorted(builds.kinds()) == sorted(k for group in _GROUPS for k in kinds_of(builds, group))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "count"),
    [
        pytest.param("tables", 1, marks=pytest.mark.fault(115, "damage at rest: tables")),
        pytest.param("manifests", 8, marks=pytest.mark.fault(118, "damage at rest: manifests")),
        pytest.param("decisions", 12, marks=pytest.mark.fault(119, "damage at rest: decisions")),
        pytest.param(
            "inputs", 8, marks=pytest.mark.fault(120, "damage at rest: CSV files, raw answers")
        ),
        pytest.param("pictures", 10, marks=pytest.mark.fault(121, "damage at rest: pictures")),
        pytest.param(
            "learned",
            8,
            marks=pytest.mark.fault(122, "damage at rest: model, checkpoint, embeddings"),
        ),
        pytest.param(
            "published",
            6,
            marks=pytest.mark.fault(123, "damage at rest: release files, results, report"),
        ),
    ],
)
def test_a_damage_is_named_or_healed_and_the_build_is_the_clean_one(
    builds: FinishedBuilds, group: str, count: int
) -> None:
    kinds = kinds_of(builds, group)
    outcomes = fuzz(builds, kinds, count, seed=20221125)
    fired = [one for one in outcomes if one.outcome != "unfired"]
    assert len(fired) == count * len(kinds)
    bad = [one for one in fired if one.outcome in BAD]
    told = [f"{one.outcome}: {one.damage}\n{one.said}" for one in bad]
    assert not bad, "\n".join([str(counts_by_kind(outcomes)), *told[:3]])


def damage(how: str, relative: str, kind: str) -> PlannedDamage:
    return PlannedDamage(kind=kind, how=how, relative=relative, other=relative, seed=0)


MODEL = damage("cut", "runs/happier/model.safetensors", "model")
WELL = Ended(0, "train: up to date\n")
NAMED = Ended(1, "error: build/runs/happier/model.safetensors is damaged\n")


@pytest.mark.parametrize(
    ("verified", "built", "is_clean", "outcome"),
    [
        (WELL, NAMED, False, "named"),
        (NAMED, WELL, True, "healed"),
        (NAMED, WELL, False, "silent"),
        (WELL, WELL, False, "silent"),
        (WELL, WELL, True, "unmentioned"),
        (WELL, Ended(1, "error: something is damaged"), True, "unnamed"),
        (WELL, Ended(1, "Traceback (most recent call last):\n"), True, "traceback"),
        (NAMED, Ended(-11, ""), True, "traceback"),
        (NAMED, Ended(HUNG, ""), True, "traceback"),
    ],
)
def test_what_a_user_sees_and_gets_decides_the_outcome(
    verified: Ended, built: Ended, is_clean: bool, outcome: str
) -> None:
    assert classify_run(MODEL, verified, built, is_clean=is_clean) == outcome


def test_a_picture_may_be_named_by_verify_alone() -> None:
    picture = damage("bit flipped", "images/train/a/b/c/abc.jpg", "picture")
    verified = Ended(1, "build/images/train/a/b/c/abc.jpg has other bytes than were written")
    assert classify_run(picture, verified, WELL, is_clean=False) == "verified"
    assert classify_run(picture, WELL, WELL, is_clean=False) == "silent"


def test_a_manifest_is_named_by_its_stage_that_is_done_once_more() -> None:
    gone = damage("deleted", "stages/embed.json", "manifest")
    assert names_damage(gone, "embed: done, 84 rows")
    assert not names_damage(gone, "embed: up to date, 84 rows")


@pytest.fixture
def copy(builds: FinishedBuilds, tmp_path: Path) -> Path:
    shutil.copytree(builds.finished, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_digest_tells_every_kind_of_result_apart(builds: FinishedBuilds, copy: Path) -> None:
    kinds = files_by_kind(builds.finished)
    files = [one for found in kinds.values() for one in found]
    clean = digest_build(builds.finished, files)
    assert digest_build(copy, files) == clean
    changed = {}
    for kind in ("picture", "official CSV", "decisions", "model", "release file", "results"):
        path = copy / kinds[kind][-1]
        before = path.read_bytes()
        path.write_bytes(before + b"{}\n")
        changed[kind] = digest_build(copy, files) != clean
        path.write_bytes(before)
    shard = copy / kinds["table review/taxonomy"][0]
    table = pq.read_table(shard)
    pq.write_table(table.slice(1), shard)
    changed["row lost"] = digest_build(copy, files) != clean
    pq.write_table(table, shard)
    assert digest_build(copy, files) == clean  # other bytes, the same rows
    shutil.copy2(shard, shard.with_name("taxonomy (1).parquet"))
    changed["shard added"] = digest_build(copy, files) != clean
    assert [kind for kind, is_seen in changed.items() if not is_seen] == []


def test_a_digest_leaves_out_when_a_benchmark_was_made_and_how_fast(tmp_path: Path) -> None:
    def made(date: str, speed: float, h_ap: float) -> dict[str, str]:
        content = {"metadata": {"date": date}, "h_ap": h_ap, "costs": {"images_per_s": speed}}
        texts = {
            RESULTS_FILE: json.dumps(content, indent=2),
            REPORT_FILE: f'<p>{date}\n<td>{h_ap}\n<td data-cost="images_per_s">{speed}</td>\n',
            CSV_FILE: f"happier,h_ap,{h_ap}\nhappier,images_per_s,{speed}\n",
        }
        for relative, text in texts.items():
            write_text(tmp_path / relative, text)
        return digest_build(tmp_path, texts)

    first = made("2025-01-02", 10.0, 0.5)
    assert made("2025-01-03", 12.5, 0.5) == first
    other = made("2025-01-03", 12.5, 0.6)
    assert all(other[relative] != digest for relative, digest in first.items())


def test_a_reason_is_given_only_where_nothing_is_lost(builds: FinishedBuilds, copy: Path) -> None:
    clean = builds.finished
    (raw, *_) = files_by_kind(clean)["raw answer"]
    path, header_time = copy / raw, 4
    content = bytearray(path.read_bytes())
    content[header_time] ^= 1
    path.write_bytes(content)
    flipped = damage("bit flipped", raw, "raw answer")
    assert "gzip's header" in why_harmless(flipped, copy, clean)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert why_harmless(flipped, copy, clean) == ""
    assert why_harmless(damage("copied beside", raw, "raw answer"), copy, clean) == ""
    for count, name in ((0, "stages/metadata.json"), (1, "stages/scrape.json")):
        told = load_manifest(copy / name)
        earlier = dataclasses.replace(told, finished_at="2020", rows=told.rows - count)
        (copy / name).write_text(earlier.text())
        is_same = why_harmless(damage("earlier version", name, "manifest"), copy, clean) != ""
        assert is_same == (count == 0)
        assert why_harmless(damage("bit flipped", name, "manifest"), copy, clean) == ""
    assert why_harmless(damage("copied beside", "hgld.toml", "report"), copy, clean)
    one_file = ("annotations/hierarchy.parquet", "table annotations/hierarchy")
    assert why_harmless(damage("copied beside", *one_file), copy, clean)
    assert why_harmless(damage("cut", *one_file), copy, clean) == ""
    shard = ("annotations/data/train-00000-of-00001.parquet", "table annotations/data/train")
    assert why_harmless(damage("copied beside", *shard), copy, clean) == ""
    assert why_harmless(damage("deleted", "hgld.toml", "embedding cache"), copy, clean)
    assert why_harmless(damage("cut", "hgld.toml", "embedding cache"), copy, clean) == ""
