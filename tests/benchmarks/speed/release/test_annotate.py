"""The data set with credits, small."""

import json
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="the baseline needs pandas")

from hgld.benchmarks.speed.release import annotate


def test_the_stage_is_measured_beside_pandas_and_writes_as_many_rows(tmp_path: Path) -> None:
    out = tmp_path / "annotate.json"
    annotate.main(["--out", str(out), "--landmarks", "300", "--images", "3000", "--rounds", "1"])
    report = json.loads(out.read_text(encoding="utf-8"))
    results = {one["method"]: one["result"] for one in report["results"]}
    assert results["annotate"]["rows"] == results["pandas"]["rows"] == 6000
    assert report["bars"]["annotate: median_s"]["at_most"] == 60.0
    assert report["bars"]["annotate: peak_mb"]["at_most"] == 2500.0
