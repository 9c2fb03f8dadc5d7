import json
import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.decisions import (
    DECISIONS_FILE,
    Decision,
    append_decisions,
    labels_in_use,
    read_decisions,
)


def assign(qid: str, label: str, side: str = "human-made", **more: str) -> Decision:
    return Decision(
        decided_at=more.get("decided_at", "2025-01-01T00:00:00+00:00"),
        reviewer="ann",
        class_qid=qid,
        class_label=f"label of {qid}",
        action="assign",
        hierarchical_label=label,
        natural_or_human_made=side,
        note=more.get("note", ""),
    )


CHURCH, LAKE = assign("Q1", "church"), assign("Q2", "ocean area ", "natural", note="a\nb “ü”")


def log_of(workspace: Workspace) -> Path:
    return workspace.path(DECISIONS_FILE)


def test_no_log_holds_no_decision(workspace: Workspace) -> None:
    assert read_decisions(workspace) == {}


def test_decisions_read_back_and_the_last_on_a_class_is_in_force(workspace: Workspace) -> None:
    append_decisions(workspace, [CHURCH, LAKE])
    before = log_of(workspace).read_bytes()
    changed = assign("Q1", "castle / fort")
    append_decisions(workspace, [changed])
    assert read_decisions(workspace) == {"Q1": changed, "Q2": LAKE}
    assert log_of(workspace).read_bytes().startswith(before)
    assert len(log_of(workspace).read_bytes().splitlines()) == 3


def test_appending_nothing_makes_no_file(workspace: Workspace) -> None:
    append_decisions(workspace, [])
    assert not log_of(workspace).exists()


def test_a_line_holds_every_field_by_its_name(workspace: Workspace) -> None:
    append_decisions(workspace, [CHURCH])
    assert json.loads(log_of(workspace).read_text(encoding="utf-8")) == {
        "decided_at": "2025-01-01T00:00:00+00:00",
        "reviewer": "ann",
        "class_qid": "Q1",
        "class_label": "label of Q1",
        "action": "assign",
        "hierarchical_label": "church",
        "natural_or_human_made": "human-made",
        "note": "",
    }


def test_a_last_line_torn_at_any_byte_is_told_and_loses_no_other(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    append_decisions(workspace, [CHURCH, LAKE])
    whole = log_of(workspace).read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start + 1, len(whole) - 1):  # the last of these lacks the closing brace
        log_of(workspace).write_bytes(whole[:end])
        caplog.clear()
        assert read_decisions(workspace) == {"Q1": CHURCH}
        assert "line 2 was cut off by a crash" in caplog.text
        append_decisions(workspace, [assign("Q3", "museum")])
        assert log_of(workspace).read_bytes().startswith(whole[:end])
        caplog.clear()
        assert set(read_decisions(workspace)) == {"Q1", "Q3"}
        assert not caplog.text


def test_a_last_line_that_lacks_only_its_line_feed_counts(workspace: Workspace) -> None:
    append_decisions(workspace, [CHURCH, LAKE])
    log_of(workspace).write_bytes(log_of(workspace).read_bytes()[:-1])
    assert read_decisions(workspace) == {"Q1": CHURCH, "Q2": LAKE}
    append_decisions(workspace, [assign("Q3", "museum")])
    assert set(read_decisions(workspace)) == {"Q1", "Q2", "Q3"}


_KILLED = """
import os, signal, sys
from pathlib import Path
from hgld.review import decisions
from hgld.engine.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
new = decisions.Decision(decided_at="now", reviewer="ann", class_qid="Q9", class_label="x",
                         action="ignore")
# The disk took 20 bytes of the line when the process died.
def half(descriptor):
    os.ftruncate(descriptor, os.fstat(descriptor).st_size - 20)
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = half
decisions.append_decisions(workspace, [new])
"""


def test_a_process_killed_while_it_appends_loses_only_what_it_appended(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    append_decisions(workspace, [CHURCH, LAKE])
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(workspace.root)], cwd=root, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert b'"Q9"' in log_of(workspace).read_bytes()
    with caplog.at_level(logging.WARNING):
        assert read_decisions(workspace) == {"Q1": CHURCH, "Q2": LAKE}
    assert "line 3 was cut off" in caplog.text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"reviewer": "ann"', "line 2 is not JSON"),
        ("<<<<<<< HEAD", "line 2 is not JSON"),
        ("[1]", "line 2 must be a JSON object"),
        ('{"reviewer": "ann"}', "line 2: .*missing"),
        ('{"who": "ann"}', "line 2: unknown key 'who'"),
    ],
)
def test_a_damaged_line_is_an_error_that_gives_its_number(
    workspace: Workspace, line: str, text: str
) -> None:
    append_decisions(workspace, [CHURCH])
    with log_of(workspace).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    append_decisions(workspace, [LAKE])
    with pytest.raises(InputError, match=text):
        read_decisions(workspace)


@pytest.mark.parametrize(
    ("label", "side", "text"),
    [
        (" ", "natural", "assign needs a hierarchical_label"),
        ("church", "human made", "must be natural or human-made .* got 'human made'"),
        ("church", "", "must be natural or human-made .* got 'nothing'"),
    ],
)
def test_an_unclear_assignment_is_refused(label: str, side: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        assign("Q1", label, side)


def test_one_label_on_two_sides_is_refused() -> None:
    with pytest.raises(InputError, match=r"'church' is natural for Q2 .* human-made for Q1"):
        labels_in_use([CHURCH, assign("Q2", "church", "natural")])


@pytest.mark.parametrize("twin", ["Church", "church ", " church", "CHURCH"])
def test_one_label_in_two_spellings_is_refused(twin: str) -> None:
    with pytest.raises(InputError, match="use one spelling"):
        labels_in_use([CHURCH, assign("Q2", twin)])


def test_labels_in_use_leave_out_ignored_classes() -> None:
    ignored = Decision(
        decided_at="now", reviewer="ann", class_qid="Q5", class_label="x", action="ignore"
    )
    assert list(labels_in_use([CHURCH, ignored, LAKE])) == ["church", "ocean area"]
