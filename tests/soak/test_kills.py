"""A build of processes, killed once in every stage."""

import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak.commands import run_forked
from tests.soak.fuzz import FinishedBuilds
from tests.soak.kills import BUILD_ORDER, bare_copy, build_watched

STATUSES = {signal.SIGKILL: {-9}, signal.SIGTERM: {-15, 143, 130}, signal.SIGHUP: {-1, 129, 130}}
"""Signal to the statuses that a shell may see: killed, or ended by itself after the signal."""


@pytest.mark.fault(116, "SIGKILL, SIGTERM, SIGHUP in each stage")
@pytest.mark.parametrize("seed", range(20))
def test_a_build_killed_in_every_stage_is_the_clean_one(
    builds: FinishedBuilds,
    operations: list[str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    seed: int,
) -> None:
    moments, counts = random.Random(seed), Counter(line.split()[0] for line in operations)
    root = bare_copy(builds.finished, tmp_path / "build")
    for turn, stage in enumerate(BUILD_ORDER, seed):  # in the end each has met each signal
        sent = list(STATUSES)[turn % len(STATUSES)]
        number = moments.randint(1, counts[stage])
        ended, _ = build_watched(root, stage, number, sent)
        assert ended.status in STATUSES[sent], f"{sent.name} at {number} of {stage}: {ended.said}"
        record_property("told", f"{stage} {sent.name}")
    ended = run_forked(["build", "--root", str(root)])
    assert ended.status == 0, ended.said
    assert builds.is_said_by(root)
