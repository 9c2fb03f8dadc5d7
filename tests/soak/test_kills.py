"""A build of processes, killed once in every stage; the part `kills` of the soak does so often."""

import random
from pathlib import Path

import pytest

from tests.soak.builds import prepare_builds
from tests.soak.damages import files_by_kind
from tests.soak.kills import (
    BUILD_ORDER,
    STATUSES,
    bare_copy,
    is_same_build,
    kill_in_every_stage,
    operations_by_stage,
)


@pytest.mark.fault(116, "SIGKILL, SIGTERM, SIGHUP in each stage")
def test_a_build_killed_in_every_stage_is_the_clean_one(tmp_path: Path) -> None:
    builds, operations = prepare_builds(tmp_path / "builds")
    root = tmp_path / "build"
    bare_copy(builds.finished, root)
    files = [one for found in files_by_kind(builds.finished).values() for one in found]
    assert not is_same_build(root, builds.finished, files)
    kills = list(kill_in_every_stage(root, operations_by_stage(operations), random.Random(1)))
    assert [kill.stage for kill in kills] == list(BUILD_ORDER)
    assert {kill.signal for kill in kills} == set(STATUSES)
    for kill in kills:
        assert kill.status in STATUSES[kill.signal], kill
    assert is_same_build(root, builds.finished, files)
