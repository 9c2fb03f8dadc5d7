import json
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")

from hgld.benchmarks.speed.release import browse


def test_the_report_says_what_the_page_and_the_site_cost(tmp_path: Path) -> None:
    out = tmp_path / "browse.json"
    browse.main(["--out", str(out), "--landmarks", "60"])
    (result,) = json.loads(out.read_text(encoding="utf-8"))["results"]
    assert (result["landmarks"], result["images"]) == (60, 1200)
    assert result["site"]["files"] > 60
    assert result["site"]["bytes"] > result["site"]["bytes_of_release"] > 0
    assert all(milliseconds > 0 for milliseconds in result["page"].values())
