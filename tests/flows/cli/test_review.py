"""Reviews at the command line: what a person reads, and two processes at once."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.exchange.applying import apply_sheet
from hgld.review.log.decisions import DECISIONS_FILE, read_decisions
from hgld.tables import TAXONOMY
from tests.worlds.builders import write_proposals
from tests.worlds.commands.typed import run_typed
from tests.worlds.review.sheets import (
    CHURCH,
    CLASSES,
    IGNORE,
    decision_of,
    fill_in,
    write_old_log,
)

HGLD = str(Path(sys.executable).with_name("hgld"))


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
    assert conflict.startswith(
        "Q10 'chapel': was open at its export; the sheet has ignore; the log has assign 'church' "
        "human-made, of 'bob' at "
    )
    assert error.startswith(
        "error: 1 class was changed in the sheet and, since its export, in the log"
    )
    assert set(read_decisions(clustered)) == {"Q10"}

    done = review(clustered, "--apply", anns, "--theirs", *words, "ann")
    assert done.returncode == 0, done.stderr
    assert (
        "1 decision added to the log, 0 as they were, 1 conflict settled by --theirs, 2"
        in done.stdout
    )
    assert {qid: one.reviewer for qid, one in read_decisions(clustered).items()} == {
        "Q10": "bob",
        "Q9": "ann",
    }

    done = review(clustered, "--apply", anns, "--mine", *words, "ann")
    assert (
        "1 decision added to the log, 1 as it was, 1 conflict settled by --mine, 2" in done.stdout
    )
    assert read_decisions(clustered)["Q10"].reviewer == "ann"


def test_a_choice_between_versions_needs_a_sheet(clustered: Workspace) -> None:
    for choice in ("--mine", "--theirs"):
        done = review(clustered, choice)
        assert done.returncode == 1
        assert done.stderr == "error: --mine and --theirs goes with --apply: name the file\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--new", "x"], "--new goes with --apply: name the file"),
        (["--dry-run"], "--dry-run goes with --apply: name the file"),
        (["--json"], "--json goes with --status"),
        (["--status", "--settle"], "--status and --settle exclude each other"),
        (["--export", "a.csv", "--apply", "b.csv"], "--export and --apply exclude each other"),
        (["--export", "a.xlsx"], "a.xlsx must end in .csv (a sheet), .jsonl"),
        (["--accept-above", "95"], "accept_above must be a confidence from 0 to 1"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    clustered: Workspace, words: list[str], text: str
) -> None:
    done = review(clustered, *words)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert text in line


_WOULD_ADD = (
    "would add 2 decisions to the log, 0 as they were, 2 classes undecided; nothing was written"
)


def test_a_sheet_is_shown_dry_then_asked_about_and_applied(clustered: Workspace) -> None:
    towwer = CHURCH | {"hierarchical_label": "towwer"}
    sheet = fill_in(clustered, {"Q16970": CHURCH, "Q10": towwer})
    done = review(clustered, "--apply", sheet, "--dry-run")
    assert done.returncode == 1
    # The shipped taxonomy is what it is held against: it has a tower.
    assert "'towwer' (row 4): did you mean 'tower'?" in done.stderr
    assert done.stderr.endswith("--new towwer\n")
    done = review(clustered, "--apply", sheet, "--dry-run", "--new", "towwer")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "new       church (human-made): 1 class, 9 landmarks",
        "new       towwer (human-made): 1 class, 2 landmarks",
        _WOULD_ADD,
    ]
    assert not clustered.path("review").exists()
    words = ["--new", "towwer", "--reviewer", "ann", "--accept-above", "0.5"]
    done = review(clustered, "--apply", sheet, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 decisions added to the log, 0 as they were, 2 classes undec")
    assert read_decisions(clustered)["Q10"].hierarchical_label == "towwer"


_CHANGED = (
    "changed    1 edits: line 1 (sheet, ann): Q10 'chapel' is now 'oratory', Q9 '=HYPERLINK(1)' is "
    "gone"
)


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
    assert done.stdout.splitlines() == [
        "clusters   1 of 2 done",
        "classes    2 of 4 decided",
        "landmarks  11 of 16 settled, 69%: all their classes are decided",
        "log        1 events, 1 edits count",
        "reviewers  ann 1",
        "new        1 classes since the last review: Q77 'weir'",
        "applied    0 edits",
        "gone       0 edits",
        _CHANGED,
    ]
    full = json.loads(review(clustered, "--status", "--json").stdout)
    assert full["progress"]["clusters_open"] == 1
    assert full["new"] == {"Q77": "weir"}
    (one,) = full["replayed"]
    assert one["changed"] == {"Q10": ["chapel", "oratory"]}
    assert one["state"] == "changed"
    assert {path: path.stat().st_mtime_ns for path in clustered.root.rglob("*")} == before


def test_decisions_go_from_build_to_build_as_events_and_as_skos(
    clustered: Workspace, tmp_path: Path
) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE})
    words = ["--reviewer", "ann", "--accept-proposals"]
    assert review(clustered, "--apply", sheet, *words).returncode == 0
    for name in ("all.jsonl", "all.ttl"):
        done = review(clustered, "--export", tmp_path / name)
        assert done.returncode == 0, done.stderr
        command = done.stdout.strip().partition(": hgld ")[2]
        assert command.startswith(f"review --root {clustered.root} --apply {tmp_path / name} ")
        other = Workspace(tmp_path / f"of {name}")
        write_proposals(other, CLASSES)
        done = review(other, "--apply", tmp_path / name, *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("2 decisions added to the log, 0 as they were, 2 classes")
        assert other.read(TAXONOMY).equals(clustered.read(TAXONOMY))


def test_the_taxonomy_is_settled_only_when_the_review_is_done(clustered: Workspace) -> None:
    done = review(clustered, "--settle")
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("AwaitingReview: 2 of 2 clusters, 100% of landmarks are open; `hgld")
    assert review(clustered, "--settle", "--accept-above", "0.9").returncode == 0
    decisions = clustered.read(TAXONOMY)["decision"].to_pylist()
    assert set(decisions) == {"undecided"}  # all are 0.875 sure
    assert review(clustered, "--settle", "--accept-above", "0.875").returncode == 0
    decisions = clustered.read(TAXONOMY)["decision"].to_pylist()
    assert set(decisions) == {"proposed"}


def test_annotations_wait_for_the_review_or_take_what_is_proposed(clustered: Workspace) -> None:
    def annotate(*words: str) -> subprocess.CompletedProcess[str]:
        command = [HGLD, "annotate", "--root", str(clustered.root), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    done = annotate()
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("AwaitingReview: 2 of 2 clusters, 100% of landmarks are open; `hgld")
    done = annotate("--accept-above", "0.5")
    assert done.returncode == 1  # nothing was scraped here
    assert "review: done" in done.stdout
    assert set(clustered.read(TAXONOMY)["accepted_above"].to_pylist()) == {0.5}
    done = annotate()  # what was accepted stays so
    assert done.returncode == 1
    assert "run `hgld metadata`" in done.stderr


def test_annotations_wait_again_where_the_threshold_of_before_left_classes_open(
    clustered: Workspace,
) -> None:
    def annotate(*words: str) -> subprocess.CompletedProcess[str]:
        return run_typed(["annotate", "--root", clustered.root, *words])

    done = annotate("--accept-above", "0.95")  # all are 0.875 sure
    assert done.returncode == 1, done.stderr  # nothing was scraped here: it went on
    before = clustered.read(TAXONOMY)
    for _ in range(2):
        done = annotate()
        assert done.returncode == 3, done.stderr
        assert done.stderr.startswith("AwaitingReview: 2 of 2 clusters, ")
        apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "ann")
    assert clustered.read(TAXONOMY).equals(before)
    assert annotate("--accept-above", "0.95").returncode == 1


def test_what_an_old_log_has_does_nothing_to_the_terminal(clustered: Workspace) -> None:
    escape = decision_of("Q10", CHURCH, "a\x1b]0;nn\x07")
    write_old_log(clustered, [escape])
    for words in (["--status"], ["--status", "--json"]):
        done = review(clustered, *words)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout
    assert r"reviewers  a\x1b]0;nn\x07 1" in review(clustered, "--status").stdout


def test_classes_that_the_build_lacks_are_told(clustered: Workspace, tmp_path: Path) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE})
    words = ["--reviewer", "ann", "--accept-proposals"]
    assert review(clustered, "--apply", sheet, *words).returncode == 0
    other = Workspace(tmp_path / "other")
    write_proposals(other, CLASSES[:2])
    for name in ("all.ttl", "all.jsonl"):
        review(clustered, "--export", tmp_path / name)
        done = review(other, "--apply", tmp_path / name, "--dry-run")
        assert done.returncode == 0, done.stderr
        assert "the build lacks Q10 'chapel': what is decided on them is kept" in done.stderr


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
