"""From classes to labels, small."""

import json
from pathlib import Path

from hgld.benchmarks.speed.release import resolving

_SIZES = ["--landmarks", "400", "--images", "3000", "--rounds", "1"]


def test_the_rule_is_measured_beside_its_plain_reading_which_gives_the_same(
    tmp_path: Path,
) -> None:
    out = tmp_path / "resolving.json"
    resolving.main(["--out", str(out), *_SIZES])
    report = json.loads(out.read_text(encoding="utf-8"))
    results = {one["method"]: one for one in report["results"]}
    assert list(results) == ["rule", "plain", "annotate"]
    assert results["rule"]["result"] == results["plain"]["result"]
    labelled = results["rule"]["result"]["labelled"]
    assert 300 < labelled <= 400
    assert results["annotate"]["result"] == {"landmarks": 400, "labelled": labelled}
    assert report["bars"]["annotate: median_s"]["at_most"] == 20.0
    assert report["bars"]["rule: peak_mb"]["at_most"] == 1000.0
    kept = report["candidates_bytes"]
    assert 0 < kept["by_landmark"] < kept["by_image"]
    assert kept["candidates"] >= labelled
