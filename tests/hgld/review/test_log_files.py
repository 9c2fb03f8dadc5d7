"""Events out to a file and in again: history goes on, or what it comes to is merged."""

import json
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.exchange import Applied, ApplyChoices, apply_file, export_file, preview_file
from hgld.review.log.decisions import (
    DECISIONS_COPY,
    DECISIONS_FILE,
    append_event,
    check_decisions,
    read_decisions,
    read_log,
)
from hgld.review.log.events import Change, Event
from hgld.review.log.undoing import redo, undo
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import (
    ALL,
    CHURCH,
    CLASSES,
    IGNORE,
    LAKE,
    MUSEUM,
    apply_sheet,
    fill_in,
)


@pytest.fixture
def fresh(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "fresh")
    write_proposals(workspace, CLASSES)
    return workspace


def act(workspace: Workspace, change: Change, reviewer: str = "bob") -> None:
    event = Event(
        event="import", decided_at="2026-11-26T09:00:00+00:00", reviewer=reviewer, changes=(change,)
    )
    append_event(workspace, event)


def take_back(workspace: Workspace, reviewer: str) -> None:
    toggle = undo(read_log(workspace).events, reviewer)
    assert toggle is not None
    append_event(workspace, toggle.signed(reviewer, "2026-11-26T09:00:00+00:00"))


def labels_of(workspace: Workspace) -> dict[str, str | None]:
    return {qid: one.hierarchical_label for qid, one in read_decisions(workspace).items()}


def test_a_fresh_build_gets_the_same_history_byte_for_byte(
    clustered: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    apply_sheet(clustered, fill_in(clustered, {"Q10": MUSEUM}), "bob")
    act(clustered, Change(classes={"Q9": "x"}, effect="comment", note="see “Q5”\n"))
    take_back(clustered, "ann")
    assert export_file(clustered, tmp_path / "all.jsonl") == 4
    log = clustered.path(DECISIONS_FILE).read_bytes()
    assert (tmp_path / "all.jsonl").read_bytes() == log
    applied = apply_file(fresh, tmp_path / "all.jsonl", "cid")
    assert applied == Applied(appended=1, unchanged=0, undecided=3)
    assert fresh.path(DECISIONS_FILE).read_bytes() == log
    assert fresh.path(DECISIONS_COPY).read_bytes() == log
    assert check_decisions(fresh) == []
    # What was undone can be done again, by who undid it.
    assert redo(read_log(fresh).events, "ann") is not None
    assert apply_file(fresh, tmp_path / "all.jsonl", "cid").appended == 0
    assert fresh.path(DECISIONS_FILE).read_bytes() == log


def test_a_log_that_is_the_files_beginning_goes_on(
    clustered: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    export_file(clustered, tmp_path / "one.jsonl")
    apply_file(fresh, tmp_path / "one.jsonl", "cid")
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE, "Q9": IGNORE}), "bob")
    export_file(clustered, tmp_path / "two.jsonl")
    applied = apply_file(fresh, tmp_path / "two.jsonl", "cid")
    assert applied == Applied(appended=2, unchanged=0, undecided=2)
    assert read_log(fresh).events == read_log(clustered).events
    # An older copy brings nothing back.
    assert apply_file(fresh, tmp_path / "one.jsonl", "cid").appended == 0
    assert labels_of(fresh) == {"Q10": None, "Q9": None}


def test_logs_that_went_two_ways_are_merged_into_one_event(
    clustered: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE}), "ann")
    export_file(clustered, tmp_path / "one.jsonl")
    apply_file(fresh, tmp_path / "one.jsonl", "cid")
    # There: a class decided anew, one taken back, a remark, a doubt and a group.
    apply_sheet(fresh, fill_in(fresh, {"Q23397": LAKE, "Q9": {"action": "clear"}}), "dee")
    act(fresh, Change(classes={"Q10": "chapel"}, effect="comment", note="a word"))
    act(fresh, Change(classes={"Q10": "chapel"}, effect="doubt"))
    churches = {"Q16970": "church building", "Q10": "chapel"}
    act(fresh, Change(classes=churches, effect="group", group="churches"))
    export_file(fresh, tmp_path / "theirs.jsonl")
    # Here: another class, and one that both changed.
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH, "Q9": MUSEUM}), "bob")
    with pytest.raises(ConflictError) as caught:
        apply_file(clustered, tmp_path / "theirs.jsonl", "cid")
    (conflict,) = caught.value.conflicts
    assert conflict.startswith("Q9 '=HYPERLINK(1)'")
    for words in ("ignore", "clear", "'museum' human-made", "'bob'"):
        assert words in conflict
    choices = ApplyChoices(prefer="theirs")
    applied = apply_file(clustered, tmp_path / "theirs.jsonl", "cid", choices)
    assert applied == Applied(appended=1, unchanged=1, settled=1, undecided=0)
    assert labels_of(clustered) == {
        "Q10": "church",
        "Q9": "museum",
        "Q16970": "church",
        "Q23397": "ocean area ",
    }
    log = read_log(clustered)
    event = log.events[-1]
    assert (event.event, event.reviewer, event.why) == ("import", "cid", "theirs.jsonl")
    standing = log.standing()
    assert [word.change.note for word in standing.comments["Q10"]] == ["a word"]
    assert set(standing.doubts) == {"Q10"}
    assert standing.groups == dict.fromkeys(churches, "churches")
    assert sorted(change.effect for change in event.changes) == [
        *("assign", "comment", "doubt", "group")
    ]
    again = apply_file(clustered, tmp_path / "theirs.jsonl", "cid", choices)
    assert again.appended == 0
    assert len(read_log(clustered).events) == len(log.events)
    take_back(clustered, "cid")
    assert set(labels_of(clustered)) == {"Q10", "Q9", "Q16970"}
    assert read_log(clustered).standing().groups == {}


def test_events_that_were_tampered_with_or_cut_off_are_refused_with_their_line(
    clustered: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    apply_sheet(clustered, fill_in(clustered, {"Q9": CHURCH}), "ann")
    path = tmp_path / "all.jsonl"
    export_file(clustered, path)
    data = path.read_bytes()
    for damaged, line in ((data.replace(b"church", b"chapel", 1), 1), (data[:-20], 2)):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=f"line {line}"):
            apply_file(fresh, path, "cid")
    path.write_text('{"event": "nothing"}\n')
    with pytest.raises(InputError, match=r"line 1.*decided_at"):
        apply_file(fresh, path, "cid")
    path.write_text("{}\n")
    with pytest.raises(InputError, match="line 1"):
        apply_file(fresh, path, "cid")
    with pytest.raises(InputError, match=r"none\.jsonl"):
        apply_file(fresh, tmp_path / "none.jsonl", "cid")
    assert not fresh.path(DECISIONS_FILE).exists()


def test_an_empty_log_is_an_empty_file(clustered: Workspace, tmp_path: Path) -> None:
    assert export_file(clustered, tmp_path / "none.jsonl") == 0
    applied = apply_file(clustered, tmp_path / "none.jsonl", "ann")
    assert applied == Applied(appended=0, unchanged=0, undecided=4)


def test_a_file_of_another_kind_is_refused(clustered: Workspace, tmp_path: Path) -> None:
    for name in ("sheet.xlsx", "sheet"):
        with pytest.raises(InputError, match=r"\.csv.*\.jsonl"):
            export_file(clustered, tmp_path / name)
        with pytest.raises(InputError, match=r"\.csv.*\.jsonl"):
            apply_file(clustered, tmp_path / name, "ann")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".ttl"])
def test_an_export_of_any_kind_overwrites_nothing(
    clustered: Workspace, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text("my edits")
    with pytest.raises(InputError, match="mine"):
        export_file(clustered, path)
    assert path.read_text() == "my edits"


def event_line(**more: object) -> str:
    change = {"effect": "ignore", "classes": {"Q10": "chapel"}}
    event = {"event": "ignore", "decided_at": "2026-11-26T09:00:00+00:00", "reviewer": "eve"}
    return json.dumps({**event, "changes": [change], **more}) + "\n"


def on(classes: dict[str, str], **more: str) -> list[dict[str, object]]:
    return [{"effect": "ignore", "classes": classes, **more}]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"decided_at": "28.11.2026 18:00"}, "ISO"),
        ({"decided_at": "2026-11-28T18:00:00"}, "zone"),
        ({"reviewer": "e\x1b[31mve"}, "reviewer"),
        ({"why": "\x9b2J"}, "why"),
        ({"changes": on({"Q10": "chapel"}, note="\u202eb")}, "note"),
        ({"changes": on({"Q10": "cha\x1bpel"})}, "class_label"),
        ({"changes": on({"Q404": "\x07"})}, "class_label"),
        ({"changes": on({"Q" + "9" * 5000: "x"})}, "Q-id"),
        ({"changes": on({"../x": "x"})}, "Q-id"),
    ],
)
def test_a_line_that_no_log_takes_up_is_named_and_nothing_is_applied(
    fresh: Workspace, tmp_path: Path, line: dict[str, object], text: str
) -> None:
    path = tmp_path / "foreign.jsonl"
    path.write_text(event_line() + event_line(**line), encoding="utf-8")
    with pytest.raises(InputError, match=rf"line 2: .*{text}") as caught:
        apply_file(fresh, path, "cid")
    assert str(caught.value).isprintable()
    with pytest.raises(InputError, match="line 2"):
        preview_file(fresh, path)
    assert not fresh.path(DECISIONS_FILE).exists()


def test_a_class_that_the_build_calls_oddly_may_be_called_so(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "odd")
    write_proposals(workspace, [{"class_qid": "Q10", "class_label": "\u202echapel"}])
    path = tmp_path / "foreign.jsonl"
    path.write_text(event_line(changes=on({"Q10": "\u202echapel"})), encoding="utf-8")
    assert apply_file(workspace, path, "cid").appended == 1


def test_what_an_editor_does_to_a_file_of_events_is_forgiven(
    clustered: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE | {"note": "a\r\nb"}}), "ann")
    export_file(clustered, tmp_path / "all.jsonl")
    log = (tmp_path / "all.jsonl").read_bytes()
    (tmp_path / "windows.jsonl").write_bytes(b"\xef\xbb\xbf" + log.replace(b"\n", b"\r\n"))
    assert apply_file(fresh, tmp_path / "windows.jsonl", "cid").appended == 1
    assert fresh.path(DECISIONS_FILE).read_bytes() == log


def test_a_file_of_a_log_with_no_line_in_common_says_so_in_a_conflict(
    clustered: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    path = tmp_path / "foreign.jsonl"
    path.write_text(event_line(), encoding="utf-8")
    with pytest.raises(ConflictError) as caught:
        apply_file(clustered, path, "cid")
    (conflict,) = caught.value.conflicts
    assert conflict.startswith("Q10 'chapel'")
    assert "another log" in conflict
