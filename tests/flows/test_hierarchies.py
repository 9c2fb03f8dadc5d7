"""A model by place: trained, watched and measured, beside the same by kind."""

import shlex
from pathlib import Path

from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.workspace import Workspace
from hgld.flows.build import load_step, run_step
from hgld.flows.steps import Sections
from tests.worlds.benchmark_builds import write_build
from tests.worlds.commands.readme import ROOT, fenced
from tests.worlds.commands.typed import said

SECTIONS: Sections = {
    "train": {"backbone": "test_resnet", "weights": "random", "image_size": 32, "batch_size": 8}
    | {"samples_per_landmark": 2, "epochs": 1, "precision": "float32", "device": "cpu"}
    | {"workers": 0, "hierarchy": "place", "name": "by-place", "validation_share": 0.7}
    | {"validate_every_steps": 1, "method": {"name": "happier", "unknown": "depth"}},
    "benchmark": {"runs": ["by-place"], "hierarchy": ["kind", "place"]}
    | {"device": "cpu", "workers": 0},
}


def test_a_run_by_place_is_validated_by_place_and_measured_by_each_hierarchy_once(
    tmp_path: Path,
) -> None:
    build = Workspace(tmp_path / "build")
    write_build(build, train_views=4)
    run_step(build.root, load_step("train", SECTIONS))
    assert "h_ap" in build.path("runs/by-place/metrics.jsonl").read_text(encoding="utf-8")
    assert "unknown" in build.path("runs/by-place/run.html").read_text(encoding="utf-8")
    _, hierarchies, *_ = fenced(ROOT / "docs/training.md", "bash")
    words = shlex.split(hierarchies.splitlines()[-1])
    said(*words[1:], "--device", "cpu", "--workers", "0", folder=tmp_path)
    kind, place = (read_results(build.path(f"benchmarks{by}")) for by in ("", "/by/place"))
    titles = [[level.title for level in one.levels] for one in (kind, place)]
    assert titles == [
        ["landmark", "super-category", "natural / human-made"],
        ["landmark", "place", "country", "continent"],
    ]
    by_kind, by_place = (one.row("after by-place", "h_ap").mean for one in (kind, place))
    assert by_kind != by_place
    # Of the landmark whose country nobody knows, only images of itself are certain.
    queries = place.row("after by-place", "ap_country").queries
    assert queries is not None
    assert queries < place.counts["queries"]
    page = build.path("benchmarks/by/place/report.html").read_text(encoding="utf-8")
    assert "same country" in page
    reports = run_step(build.root, load_step("benchmark", SECTIONS))
    assert [one.skipped for one in reports] == [True, True]
