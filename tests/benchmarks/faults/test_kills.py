"""A build killed in every stage, at file operations drawn by a seed."""

import random
from pathlib import Path

import pytest

from hgld.benchmarks.faults.damages import files_by_kind
from hgld.benchmarks.faults.kills import (
    BUILD_ORDER,
    bare_copy,
    is_same_build,
    kill_in_every_stage,
    kills_by_stage,
    operations_by_stage,
    stage_at,
)
from hgld.engine.successor import next_path
from hgld.flows.steps import STEPS, load_step
from tests.benchmarks.conftest import Prepared

# As a shell sees them: killed, or ended by itself after the signal.
_STATUSES = {"SIGKILL": {-9}, "SIGTERM": {-15, 143, 130}, "SIGHUP": {-1, 129, 130}}


def test_the_order_of_the_stages_is_that_of_a_build() -> None:
    stages = [stage.name for step in STEPS for stage in load_step(step, {}).stages]
    assert list(BUILD_ORDER) == stages


def test_the_files_of_a_stage_are_told_by_their_place() -> None:
    for step in STEPS:
        for stage in load_step(step, {}).stages:
            shards = [Path(dataset.shard_path("0")) for dataset in stage.outputs]
            places = [str(next_path(shard)) for shard in shards]
            places += [str(shard.parent) for shard in shards]
            places += [*stage.output_files, f"stages/{stage.name}.json"]
            assert {stage_at(place) for place in places} == {stage.name}
    assert stage_at("images/train/a/b/c/abc.jpg") == "images-train"
    assert stage_at("hgld.toml") == ""


@pytest.mark.slow
@pytest.mark.fault(116, "SIGKILL, SIGTERM, SIGHUP in each stage")
def test_a_build_killed_in_every_stage_is_the_clean_one(prepared: Prepared, tmp_path: Path) -> None:
    builds, operations = prepared
    root = tmp_path / "build"
    bare_copy(builds.finished, root)
    files = [one for found in files_by_kind(builds.finished).values() for one in found]
    assert not is_same_build(root, builds.finished, files)
    counts = operations_by_stage(operations)
    kills = list(kill_in_every_stage(root, counts, random.Random(1)))
    assert kills_by_stage(kills) == dict.fromkeys(BUILD_ORDER, 1)
    assert {kill.signal for kill in kills} == set(_STATUSES)
    for kill in kills:
        assert kill.status in _STATUSES[kill.signal], kill
    assert is_same_build(root, builds.finished, files)
