import json
from pathlib import Path

import pytest

from hgld.engine.stage import Stage, StageReport, StageStatus, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.flows.cli.output import print_report, print_states_as_json
from hgld.tables import TAXONOMY


def run(workspace: Workspace, stage: Stage) -> StageReport:
    """Runs a stage that writes empty tables and files."""

    def produce(writer: StageWriter) -> None:
        for dataset in stage.outputs:
            writer.write(dataset, "all", dataset.schema.empty_table())
        for name in stage.output_files:
            with writer.file(name) as path:
                path.write_text("x")

    return run_stage(workspace, stage, {}, produce)


def test_a_result_is_one_line_with_its_place(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(name="review", version=1, outputs=(TAXONOMY,))
    print_report(run(workspace, stage))
    print_report(run(workspace, stage))
    place = workspace.path(TAXONOMY.path)
    assert capsys.readouterr().out.splitlines() == [
        f"review: done, 0 rows, 0 problems: {place}",
        f"review: up to date, 0 rows, 0 problems: {place}",
    ]


def test_a_stage_without_tables_has_no_rows_to_count(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("benchmarks/results.json", "benchmarks/report.html")
    stage = Stage(name="benchmark", version=1, output_files=names, result=names[1])
    print_report(run(workspace, stage))
    report = workspace.path("benchmarks/report.html")
    assert capsys.readouterr().out == f"benchmark: done, {report}\n"
    assert report.exists()


def test_states_are_told_to_a_program_too(capsys: pytest.CaptureFixture[str]) -> None:
    state = StageStatus(stage="embed", state="stale", reason="because", rows=3, problems=1)
    print_states_as_json(Path("build"), {state: Path("build/labels")})
    assert json.loads(capsys.readouterr().out) == {
        "root": "build",
        "stages": [
            {
                "stage": "embed",
                "state": "stale",
                "reason": "because",
                "rows": 3,
                "problems": 1,
                "result": "build/labels",
            }
        ],
    }
