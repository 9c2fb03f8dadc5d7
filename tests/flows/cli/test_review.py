"""Reviews at the command line: what a person reads, and two processes at once."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import DECISIONS_FILE, read_decisions
from tests.worlds.builders import write_proposals
from tests.worlds.reviewing import CHURCH, CLASSES, IGNORE, fill_in

HGLD = str(Path(sys.executable).with_name("hgld"))


def review(workspace: Workspace, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [HGLD, "review", "--root", str(workspace.root), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


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
    assert conflict.startswith(
        "Q10 'chapel': the sheet has ignore; the log has assign 'church' human-made, of 'bob' at "
    )
    assert error.startswith(
        "error: 1 row was changed in the sheet and, since its export, in the log"
    )
    assert set(read_decisions(clustered)) == {"Q10"}

    done = review(clustered, "--apply", anns, "--theirs", *words, "ann")
    assert done.returncode == 0, done.stderr
    assert (
        "1 decisions added to the log, 0 as they were, 1 conflicts settled by --theirs, 2"
        in done.stdout
    )
    assert {qid: one.reviewer for qid, one in read_decisions(clustered).items()} == {
        "Q10": "bob",
        "Q9": "ann",
    }

    done = review(clustered, "--apply", anns, "--mine", *words, "ann")
    assert (
        "1 decisions added to the log, 1 as they were, 1 conflicts settled by --mine, 2"
        in done.stdout
    )
    assert read_decisions(clustered)["Q10"].reviewer == "ann"


def test_a_choice_between_versions_needs_a_sheet(clustered: Workspace) -> None:
    for choice in ("--mine", "--theirs"):
        done = review(clustered, choice)
        assert done.returncode == 1
        assert (
            done.stderr
            == "error: --mine and --theirs settle conflicts of a sheet: name it with --apply\n"
        )


_WAITS_IN_THE_APPEND = """
import os, sys
from hgld.flows.cli import commands
from hgld.review.log import decisions

append = decisions.append_lines
def waiting(path, data):
    append(path, data)
    print("appended", flush=True)
    sys.stdin.readline()
decisions.append_lines = waiting
sys.argv = ["hgld", *sys.argv[1:]]
commands.main()
"""


@pytest.mark.fault(27, "two sheets applied at once")
def test_of_two_sheets_applied_at_once_one_waits_and_none_is_lost(clustered: Workspace) -> None:
    anns, bobs = fill_in(clustered, {"Q10": IGNORE}), fill_in(clustered, {"Q9": IGNORE})
    words = ["--accept-proposals", "--reviewer"]
    first = ["review", "--root", clustered.root, "--apply", anns, *words, "ann"]
    with subprocess.Popen(
        [sys.executable, "-c", _WAITS_IN_THE_APPEND, *map(str, first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "appended\n"
        busy = review(clustered, "--apply", bobs, *words, "bob")
        assert busy.returncode == 1
        assert busy.stderr.startswith(
            f"error: {clustered.root} is in use by process {process.pid}; wait"
        )
        assert set(read_decisions(clustered)) == {"Q10"}
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(timeout=120) == 0
    assert review(clustered, "--apply", bobs, *words, "bob").returncode == 0
    assert {qid: one.reviewer for qid, one in read_decisions(clustered).items()} == {
        "Q10": "ann",
        "Q9": "bob",
    }


@pytest.mark.fault(28, "odd text in decisions")
def test_a_reviewer_whose_name_is_no_utf_8_is_refused_in_a_line(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {"Q10": IGNORE})
    command = [
        os.fsencode(word)
        for word in (HGLD, "review", "--root", clustered.root, "--apply", sheet, "--reviewer")
    ]
    done = subprocess.run([*command, b"j\xf8rn"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "reviewer must be text that UTF-8 can hold, got 'j\\udcf8rn'" in line
    assert not clustered.path(DECISIONS_FILE).exists()


@pytest.mark.fault(21, "log and copy of decisions gone")
def test_a_build_whose_decisions_are_gone_makes_no_proposals_of_them(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {"Q10": IGNORE})
    assert (
        review(clustered, "--apply", sheet, "--reviewer", "ann", "--accept-proposals").returncode
        == 0
    )
    clean = {path: path.read_bytes() for path in clustered.path("review").glob("*.jsonl")}
    assert len(clean) == 2
    for path in clean:
        path.unlink()
    done = review(clustered, "--accept-proposals")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"error: {clustered.path(DECISIONS_FILE)} is gone, and so is its copy, and the"
    )
    for path, data in clean.items():
        path.write_bytes(data)
    assert "review: up to date" in review(clustered, "--accept-proposals").stdout

    for path in clean:
        path.unlink()
    subprocess.run(shlex.split(line.split("`")[1]), check=True)
    assert "review: done" in review(clustered, "--accept-proposals").stdout
