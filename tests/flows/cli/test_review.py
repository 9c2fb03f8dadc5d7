"""Reviews at the command line: what a person reads, and two processes at once."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.build import read_sections
from hgld.review.log import decisions
from hgld.review.log.decisions import DECISIONS_COPY, DECISIONS_FILE, append_lines, read_decisions
from hgld.tables import TAXONOMY
from tests.worlds.builders import write_proposals
from tests.worlds.commands.typed import run_typed
from tests.worlds.forked import run_forked
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, apply_sheet, fill_in


def review(workspace: Workspace, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return run_typed(["review", "--root", workspace.root, *words])


@pytest.fixture
def clustered(workspace: Workspace) -> Workspace:
    write_proposals(workspace, CLASSES)
    return workspace


@pytest.mark.fault(23, "two reviewers")
def test_a_conflict_is_listed_and_settled_by_an_option(clustered: Workspace) -> None:
    anns, bobs = (
        fill_in(clustered, {"Q10": IGNORE, "Q9": IGNORE}),
        fill_in(clustered, {"Q10": CHURCH}),
    )
    words = ["--accept-proposals", "--reviewer"]
    assert review(clustered, "--apply", bobs, *words, "bob").returncode == 0

    done = review(clustered, "--apply", anns, *words, "ann")
    assert done.returncode == 1
    conflict, error = done.stderr.splitlines()
    assert all(word in conflict for word in ("Q10", "ignore", "church", "'bob'"))
    assert error.startswith("error: ")
    assert set(read_decisions(clustered)) == {"Q10"}

    done = review(clustered, "--apply", anns, "--theirs", *words, "ann")
    assert done.returncode == 0, done.stderr
    assert {qid: one.reviewer for qid, one in read_decisions(clustered).items()} == {
        "Q10": "bob",
        "Q9": "ann",
    }

    done = review(clustered, "--apply", anns, "--mine", *words, "ann")
    assert done.returncode == 0, done.stderr
    assert read_decisions(clustered)["Q10"].reviewer == "ann"


@pytest.mark.parametrize(
    ("words", "word"),
    [
        *((["--new", "x"], "--apply"), (["--mine"], "--apply"), (["--theirs"], "--apply")),
        (["--dry-run"], "--apply"),
        (["--json"], "--status"),
        (["--status", "--settle"], "--settle"),
        (["--export", "a.csv", "--apply", "b.csv"], "--apply"),
        (["--apply", "a.csv", "--mine", "--theirs"], "--theirs"),
        (["--export", "a.xlsx"], "a.xlsx"),
        (["--accept-above", "95"], "accept_above"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    clustered: Workspace, words: list[str], word: str
) -> None:
    done = review(clustered, *words)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert word in line


def test_a_sheet_is_shown_dry_then_asked_about_and_applied(clustered: Workspace) -> None:
    towwer = CHURCH | {"hierarchical_label": "towwer"}
    sheet = fill_in(clustered, {"Q16970": CHURCH, "Q10": towwer})
    done = review(clustered, "--apply", sheet, "--dry-run")
    assert done.returncode == 1
    # The shipped taxonomy is what it is held against: it has a tower.
    assert "'tower'" in done.stderr
    assert "--new=towwer" in done.stderr
    done = review(clustered, "--apply", sheet, "--dry-run", "--new", "towwer")
    assert done.returncode == 0, done.stderr
    assert "towwer" in done.stdout
    assert not clustered.path("review").exists()
    words = ["--new", "towwer", "--reviewer", "ann", "--accept-above", "0.5"]
    done = review(clustered, "--apply", sheet, *words)
    assert done.returncode == 0, done.stderr
    assert set(read_decisions(clustered)) == {"Q10", "Q16970"}
    assert read_decisions(clustered)["Q10"].hierarchical_label == "towwer"


def test_what_stands_is_told_in_short_and_in_full(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE, "Q16970": CHURCH})
    words = ["--reviewer", "ann", "--accept-proposals"]
    assert review(clustered, "--apply", sheet, *words).returncode == 0
    weir = {"class_qid": "Q77", "class_label": "weir", "cluster_id": 1}
    now = [CLASSES[0], CLASSES[2] | {"class_label": "oratory"}, CLASSES[3], weir]
    write_proposals(clustered, now)
    before = {path: path.stat().st_mtime_ns for path in clustered.root.rglob("*")}
    done = review(clustered, "--status")
    assert done.returncode == 0, done.stderr
    assert "2 of 4" in done.stdout
    assert "'oratory'" in done.stdout
    full = json.loads(review(clustered, "--status", "--json").stdout)
    assert full["progress"]["clusters_open"] == 1
    assert full["new"] == {"Q77": "weir"}
    (one,) = full["replayed"]
    assert one["changed"] == {"Q10": ["chapel", "oratory"]}
    assert one["state"] == "changed"
    assert {path: path.stat().st_mtime_ns for path in clustered.root.rglob("*")} == before


def test_decisions_go_from_build_to_build_as_their_two_files(
    clustered: Workspace, tmp_path: Path
) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE})
    words = ["--reviewer", "ann", "--accept-proposals"]
    assert review(clustered, "--apply", sheet, *words).returncode == 0
    other = Workspace(tmp_path / "other")
    write_proposals(other, CLASSES)
    shutil.copytree(
        clustered.path("review"), other.path("review"), ignore=lambda *_: ["taxonomy", ".log.lock"]
    )
    assert review(other, "--settle", "--accept-proposals").returncode == 0
    assert other.read(TAXONOMY).equals(clustered.read(TAXONOMY))
    assert review(other, "--export", tmp_path / "taxonomy.ttl").returncode == 0


def test_the_taxonomy_is_settled_only_when_the_review_is_done(clustered: Workspace) -> None:
    done = review(clustered, "--settle")
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("AwaitingReview: ")
    assert review(clustered, "--settle", "--accept-above", "0.9").returncode == 0
    decisions = clustered.read(TAXONOMY)["decision"].to_pylist()
    assert set(decisions) == {"undecided"}  # all are 0.875 sure


def test_annotations_wait_for_the_review_or_take_what_is_proposed(clustered: Workspace) -> None:
    def annotate(*words: str) -> subprocess.CompletedProcess[str]:
        return run_typed(["annotate", "--root", clustered.root, *words])

    assert annotate().returncode == 3
    done = annotate("--accept-above", "0.5")
    assert done.returncode == 1  # nothing was scraped here
    assert "review: done" in done.stdout
    assert set(clustered.read(TAXONOMY)["accepted_above"].to_pylist()) == {0.5}
    done = annotate()  # it was told once, and is kept
    assert done.returncode == 1
    assert read_sections(clustered.root, None) == {"review": {"accept_above": 0.5}}
    assert "up to date" in done.stdout
    assert "`hgld metadata`" in done.stderr


def test_a_label_of_a_class_does_nothing_to_the_terminal(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "ann")
    write_proposals(clustered, [CLASSES[0], CLASSES[1] | {"class_label": "a\x1b]0;nn\x07"}])
    for words in (["--status"], ["--status", "--json"]):
        done = review(clustered, *words)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout


@pytest.mark.fault(27, "two sheets applied at once")
def test_of_two_sheets_applied_at_once_one_waits_and_none_is_lost(
    clustered: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    anns, bobs = fill_in(clustered, {"Q10": IGNORE}), fill_in(clustered, {"Q9": IGNORE})
    words = ["--accept-proposals", "--reviewer"]
    met: list[bool] = []

    def append_and_wait(path: Path, data: bytes, *, flush: bool = True) -> None:
        append_lines(path, data, flush=flush)
        if not met:  # Bob's command runs where Ann's holds the build, in a process of its own
            met.append(True)
            assert run_forked(try_bobs) == 0

    def try_bobs() -> None:
        busy = review(clustered, "--apply", bobs, *words, "bob")
        assert busy.returncode == 1
        assert str(os.getppid()) in busy.stderr

    monkeypatch.setattr(decisions, "append_lines", append_and_wait)
    assert review(clustered, "--apply", anns, *words, "ann").returncode == 0
    assert met
    assert set(read_decisions(clustered)) == {"Q10"}
    assert review(clustered, "--apply", bobs, *words, "bob").returncode == 0
    assert {qid: one.reviewer for qid, one in read_decisions(clustered).items()} == {
        "Q10": "ann",
        "Q9": "bob",
    }


@pytest.mark.fault(21, "log and copy of decisions gone")
def test_a_build_whose_decisions_are_gone_makes_no_proposals_of_them(clustered: Workspace) -> None:
    sheet, accepts = fill_in(clustered, {"Q10": IGNORE}), "--accept-proposals"
    assert review(clustered, "--apply", sheet, "--reviewer", "ann", accepts).returncode == 0
    for name in (DECISIONS_FILE, DECISIONS_COPY):
        clustered.path(name).unlink()
    done = review(clustered, accepts)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(clustered.path(DECISIONS_FILE)) in line
    subprocess.run(shlex.split(line.split("`")[1]), check=True)
    assert "review: done" in review(clustered, accepts).stdout
