import json
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.cli.output import print_table
from tests.worlds.commands.typed import only_line, run_typed, said
from tests.worlds.small_build import write_inputs
from tests.worlds.wikimedia.small import Server


def stages_of(root: Path) -> dict[str, dict[str, Any]]:
    """Returns what `hgld status --json` says of each stage."""
    told = json.loads(said("status", "--root", root, "--json"))
    assert told["root"] == str(root)
    return {one["stage"]: one for one in told["stages"]}


def test_what_cannot_be_done_is_one_line_and_a_status(tmp_path: Path) -> None:
    for words, word in (
        (["scrape"], "`hgld metadata`"),
        (["scrape", "--keys-per-request", "0"], "keys_per_request"),
        (["images", "--tars", "3"], "--split"),
        (["build", "--config", "none.toml"], "none.toml"),
        (["scrape", "--contact", "a@b.c", "--categories", "none.csv"], "none.csv"),
        (["demo", "--live"], "--contact"),
        (["demo", "--contact", "a@b.c"], "--live"),
        (["images", "--contact", "a@b.c"], "--from urls"),
        (["cluster", "--labels", "list.csv"], "--out"),
        (["cluster", "--out", "folder"], "--labels"),
        (["cluster", "--encoder", "minilm"], "--labels"),
        (["fill", "--labelled", "list.csv"], "--categories"),
        (["verify"], "does not exist"),
        (["status"], "does not exist"),
    ):
        line = only_line(*words, "--root", tmp_path / "build")
        assert line.startswith("error: ")
        assert word in line


def test_a_wrong_setting_is_refused_before_anything_starts(workspace: Workspace) -> None:
    workspace.root.mkdir()
    workspace.path("hgld.toml").write_text("[train]\nepochs = 'x'")
    assert "epochs" in only_line("build", "--root", workspace.root)
    assert [path.name for path in workspace.root.iterdir()] == ["hgld.toml"]


@pytest.fixture
def scrape(server: Server, categories: Path, workspace: Workspace) -> list[str | Path]:
    """The words of a scrape of the small Wikimedia into `build`, whose file says the rest."""
    settings = f'categories = "{categories}"\ncommons = "{server.commons}"\n'
    workspace.root.mkdir()
    path = workspace.path("hgld.toml")
    path.write_text(f'[scrape]\n{settings}sparql = "{server.sparql}"\n', encoding="utf-8")
    return ["scrape", "--root", workspace.root]


def test_a_setting_that_was_removed_or_only_typed_is_a_change(
    scrape: list[str | Path], workspace: Workspace
) -> None:
    """What `hgld build` would make again is not done: 5.0 M rows once became 2.5 M that way."""

    def stands() -> tuple[str, str]:
        stage = stages_of(workspace.root)["scrape"]
        return stage["state"], stage["reason"]

    said(*scrape, "--superclass-depth", "2")
    assert stands() == ("stale", "setting superclass_depth: 2 -> 1")
    said(*scrape)
    assert stands() == ("done", "")
    path = workspace.path("hgld.toml")
    path.write_text(path.read_text().replace("categories", "# categories"), encoding="utf-8")
    state, reason = stands()
    assert (state, reason.partition(":")[0]) == ("stale", "setting categories")


def test_every_stage_of_a_finished_build_is_done(small_build: Workspace) -> None:
    """Also those of a step with settings that a stage of it does not have."""
    stages = stages_of(small_build.root).values()
    assert {one["stage"]: one["reason"] for one in stages if one["state"] != "done"} == {}


def test_a_scrape_ends_in_an_error_as_long_as_a_row_of_it_failed(
    server: Server, scrape: list[str | Path], workspace: Workspace
) -> None:
    server.refuses = lambda name, text: name == "sparql" and "wd:Q6 " in text
    assert "1 rows failed" in only_line(*scrape)
    assert stages_of(workspace.root)["scrape"]["state"] == "incomplete"
    assert "`hgld scrape`" in only_line("embed", "--root", workspace.root)
    server.refuses = None
    said(*scrape)
    assert stages_of(workspace.root)["scrape"]["state"] == "done"


def test_a_result_and_a_status_are_all_that_is_printed(
    scrape: list[str | Path], workspace: Workspace
) -> None:
    root, done = workspace.root, run_typed(scrape)
    (line,) = done.stdout.splitlines()
    assert line.startswith("scrape: done, ")
    assert line.endswith(str(root / "scrape"))
    assert line not in done.stderr
    stages = stages_of(root)
    assert stages["scrape"]["state"] == "done"
    assert stages["scrape"]["rows"] > 0
    assert stages["scrape"]["result"] == str(root / "scrape")
    assert stages["benchmark"]["result"] == str(root / "benchmarks/report.html")
    said(*scrape, "--refresh")
    rows = [row.split() for row in said("status", "--root", root).splitlines()]
    shown = {words[1]: words[3] for words in rows if len(words) > 3}
    assert (shown["metadata"], shown["refresh"]) == ("missing", "done")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in said("--debug", "annotate", "--root", tmp_path, status=1)


def test_the_first_half_of_a_build_waits_for_a_review_and_says_how_to_go_on(tmp_path: Path) -> None:
    workspace = write_inputs(tmp_path)
    path = workspace.path("hgld.toml")
    path.write_text(path.read_text().replace("accept_proposals = true\n", ""))
    line = only_line("build", "--root", workspace.root, status=3)
    assert "hgld review --root" in line
    assert "--accept-proposals" in line


def test_brackets_in_a_table_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "setting prompt: '[offline]' -> '[/red]{label}'"
    print_table(("stage", "why"), [("embed", reason)])
    assert reason in " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
