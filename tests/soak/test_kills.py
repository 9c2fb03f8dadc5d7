"""A build of processes, killed once in every stage; the part `kills` of the soak does so often."""

from pathlib import Path

import pytest

from tests.soak.__main__ import Prepared, kill_round
from tests.soak.kills import BUILD_ORDER, STATUSES


@pytest.mark.fault(116, "SIGKILL, SIGTERM, SIGHUP in each stage")
def test_a_build_killed_in_every_stage_is_the_clean_one(tmp_path: Path) -> None:
    found = kill_round(Prepared(tmp_path), 1)
    assert found["bad"] == []
    stages, signals = zip(*(kill.split() for kill in found["kills"]), strict=True)
    assert stages == BUILD_ORDER
    assert set(signals) == set(STATUSES)
