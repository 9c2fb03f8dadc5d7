"""What a Prefect run leaves on its page, as far as it came."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.steps import (
    BuildStep,
)
from tests.servers.flows.conftest import scrape_settings
from tests.worlds.benchmark_builds import HOSTILE
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.small import LABELS, serving

ArtifactsOf = Callable[[UUID | None], dict[str, str]]

pytestmark = pytest.mark.usefixtures("prefect_server")


def rows_of(markdown: str) -> list[list[str]]:
    """Returns the cells of the tables, without the headers' rules."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if set(row) != {"---"}]


def test_a_scrape_leaves_stages_counts_and_classes_also_where_rows_failed(
    tmp_path: Path, artifacts_of: ArtifactsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hgld.flows import jobs

    monkeypatch.setitem(LABELS, "Q102", {"en": HOSTILE})
    workspace = Workspace(tmp_path / "build")
    with serving() as wikimedia:
        scrape_settings(workspace, wikimedia, "Tower", "Castle", "Bare", settings="attempts = 1")
        wikimedia.always["sparql"] = reply(400, b"no")
        state = jobs.scrape(str(workspace.root), return_state=True)
        assert "sparql" in wikimedia.fired
        assert state.is_failed()
        assert "rows failed" in str(state.message)
        left = artifacts_of(state.state_details.flow_run_id)
        assert set(left) == {"hgld-stages", "hgld-scrape"}
        assert ["failed", "2"] in rows_of(left["hgld-scrape"])
        table = {row[0]: row[1] for row in rows_of(left["hgld-stages"])}
        assert table["metadata"] == "done"
        assert table["scrape"] == "incomplete"

        del wikimedia.always["sparql"]
        state = jobs.scrape(str(workspace.root), return_state=True)
    assert state.is_completed()
    left = artifacts_of(state.state_details.flow_run_id)
    found = rows_of(left["hgld-scrape"])
    assert ["failed", "2"] not in found
    assert ["no\\_item", "1"] in found
    assert HOSTILE not in left["hgld-scrape"]
    assert any(r"\<script src=http\://evil.example" in row[0] for row in found)
    counted = {row[0]: row[1:4] for row in rows_of(left["hgld-stages"])}
    assert counted["metadata"][0] == "up to date"
    manifest = workspace.manifest("scrape")
    assert manifest is not None
    assert counted["scrape"] == ["done", f"{manifest.rows:,}", str(manifest.problems)]


def test_a_step_that_fails_leaves_the_stages_before_it_and_what_is_to_come(
    tmp_path: Path, artifacts_of: ArtifactsOf
) -> None:
    from hgld.flows import jobs

    state = jobs.cluster(str(tmp_path), return_state=True)
    left = artifacts_of(state.state_details.flow_run_id)
    assert left["hgld-stages"].startswith("embed: ")
    states = [row[:2] for row in rows_of(left["hgld-stages"])[1:]]
    to_come = [[name, "to come"] for name in ("cluster", "decided", "propose")]
    assert states == [["embed", "missing"], *to_come]


def test_a_training_that_fails_leaves_its_curve_as_far_as_it_came(
    tmp_path: Path, artifacts_of: ArtifactsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hgld.errors import DivergedError
    from hgld.flows import jobs

    metrics = tmp_path / "runs/happier/metrics.jsonl"

    def run_step(_root: Path, step: BuildStep) -> list[object]:
        if step.name == "images":
            return []
        metrics.parent.mkdir(parents=True)
        lines = [{"step": 5 * n, "loss": 1 / n, "learning_rate": 3e-4} for n in range(1, 61)]
        lines.append({"step": 305, "loss": float("nan"), "learning_rate": 3e-4})
        metrics.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 310, "l')
        raise DivergedError("training diverged at step 306")

    monkeypatch.setattr(jobs, "run_step", run_step)
    state = jobs.train(str(tmp_path), return_state=True)
    assert state.message == "training diverged at step 306"
    page = artifacts_of(state.state_details.flow_run_id)["hgld-train"]
    rows = rows_of(page)
    assert rows[0] == ["step", "loss", "learning\\_rate"]
    assert len(rows) <= 21
    assert rows[-1][0] == "300"  # every fourth of 61 lines


def test_a_benchmark_leaves_its_table_and_the_place_of_the_report(
    tmp_path: Path, artifacts_of: ArtifactsOf
) -> None:
    from hgld.benchmarks.retrieval.report.metrics import metrics_of
    from hgld.benchmarks.retrieval.results import read_results
    from hgld.flows import jobs
    from tests.worlds.benchmark_builds import write_build, write_run

    workspace = Workspace(tmp_path / "build")
    write_build(workspace, supercategory=HOSTILE)
    write_run(workspace)
    workspace.path("hgld.toml").write_text('[benchmark]\ndevice = "cpu"\nworkers = 0\n')
    state = jobs.benchmark(str(workspace.root), return_state=True)
    assert state.is_completed()
    page = artifacts_of(state.state_details.flow_run_id)["hgld-benchmark"]
    results = read_results(workspace)
    rows = rows_of(page)
    assert rows[0][2:] == [method.title for method in results.methods]
    assert len(rows) == 1 + len(metrics_of(results))
    report = workspace.path("benchmarks/report.html").resolve()
    assert f"(<{report.as_uri()}>)" in page
    assert "<script" not in page.replace(r"\<", "")


def test_the_flow_of_an_agreement_leaves_its_page(
    tmp_path: Path, artifacts_of: ArtifactsOf
) -> None:
    from hgld.flows import jobs
    from tests.benchmarks.labels.agreement.worlds import write_labels

    official, ours = (
        write_labels(tmp_path / f"{name}_train.csv", {1: "lake"}) for name in ("official", "ours")
    )
    build = tmp_path / "build"
    build.mkdir()
    settings = f'[agree]\nofficial = ["{official}"]\nours = "{ours}"\ndraws = 0\n'
    (build / "hgld.toml").write_text(settings)
    state = jobs.agree(str(build), return_state=True)
    assert state.is_completed(), state.message
    left = artifacts_of(state.state_details.flow_run_id)
    assert ["Accuracy", "100.0", "100.0"] in rows_of(left["hgld-agree"])


def test_a_page_that_cannot_be_made_stops_no_run(
    tmp_path: Path, artifacts_of: ArtifactsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hgld.benchmarks.retrieval.results import RESULTS_FILE
    from hgld.flows import jobs

    damaged = tmp_path / RESULTS_FILE
    damaged.parent.mkdir()
    damaged.write_text("{")
    monkeypatch.setattr(jobs, "run_step", lambda *_: [])
    state = jobs.benchmark(str(tmp_path), return_state=True)
    assert state.is_completed()
    assert set(artifacts_of(state.state_details.flow_run_id)) == {"hgld-stages"}


def test_a_review_that_is_due_leaves_how_to_open_it_and_what_settles_most(
    tmp_path: Path, artifacts_of: ArtifactsOf
) -> None:
    from hgld.flows import jobs
    from hgld.tables import CLUSTER_PROPOSALS
    from tests.worlds.builders import table_of, write_proposals
    from tests.worlds.review.sheets import CLASSES

    workspace = Workspace(tmp_path / "my build")
    write_proposals(workspace, CLASSES)
    cluster = {
        "classes": 3,
        "landmarks": 1200,
        "share": 1.0,
        "confidence": 0.5,
        "settles": 1.0,
    }
    clusters = [
        cluster | {"place": 2, "cluster_id": 0, "name": "done: already", "open": 0},
        cluster | {"place": 1, "cluster_id": 1, "name": HOSTILE, "open": 3},
        cluster
        | {"place": 0, "cluster_id": 2, "name": "lake", "open": 1, "proposed_label": "lake"},
    ]
    folder = workspace.path(CLUSTER_PROPOSALS.path)
    folder.mkdir(parents=True)
    pq.write_table(table_of(CLUSTER_PROPOSALS, clusters), folder / "rows.parquet")
    state = jobs.annotate(str(workspace.root), return_state=True)
    assert state.name == "AwaitingReview"
    assert str(state.message).startswith("AwaitingReview: 2 of 2 clusters, 100% of landmarks are")
    left = artifacts_of(state.state_details.flow_run_id)
    assert set(left) == {"hgld-review", "hgld-stages"}
    page = left["hgld-review"]
    assert f"```bash\nhgld review --root '{workspace.root.resolve()}'\n```" in page
    assert "(http://127.0.0.1:8765/)" in page
    (link,) = re.findall(r"\(<file://(.*)#hgld-review>\)", page)
    assert "## `hgld review`" in Path(link).read_text(encoding="utf-8")
    lake, hostile = rows_of(page)[1:]
    assert lake == ["lake", "1", "1,200", "lake"]
    assert hostile[1:] == ["3", "1,200", "ignore"]
    assert HOSTILE not in page


def test_a_benchmark_on_a_data_set_leaves_the_same(
    tmp_path: Path, artifacts_of: ArtifactsOf
) -> None:
    from hgld.benchmarks.datasets.opened import read_data_set
    from hgld.flows import jobs
    from tests.benchmarks.datasets.test_stage import write_embeddings
    from tests.benchmarks.datasets.worlds import write_sop

    data = read_data_set("sop", write_sop(tmp_path / "sop"))
    files = json.dumps(write_embeddings(data, tmp_path))
    root = tmp_path / "build"
    root.mkdir()
    (root / "hgld.toml").write_text(
        f'[benchmark]\ndata_set = "sop"\ndata = "{data.folder}"\nembeddings = {files}\n'
    )
    state = jobs.benchmark(str(root), return_state=True)
    assert state.is_completed(), state.message
    left = artifacts_of(state.state_details.flow_run_id)
    report = (root / "benchmarks/sop/report.html").resolve()
    assert left["hgld-benchmark"].startswith("sop: 4 queries, 4 index images; percent")
    assert f"[The report](<{report.as_uri()}>)" in left["hgld-benchmark"]
