import dataclasses
import hashlib
import json
from dataclasses import asdict

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, HgldError, InputError
from hgld.review.log.decisions import (
    append_decisions,
    check_decisions,
    labels_in_use,
    read_decisions,
)
from hgld.review.log.history import Decision
from tests.worlds.review.sheets import copy_of, log_of, write_old_log


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


IGNORED = Decision(
    decided_at="2026-11-26T09:00:00+00:00",
    reviewer="ann",
    class_qid="Q5",
    class_label="x",
    action="ignore",
)
CHURCH, LAKE = assign("Q1", "church"), assign("Q2", "ocean area ", "natural", note="a\nb “ü”")


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
        "number": 1,
        "chain": hashlib.sha256(
            log_of(workspace).read_bytes().partition(b', "chain"')[0]
        ).hexdigest(),
    }


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"reviewer": "ann"', "line 2"),
        (f"{'[' * 100_000}", "line 2"),
        ("[1]", "line 2"),
        ('{"reviewer": "ann"}', "line 2.*decided_at"),
        ('{"who": "ann"}', "line 2.*who"),
        (json.dumps(asdict(CHURCH) | {"note": "\ud800"}), "line 2.*note"),
    ],
)
def test_a_line_that_is_no_decision_is_named_in_a_log_of_an_earlier_version(
    workspace: Workspace, line: str, text: str
) -> None:
    write_old_log(workspace, [CHURCH])
    with log_of(workspace).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    for access in (read_decisions, lambda workspace: append_decisions(workspace, [LAKE])):
        with pytest.raises(HgldError, match=text):
            access(workspace)
    assert log_of(workspace).read_text(encoding="utf-8").endswith(f"{line}\n")


def test_the_first_line_added_to_a_log_of_an_earlier_version_covers_it_all(
    workspace: Workspace,
) -> None:
    write_old_log(workspace, [CHURCH, LAKE])
    old = log_of(workspace).read_bytes()
    assert read_decisions(workspace) == {"Q1": CHURCH, "Q2": LAKE}
    assert check_decisions(workspace) == []
    append_decisions(workspace, [assign("Q3", "museum")])
    new = log_of(workspace).read_bytes()
    assert new.startswith(old)
    assert json.loads(new.splitlines()[-1])["number"] == 3
    assert copy_of(workspace).read_bytes() == new
    copy_of(workspace).unlink()
    log_of(workspace).write_bytes(new.replace(b'"church"', b'"chapel"'))
    with pytest.raises(DamagedError, match="line 3"):
        read_decisions(workspace)


def test_a_reviewer_whose_name_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="reviewer"):
        dataclasses.replace(CHURCH, reviewer="j\udcffrg")  # what a shell makes of a wrong byte


@pytest.mark.parametrize(
    "text", ["a\u2028b\u2029c\x85d", "\0\x0b\x1e\x7f", "\ufeffx", "ü" * 200_000]
)
def test_text_of_any_kind_and_length_stays_a_line_and_reads_back(
    workspace: Workspace, text: str
) -> None:
    odd = dataclasses.replace(CHURCH, note=text)
    append_decisions(workspace, [odd, LAKE])
    assert log_of(workspace).read_bytes().count(b"\n") == 2
    assert read_decisions(workspace) == {"Q1": odd, "Q2": LAKE}
    assert "ü" not in text or "ü" in log_of(workspace).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("label", "side", "name"),
    [
        (" ", "natural", "hierarchical_label"),
        ("church", "human made", "human made"),
        ("church", "", "natural_or_human_made"),
    ],
)
def test_an_unclear_assignment_is_refused(label: str, side: str, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        assign("Q1", label, side)


def test_one_label_on_two_sides_is_refused() -> None:
    with pytest.raises(InputError, match="church"):
        labels_in_use([CHURCH, assign("Q2", "church", "natural")])


@pytest.mark.parametrize("twin", ["Church", "church ", " church", "CHURCH"])
def test_one_label_in_two_spellings_is_refused(twin: str) -> None:
    with pytest.raises(InputError, match=r"(?i)church"):
        labels_in_use([CHURCH, assign("Q2", twin)])


def test_labels_in_use_leave_out_ignored_classes() -> None:
    assert list(labels_in_use([CHURCH, IGNORED, LAKE])) == ["church", "ocean area"]
