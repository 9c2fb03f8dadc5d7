import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed import evaluation


def test_a_small_run_writes_costs_of_every_method_and_what_they_were_measured_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "evaluation.json"
    sizes = ["--queries", "10", "--index", "300", "--items", "60"]
    evaluation.main(["--out", str(out), "--rounds", "2", "--note", "a test", *sizes])
    report = json.loads(out.read_text(encoding="utf-8"))
    assert [(each["case"], each["method"]) for each in report["results"]] == [
        ("gldv2", "evaluate"),
        ("gldv2", "product"),
        ("gldv2", "product and torch.sort"),
        ("gldv2", "product and numpy.argsort"),
        ("self", "evaluate"),
        ("self", "plain"),
    ]
    for each in report["results"]:
        assert len(each["seconds"]) == 2
        assert each["cpu_s"] > 0
        assert each["spread_s"] == pytest.approx(
            max(each["seconds"]) - min(each["seconds"]), abs=2e-3
        )
    assert set(report["ratios"]) == {
        "gldv2: evaluate / product",
        "gldv2: evaluate / product and torch.sort",
        "gldv2: evaluate / product and numpy.argsort",
        "self: evaluate / plain",
    }
    assert report["largest_difference_from_plain"]["self"] < 1e-12
    assert report["metadata"]["sizes"] == {"queries": 10, "index": 300, "items": 60}
    assert report["metadata"]["versions"].keys() == {"python", "torch", "numpy"}
    assert report["metadata"]["note"] == "a test"
    assert "gldv2: evaluate / product" in capsys.readouterr().out
