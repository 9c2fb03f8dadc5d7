"""Reviews at the command line: what a person reads, and two processes at once."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.build import read_sections
from hgld.review.log import decisions
from hgld.review.log.decisions import append_lines, read_decisions
from hgld.tables import TAXONOMY
from tests.worlds.builders import write_proposals
from tests.worlds.commands.typed import only_line, run_typed, said
from tests.worlds.forked import run_forked
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, fill_in


def review(workspace: Workspace, *words: str | Path, status: int = 0) -> str:
    return said("review", "--root", workspace.root, *words, status=status)


def decide(workspace: Workspace, sheet: Path, who: str, *words: str, status: int = 0) -> str:
    """Applies a sheet, which may leave classes open."""
    return review(workspace, "--apply", sheet, "--reviewer", who, *words, status=status)


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
    decide(clustered, anns, "ann", "--theirs")
    assert reviewers(clustered) == {"Q10": "bob", "Q9": "ann"}
    decide(clustered, anns, "ann", "--mine")
    assert reviewers(clustered) == {"Q10": "ann", "Q9": "ann"}


def test_options_that_make_no_sense_together_are_refused(clustered: Workspace) -> None:
    for *words, word in (
        ("--new", "x", "--apply"),
        ("--mine", "--apply"),
        ("--dry-run", "--apply"),
        ("--json", "--status"),
        ("--status", "--settle", "--settle"),
        ("--settle", "--port", "0", "--port"),  # of the page, which is not opened
        ("--settle", "--no-open", "--no-open"),
        ("--export", "a.csv", "--apply", "b.csv", "--apply"),
        ("--apply", "a.csv", "--mine", "--theirs", "--theirs"),
    ):
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
    tower = {"hierarchical_label": "tower"}  # whose side the shipped taxonomy knows
    sheet = fill_in(clustered, {"Q10": CHURCH, "Q9": tower, "Q16970": CHURCH})
    decide(clustered, sheet, "ann")
    # A label may hold what a terminal would act on.
    write_proposals(clustered, [CLASSES[0], CLASSES[2] | {"class_label": "a\x1b]0;nn\x07"}])
    before = {path: path.stat().st_mtime_ns for path in clustered.root.rglob("*")}
    short = review(clustered, "--status")
    assert "2 of 2" in short
    full = review(clustered, "--status", "--json")
    (one,) = json.loads(full)["replayed"]
    assert (one["state"], list(one["changed"])) == ("changed", ["Q10"])
    assert not {"\x1b", "\x07"} & {*short, *full}
    assert {path: path.stat().st_mtime_ns for path in clustered.root.rglob("*")} == before


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
