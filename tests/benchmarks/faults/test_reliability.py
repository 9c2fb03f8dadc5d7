"""The long form, small."""

import json
from pathlib import Path

import pytest

from hgld.benchmarks.faults import reliability as program
from hgld.benchmarks.faults.kills import BUILD_ORDER
from tests.benchmarks.conftest import Prepared


@pytest.mark.slow
def test_a_large_build_with_nothing_to_do_is_timed_beside_its_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"
    sizes = ["--rows", "2000", "--pictures", "30", "--rounds", "1"]
    for bar in ("MOST_BUILD_S", "MOST_STATUS_S"):  # how fast this machine is, is no test
        monkeypatch.setattr(program, bar, 600.0)
    program.main(["--out", str(out), "--damages", "0", "--kills", "0", *sizes])
    told = json.loads(out.read_text(encoding="utf-8"))
    found = told["nothing to do"]
    assert found["rows"] == {"metadata/images": 2052, "annotations/data": 1778}  # 254 have no label
    assert found["seconds"]["hgld build"]["median_s"] > found["seconds"]["import hgld"]["median_s"]
    assert set(told["bars"]) == {"build_s", "status_s"}


@pytest.mark.slow
def test_damages_and_kills_are_counted_and_held_to_their_bars(
    prepared: Prepared,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(program, "prepare_builds", lambda _folder: prepared)
    out = tmp_path / "out.json"
    few = ["--damages", "2", "--kinds", "results", "report", "--kills", "1", "--rows", "0"]
    with pytest.raises(SystemExit, match="1"):
        program.main(["--out", str(out), *few])
    assert "over the bar: stages killed less than five times" in capsys.readouterr().err
    told = json.loads(out.read_text(encoding="utf-8"))
    counts = told["damages"]["all"]
    assert sum(counts.values()) - counts.get("unfired", 0) == 4  # drawn again until they fire
    assert set(told["damages"]["by_kind"]) == {"results", "report"}
    assert told["kills"]["by_stage"] == dict.fromkeys(BUILD_ORDER, 1)
    assert told["bars"]["silent"] == {"got": 0, "at_most": 0}
    assert told["bars"]["builds that a kill made another one"] == {"got": 0, "at_most": 0}
