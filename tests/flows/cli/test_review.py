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
from tests.worlds.commands.typed import only_line, run_typed, said
from tests.worlds.forked import run_forked
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, apply_sheet, fill_in

ACCEPT = "--accept-proposals"


def review(workspace: Workspace, *words: str | Path, status: int = 0) -> str:
    return said("review", "--root", workspace.root, *words, status=status)


def decide(workspace: Workspace, sheet: Path, who: str, *words: str, status: int = 0) -> str:
    """Applies a sheet and settles the taxonomy."""
    words = ("--reviewer", who, *(words or [ACCEPT]))
    return review(workspace, "--apply", sheet, *words, status=status)


def reviewers(workspace: Workspace) -> dict[str, str]:
    """Returns who decided on each class."""
    return {qid: one.reviewer for qid, one in read_decisions(workspace).items()}


@pytest.fixture
def clustered(workspace: Workspace) -> Workspace:
    write_proposals(workspace, CLASSES)
    return workspace


@pytest.mark.fault(23, "two reviewers")
def test_a_conflict_is_listed_and_settled_by_an_option(clustered: Workspace) -> None:
    anns = fill_in(clustered, {"Q10": IGNORE, "Q9": IGNORE})
    decide(clustered, fill_in(clustered, {"Q10": CHURCH}), "bob")
    conflict, error = decide(clustered, anns, "ann", status=1).splitlines()
    assert all(word in conflict for word in ("Q10", "ignore", "church", "'bob'"))
    assert error.startswith("error: ")
    assert reviewers(clustered) == {"Q10": "bob"}
    decide(clustered, anns, "ann", ACCEPT, "--theirs")
    assert reviewers(clustered) == {"Q10": "bob", "Q9": "ann"}
    decide(clustered, anns, "ann", ACCEPT, "--mine")
    assert reviewers(clustered) == {"Q10": "ann", "Q9": "ann"}


@pytest.mark.parametrize(
    ("words", "word"),
    [
        *(([*one], "--apply") for one in (["--new", "x"], ["--mine"], ["--theirs"], ["--dry-run"])),
        (["--json"], "--status"),
        (["--status", "--settle"], "--settle"),
        (["--export", "a.csv", "--apply", "b.csv"], "--apply"),
        (["--apply", "a.csv", "--mine", "--theirs"], "--theirs"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    clustered: Workspace, words: list[str], word: str
) -> None:
    assert word in only_line("review", "--root", clustered.root, *words)


def test_a_sheet_is_shown_dry_then_asked_about_and_applied(clustered: Workspace) -> None:
    towwer = CHURCH | {"hierarchical_label": "towwer"}
    sheet = fill_in(clustered, {"Q16970": CHURCH, "Q10": towwer})
    asked = review(clustered, "--apply", sheet, "--dry-run", status=1)
    # The shipped taxonomy is what it is held against: it has a tower.
    assert "'tower'" in asked
    assert "--new=towwer" in asked
    assert "towwer" in review(clustered, "--apply", sheet, "--dry-run", "--new", "towwer")
    assert not clustered.path("review").exists()
    decide(clustered, sheet, "ann", "--new", "towwer", "--accept-above", "0.5")
    assert set(read_decisions(clustered)) == {"Q10", "Q16970"}
    assert read_decisions(clustered)["Q10"].hierarchical_label == "towwer"


def test_what_stands_is_told_in_short_and_in_full(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE, "Q16970": CHURCH})
    decide(clustered, sheet, "ann")
    weir = {"class_qid": "Q77", "class_label": "weir", "cluster_id": 1}
    now = [CLASSES[0], CLASSES[2] | {"class_label": "oratory"}, CLASSES[3], weir]
    write_proposals(clustered, now)
    before = {path: path.stat().st_mtime_ns for path in clustered.root.rglob("*")}
    short = review(clustered, "--status")
    assert "2 of 4" in short
    assert "'oratory'" in short
    full = json.loads(review(clustered, "--status", "--json"))
    assert full["progress"]["clusters_open"] == 1
    assert full["new"] == {"Q77": "weir"}
    (one,) = full["replayed"]
    assert (one["state"], one["changed"]) == ("changed", {"Q10": ["chapel", "oratory"]})
    assert {path: path.stat().st_mtime_ns for path in clustered.root.rglob("*")} == before


def test_decisions_go_from_build_to_build_as_their_two_files(
    clustered: Workspace, tmp_path: Path
) -> None:
    decide(clustered, fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE}), "ann")
    other = Workspace(tmp_path / "other")
    write_proposals(other, CLASSES)
    other.path("review").mkdir()
    for name in (DECISIONS_FILE, DECISIONS_COPY):
        shutil.copy(clustered.path(name), other.path(name))
    review(other, "--settle", ACCEPT)
    assert other.read(TAXONOMY).equals(clustered.read(TAXONOMY))
    review(other, "--export", tmp_path / "taxonomy.ttl")


def test_the_taxonomy_is_settled_only_when_the_review_is_done(clustered: Workspace) -> None:
    assert review(clustered, "--settle", status=3).startswith("AwaitingReview: ")
    review(clustered, "--settle", "--accept-above", "0.9")
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
    assert read_sections(clustered.root, None) == {"review": {"accept_above": 0.5}}
    assert "up to date" in done.stdout
    assert "`hgld metadata`" in done.stderr


def test_a_label_of_a_class_does_nothing_to_the_terminal(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "ann")
    write_proposals(clustered, [CLASSES[0], CLASSES[1] | {"class_label": "a\x1b]0;nn\x07"}])
    for words in (["--status"], ["--status", "--json"]):
        assert not {"\x1b", "\x07"} & set(review(clustered, *words))


@pytest.mark.fault(27, "two sheets applied at once")
def test_of_two_sheets_applied_at_once_one_waits_and_none_is_lost(
    clustered: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    anns, bobs = fill_in(clustered, {"Q10": IGNORE}), fill_in(clustered, {"Q9": IGNORE})
    met: list[bool] = []

    def append_and_wait(path: Path, data: bytes, *, flush: bool = True) -> None:
        append_lines(path, data, flush=flush)
        if not met:  # Bob's command runs where Ann's holds the build, in a process of its own
            met.append(True)
            assert run_forked(try_bobs) == 0

    def try_bobs() -> None:
        assert str(os.getppid()) in decide(clustered, bobs, "bob", status=1)

    monkeypatch.setattr(decisions, "append_lines", append_and_wait)
    decide(clustered, anns, "ann")
    assert met
    assert reviewers(clustered) == {"Q10": "ann"}
    decide(clustered, bobs, "bob")
    assert reviewers(clustered) == {"Q10": "ann", "Q9": "bob"}


@pytest.mark.fault(21, "log and copy of decisions gone")
def test_a_build_whose_decisions_are_gone_makes_no_proposals_of_them(clustered: Workspace) -> None:
    decide(clustered, fill_in(clustered, {"Q10": IGNORE}), "ann")
    for name in (DECISIONS_FILE, DECISIONS_COPY):
        clustered.path(name).unlink()
    line = only_line("review", "--root", clustered.root, ACCEPT)
    assert str(clustered.path(DECISIONS_FILE)) in line
    subprocess.run(shlex.split(line.split("`")[1]), check=True)
    assert "review: done" in review(clustered, ACCEPT)
