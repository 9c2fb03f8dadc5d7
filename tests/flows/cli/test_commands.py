import json
import re
import shlex
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.cli.commands import main
from hgld.flows.cli.output import print_table
from hgld.review.log.decisions import read_decisions
from tests.worlds.builders import write_proposals
from tests.worlds.commands.typed import run_typed
from tests.worlds.review.sheets import ALL, CLASSES, rows_of, write_rows
from tests.worlds.small_build import write_inputs
from tests.worlds.wikimedia.small import Server


def hgld(*arguments: str | Path, status: int) -> str:
    """Runs the command line as a user would; returns what it says on stderr, or on stdout if 0."""
    done = run_typed(arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def only_line(text: str) -> str:
    """Returns the error line; what is logged before it has a time in front."""
    lines = [line for line in text.splitlines() if not re.match(r"\d\d:\d\d:\d\d ", line)]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["scrape"], "`hgld metadata`"),
        (["scrape", "--requests-at-once", "9"], "requests_at_once"),
        (["annotate"], "`hgld"),
        (["metadata", "--base-url", "no/such/folder"], "no/such/folder"),
        (["metadata", "--base-url", "http://127.0.0.1:9/metadata"], "http://127.0.0.1:9/metadata"),
        (["images", "--split", "all"], "split"),
        (["images", "--tars", "3"], "--split"),
        (["cluster", "--clusters", "0"], "clusters"),
        (["build", "--config", "none.toml"], "none.toml"),
        (["scrape", "--contact", "a@b.c", "--categories", "none.csv"], "none.csv"),
        (["review", "--export", "sheet.csv"], "`hgld"),
        (["demo", "--live"], "--contact"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_status(
    tmp_path: Path, arguments: list[str], word: str
) -> None:
    line = only_line(hgld(*arguments, "--root", tmp_path / "build", status=1))
    assert line.startswith("error: ")
    assert word in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scrape]\nendpoint = 'x'\n", "endpoint"),
        ("[scarpe]\n", "[scarpe]"),
        ("[train]\nepochs = 'ten'\n", "epochs"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_starts(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path / "build/hgld.toml", text)
    assert message in only_line(hgld("build", "--root", tmp_path / "build", status=1))
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["hgld.toml"]


@pytest.fixture
def scrape(server: Server, categories: Path, tmp_path: Path) -> list[str | Path]:
    """The arguments of a scrape of the small Wikimedia into `build`, whose file says the rest."""
    settings = f'categories = "{categories}"\ncommons = "{server.commons}"\n'
    (tmp_path / "build").mkdir()
    path = tmp_path / "build/hgld.toml"
    path.write_text(f'[scrape]\n{settings}sparql = "{server.sparql}"\n', encoding="utf-8")
    return ["scrape", "--root", tmp_path / "build"]


def test_a_setting_that_was_removed_or_only_typed_is_a_change(
    scrape: list[str | Path], tmp_path: Path
) -> None:
    """What `hgld build` would make again is not done: 5.0 M rows once became 2.5 M that way."""
    hgld(*scrape, "--superclass-depth", "2", status=0)
    assert _state_and_reason(tmp_path) == ("stale", "setting superclass_depth: 2 -> 1")
    hgld(*scrape, status=0)
    assert _state_and_reason(tmp_path)[0] == "done"
    path = tmp_path / "build/hgld.toml"
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace("categories", "# categories"), encoding="utf-8")
    state, reason = _state_and_reason(tmp_path)
    assert (state, reason.partition(":")[0]) == ("stale", "setting categories")
    assert reason.endswith("-> None")
    path.write_text(kept, encoding="utf-8")
    assert _state_and_reason(tmp_path)[0] == "done"


def test_every_stage_of_a_finished_build_is_done(small_build: Workspace) -> None:
    """Also those of a step with settings that a stage of it does not have."""
    told = json.loads(hgld("status", "--root", small_build.root, "--json", status=0))["stages"]
    assert {one["stage"]: one["reason"] for one in told if one["state"] != "done"} == {}


def _state_and_reason(tmp_path: Path) -> tuple[str, str]:
    told = json.loads(hgld("status", "--root", tmp_path / "build", "--json", status=0))
    (stage,) = [one for one in told["stages"] if one["stage"] == "scrape"]
    return stage["state"], stage["reason"]


def test_status_shows_a_scrape_of_a_list_and_a_refresh_once_there_is_one(
    scrape: list[str | Path], tmp_path: Path
) -> None:
    hgld(*scrape, status=0)
    assert _states(tmp_path / "build")["scrape"] == "done"
    assert "refresh" not in _states(tmp_path / "build")
    hgld(*scrape, "--refresh", status=0)
    assert _states(tmp_path / "build")["refresh"] == "done"


def test_a_scrape_ends_in_an_error_as_long_as_a_row_of_it_failed(
    server: Server, scrape: list[str | Path], tmp_path: Path
) -> None:
    server.refuses = lambda name, text: name == "sparql" and "wd:Q6 " in text
    line = only_line(hgld(*scrape, status=1))
    assert "1 rows failed" in line
    assert _states(tmp_path / "build")["scrape"] == "incomplete"
    line = only_line(hgld("embed", "--root", tmp_path / "build", status=1))
    assert "`hgld scrape`" in line
    server.refuses = None
    hgld(*scrape, status=0)
    assert _states(tmp_path / "build")["scrape"] == "done"


def _states(root: Path) -> dict[str, str]:
    """Returns the stages and their states, as `hgld status` has them."""
    rows = [row.split() for row in hgld("status", "--root", root, status=0).splitlines()]
    return {words[1]: words[3] for words in rows if len(words) > 3}


def test_a_result_and_a_status_as_json_are_all_that_is_printed(
    scrape: list[str | Path], tmp_path: Path
) -> None:
    root, done = tmp_path / "build", run_typed(scrape)
    (line,) = done.stdout.splitlines()
    assert line.startswith("scrape: done, ")
    assert line.endswith(str(root / "scrape"))
    assert line not in done.stderr
    told = json.loads(hgld("status", "--root", root, "--json", status=0))
    assert told["root"] == str(root)
    stages = {one["stage"]: one for one in told["stages"]}
    assert list(stages)[:2] == ["metadata", "scrape"]
    assert stages["scrape"]["state"] == "done"
    assert stages["scrape"]["rows"] > 0
    assert stages["scrape"]["result"] == str(root / "scrape")
    assert stages["benchmark"]["result"] == str(root / "benchmarks/report.html")


def test_the_command_printed_after_an_export_can_be_typed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "a build")
    write_proposals(workspace, CLASSES)
    sheet = tmp_path / "my sheet.csv"
    said = hgld("review", "--root", workspace.root, "--export", sheet, status=0)
    write_rows(sheet, [row | ALL[row["class_qid"]] for row in rows_of(sheet)])
    words = shlex.split(said.partition("then: ")[2])
    assert words[-2:] == ["--reviewer", "NAME"]
    hgld(*words[1:], status=0)
    assert set(read_decisions(workspace)) == {row["class_qid"] for row in rows_of(sheet)}


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in hgld("--debug", "annotate", "--root", tmp_path, status=1)


def test_the_first_half_of_a_build_waits_for_a_review_and_says_how_to_go_on(tmp_path: Path) -> None:
    workspace = write_inputs(tmp_path)
    path = workspace.path("hgld.toml")
    path.write_text(path.read_text().replace("accept_proposals = true\n", ""))
    line = only_line(hgld("build", "--root", workspace.root, status=3))
    assert "hgld review --root" in line
    assert "--accept-proposals" in line
    states = _states(workspace.root)
    assert states["scrape"] == states["cluster"] == "done"
    assert states["review"] == states["train"] == "missing"
    path.write_text(path.read_text().replace("clusters = 4", "clusters = 3"))
    stages = json.loads(hgld("status", "--root", workspace.root, "--json", status=0))["stages"]
    (reason,) = [one["reason"] for one in stages if one["stage"] == "cluster"]
    assert "clusters: 4 -> 3" in reason


def test_brackets_in_a_table_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "setting prompt: '[offline]' -> '[/red]{label}'"
    print_table(("stage", "why"), [("embed", reason)])
    assert reason in " ".join(capsys.readouterr().out.replace("\u2502", " ").split())


def test_a_lack_of_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out() -> None:
        raise MemoryError("cannot allocate 4 TB")

    monkeypatch.setattr("hgld.flows.cli.commands.app", run_out)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    line = only_line(capsys.readouterr().err)
    assert "memory" in line
