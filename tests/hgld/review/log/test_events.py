"""Events as lines: every kind reads back as it was, and what is none is named."""

import dataclasses
import json
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.log.chain import sealed
from hgld.review.log.decisions import (
    DECISIONS_FILE,
    append_decisions,
    append_event,
    parse_event,
    read_log,
)
from hgld.review.log.events import (
    EDITS,
    SWITCHES,
    Change,
    Edit,
    Event,
    Switch,
    as_json,
    event_content,
    event_of,
    label_key,
)
from hgld.review.log.history import Decision
from hgld.review.log.texts import (
    check_text,
    check_typed,
    check_zoned,
    harmless,
    harmless_json,
    reviewer_name,
)
from tests.hgld.review.log.acts import (
    CATEGORIES,
    WHEN,
    assigned,
    edited,
    guessed,
    ignored,
    labelled,
    said,
)

CHANGES = [
    assigned("Q1", "Q2", label="castle / fort"),
    assigned("Q1", label="fort", renamed_from="castle / fort", note="one\ntwo"),
    said("Q1", effect="ignore", note="no picture"),
    said("Q1", effect="clear"),
    said("Q1", "Q2", effect="group", group="towers “ü”"),
    said("Q1", effect="group"),
    said("Q1", effect="comment", note="née ünïcode 塔 \u2028\t"),
    said("Q1", effect="doubt"),
    said("Q1", effect="trust"),
    Change(classes={"Q1": ""}, effect="ignore", hierarchical_label="", natural_or_human_made=""),
]
BLIND = [
    Change(classes=labelled("Q2", "Q1"), effect="sample", of_reviewer="zoë", note="seed"),
    said("Q1", effect="known"),
    Change(
        classes=labelled("Q1"),
        effect="opinion",
        hierarchical_label="lake",
        natural_or_human_made="natural",
    ),
    said("Q1", effect="opinion"),
    said("Q1", effect="unsure"),
]
GUESSES = [
    guessed(*CATEGORIES, label="castle / fort"),
    guessed(CATEGORIES[4], label="ocean area ", is_refused=True),
]


def line_of(event: Event) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(as_json(event))
    return values


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_of_any_kind_reads_back_as_it_was(workspace: Workspace, kind: Edit) -> None:
    event = edited(*CHANGES, *BLIND, *GUESSES, event=kind, why="“why” ü", seen=7)
    append_event(workspace, event)
    assert read_log(workspace).events == (event.numbered(1),)
    assert event_of(json.loads(as_json(event.numbered(4))), "x") == event.numbered(4)


@pytest.mark.parametrize("kind", SWITCHES)
def test_a_switch_of_any_kind_reads_back_as_it_was(workspace: Workspace, kind: Switch) -> None:
    append_event(workspace, edited(CHANGES[0]))
    event = Event(event=kind, decided_at=WHEN, reviewer="zoë", off=(1, 3), on=(2,), of=1, seen=1)
    append_event(workspace, event)
    assert read_log(workspace).events[1] == event.numbered(2)


def test_a_line_says_who_when_why_and_of_which_classes(workspace: Workspace) -> None:
    append_event(workspace, edited(CHANGES[1], CHANGES[4], event="rename", why="one name", seen=3))
    (line,) = workspace.path(DECISIONS_FILE).read_text(encoding="utf-8").splitlines()
    values = json.loads(line)
    assert values.pop("chain") in line
    assert values == {
        "number": 1,
        "event": "rename",
        "decided_at": WHEN,
        "reviewer": "ann",
        "why": "one name",
        "seen": 3,
        "changes": [
            {
                "effect": "assign",
                "hierarchical_label": "fort",
                "natural_or_human_made": "natural",
                "renamed_from": "castle / fort",
                "note": "one\ntwo",
                "classes": {"Q1": "label of Q1"},
            },
            {"effect": "group", "group": "towers “ü”", "classes": labelled("Q1", "Q2")},
        ],
    }
    assert "“ü”" in line  # as a person reads it


def test_a_sample_keeps_its_order_whose_decisions_it_is_of_and_its_seed(
    workspace: Workspace,
) -> None:
    append_event(workspace, edited(BLIND[0], event="sample"))
    (event,) = read_log(workspace).events
    (change,) = event.changes
    assert list(change.classes) == ["Q2", "Q1"]
    assert (change.of_reviewer, change.note) == ("zoë", "seed")
    assert "of_reviewer" not in as_json(edited(*CHANGES))  # lines of others stay as they were


def test_what_is_said_of_categories_is_about_no_class(workspace: Workspace) -> None:
    append_event(workspace, event := edited(*GUESSES, event="fill"))
    assert (event.classes, event.categories) == ({}, tuple(CATEGORIES))
    assert not any(one.decides or one.is_blind for one in GUESSES)
    assert GUESSES[1].content == ("refuse", "ocean area ", "natural", "")
    values = line_of(read_log(workspace).events[0])
    assert values["changes"][1] == {
        "effect": "refuse",
        "hierarchical_label": "ocean area ",
        "natural_or_human_made": "natural",
        "categories": [CATEGORIES[4]],
    }
    assert "categories" not in as_json(
        edited(*CHANGES, *BLIND)
    )  # lines of others stay as they were


def test_an_event_knows_its_classes_and_a_change_what_it_says() -> None:
    event = edited(said("Q1", effect="doubt"), said("Q2", "Q1", effect="clear"))
    assert list(event.classes) == ["Q1", "Q2"]
    assert [one.decides for one in CHANGES] == [True, True, True, True, *[False] * 5, True]
    assert CHANGES[0].content == ("assign", "castle / fort", "human-made", "")
    assert CHANGES[2].content == ("ignore", None, None, "no picture")
    assert not any(one.decides for one in BLIND)
    assert [one.is_blind for one in (*CHANGES, *BLIND)] == [False] * 10 + [True] * 5
    assert BLIND[2].content == ("opinion", "lake", "natural", "")
    # Into one group is not into another, nor back.
    assert len({one.content for one in CHANGES[4:6]} | {("group", "other", None, "")}) == 3
    assert Change(classes={"Q1": "x"}, effect="ignore", group="g").content[1] is None


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"classes": {}}, "class"),
        ({"classes": ["Q1"]}, "classes"),
        ({"classes": {"Q1": None}}, "class_label"),
        ({"classes": {5: "x"}}, "class_qid"),
        ({"classes": {"Q1": "\ud800"}}, "class_label"),
        ({"classes": {"Q\udcff": "x"}}, "class_qid"),
        ({"effect": "praise"}, "effect.*praise"),
        ({"effect": ["assign"]}, "effect"),
        ({"effect": "assign"}, "hierarchical_label"),
        ({"effect": "assign", "hierarchical_label": " "}, "hierarchical_label"),
        ({"effect": "assign", "hierarchical_label": "x"}, "natural_or_human_made"),
        (
            {"effect": "assign", "hierarchical_label": "x", "natural_or_human_made": "made"},
            "'made'",
        ),
        ({"effect": "opinion", "hierarchical_label": "x"}, "natural_or_human_made"),
        ({"effect": "opinion", "natural_or_human_made": "natural"}, "hierarchical_label"),
        ({"effect": "sample"}, "sample"),
        ({"of_reviewer": 5}, "of_reviewer"),
        ({"effect": "comment"}, "comment"),
        ({"effect": "comment", "note": " \n"}, "comment"),
        ({"effect": "group", "group": " "}, "group"),
        ({"effect": "group", "group": 5}, "group"),
        ({"note": None}, "note"),
        ({"note": "\ud800"}, "note"),
        ({"renamed_from": "\ud800"}, "renamed_from"),
        ({"hierarchical_label": 7}, "hierarchical_label"),
        ({"categories": ("c",)}, "categories"),
        ({"effect": "fill", "categories": ("c",)}, "categories"),
        ({"effect": "refuse", "classes": {}}, "category"),
        ({"effect": "fill", "classes": {}, "categories": "c"}, "'c'"),
        ({"effect": "fill", "classes": {}, "categories": (5,)}, "category"),
        ({"effect": "fill", "classes": {}, "categories": ("c",)}, "hierarchical_label"),
        (
            {"effect": "refuse", "classes": {}, "categories": ("c",), "hierarchical_label": "x"},
            "natural_or_human_made",
        ),
    ],
)
def test_a_change_that_says_nothing_clear_is_refused(values: dict[str, Any], name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        Change(**({"classes": {"Q1": "x"}, "effect": "ignore"} | values))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"event": "praise"}, "event"),
        ({"reviewer": " "}, "reviewer"),
        ({"reviewer": 5}, "reviewer"),
        ({"reviewer": "j\udcffrg"}, "reviewer"),
        ({"why": None}, "why"),
        ({"decided_at": "\ud800"}, "decided_at"),
        ({"seen": "4"}, "seen"),
        ({"number": -1}, "number"),
        ({"of": True, "event": "undo"}, "of"),
        ({"changes": ()}, "assign"),
        ({"off": (1,)}, "assign"),
        ({"event": "undo"}, "undo"),
        ({"event": "undo", "of": 1}, "undo"),
        ({"event": "jump", "changes": ()}, "jump"),
        ({"event": "jump", "changes": (), "off": 3}, "off"),
        ({"event": "jump", "changes": (), "on": ("3",)}, "on"),
        ({"event": "jump", "changes": (), "off": (1, 4), "on": (4,)}, "4"),
    ],
)
def test_an_event_that_is_none_is_refused(values: dict[str, Any], name: str) -> None:
    whole = {"event": "assign", "decided_at": WHEN, "reviewer": "ann", "changes": (CHANGES[0],)}
    with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
        Event(**(whole | values))


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ({"event": "praise"}, "event"),
        ({"event": ["assign"]}, "event"),
        ({"mood": "good"}, "mood"),
        ({"decided_at": ...}, "decided_at"),
        ({"reviewer": None}, "reviewer"),
        ({"changes": 5}, "changes"),
        ({"changes": [5]}, "change"),
        ({"changes": ...}, "assign"),
        ({"changes": [{"effect": "ignore"}]}, "classes"),
        ({"changes": [{"classes": {"Q1": "x"}}]}, "effect"),
        ({"changes": [{"classes": {"Q1": "x"}, "effect": "praise"}]}, "effect"),
        ({"changes": [{"classes": {"Q1": "x"}, "effect": "clear", "mood": 1}]}, "mood"),
        ({"off": {"1": 2}}, "assign"),
    ],
)
def test_a_line_of_a_later_version_is_named_and_nothing_is_read_past_it(
    workspace: Workspace, damage: dict[str, Any], name: str
) -> None:
    content = event_content(edited(CHANGES[0])) | damage
    later = {key: value for key, value in content.items() if value is not ...}
    path = workspace.path(DECISIONS_FILE)
    path.parent.mkdir(parents=True)
    path.write_bytes(data := sealed(b"", [event_content(edited(CHANGES[2])), later]))
    for read in (read_log, lambda workspace: append_decisions(workspace, [ignored("Q5")])):
        with pytest.raises(InputError, match=rf"{path} line 2: .*\b{name}\b"):
            read(workspace)
    assert path.read_bytes() == data


def test_a_line_with_a_broken_switch_is_named() -> None:
    values = {"event": "undo", "decided_at": WHEN, "reviewer": "ann", "off": [1, "2"], "number": 3}
    with pytest.raises(InputError, match=r"line 3: off"):
        event_of(values, "line 3")


def test_a_decision_of_an_earlier_version_is_read_as_an_edit(workspace: Workspace) -> None:
    append_decisions(workspace, [ignored("Q5", "bob")])
    (event,) = read_log(workspace).events
    assert event == edited(said("Q5", effect="ignore"), who="bob", event="decision", number=1)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ({"action": "praise"}, "praise"),
        ({"class_qid": 5}, "class_qid"),
        ({"class_label": "\ud800"}, "class_label"),
        ({"action": "assign"}, "hierarchical_label"),
        ({"mood": 1}, "mood"),
    ],
)
@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_decision_that_is_none_is_named_and_not_taken_for_another(
    damage: dict[str, Any], name: str, is_sealed: bool
) -> None:
    values = dataclasses.asdict(ignored("Q5")) | damage | ({"chain": "00"} if is_sealed else {})
    with pytest.raises(InputError, match=f"the line: .*{name}"):
        parse_event(json.dumps(values).encode(), 1, "the line")


def test_a_decision_without_a_name_has_an_unknown_reviewer() -> None:
    values = dataclasses.asdict(ignored("Q5")) | {"reviewer": " "}
    assert parse_event(json.dumps(values).encode(), 1, "x").reviewer == "unknown"


@pytest.mark.parametrize("text", [b'{"event": "ass', b"[" * 100_000, b"\xff\xfe"])
def test_a_line_that_is_no_json_is_named(text: bytes) -> None:
    with pytest.raises(InputError, match="the line"):
        parse_event(text, 1, "the line")


def test_what_cannot_be_read_back_is_not_written(workspace: Workspace) -> None:
    append_event(workspace, edited(CHANGES[0]))
    before = workspace.path(DECISIONS_FILE).read_bytes()
    odd: Any = dataclasses.asdict(ignored("Q5")) | {
        "action": "praise",
        "hierarchical_label": "x",
        "natural_or_human_made": "natural",
    }
    with pytest.raises(InputError, match="line 3: "):
        append_decisions(workspace, [ignored("Q6"), Decision(**odd)])
    assert workspace.path(DECISIONS_FILE).read_bytes() == before


def test_keys_of_labels_forgive_case_and_spaces() -> None:
    assert label_key(" Castle /  FORT\t") == label_key("castle / fort") == "castle / fort"
    assert label_key("Straße") == label_key("STRASSE")
    check_text("x", None)
    with pytest.raises(TypeError, match="x"):
        check_text("x", 5)


CONTROLS = ["\0", "\x1b[2J", "\x7f", "\x9b", "\u202e"]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize(
    "name", ["note", "hierarchical_label", "group", "renamed_from", "of_reviewer"]
)
def test_control_characters_come_into_no_log_and_do_not_close_one_that_has_them(
    workspace: Workspace, control: str, name: str
) -> None:
    odd: dict[str, Any] = {name: f"a{control}b"}
    change = Change(classes={"Q1": control}, effect="ignore", **odd)
    with pytest.raises(ValueError, match=name):
        edited(change)
    edited(change, number=1)  # is written already
    path = workspace.path(DECISIONS_FILE)
    path.parent.mkdir(parents=True)
    path.write_bytes(sealed(b"", [event_content(edited(change, number=1))]))
    assert read_log(workspace).events == (edited(change, number=1),)
    edited(said("Q1", effect="ignore"))
    edited(Change(classes={"Q1": control}, effect="ignore"))  # a class is called as it is


@pytest.mark.parametrize("name", ["reviewer", "why", "decided_at"])
def test_an_event_has_no_control_characters_either(name: str) -> None:
    values: dict[str, Any] = {"event": "ignore", "decided_at": WHEN, "reviewer": "ann"}
    values |= {"changes": (CHANGES[3],), name: "a\x1bb"}
    with pytest.raises(ValueError, match=name):
        Event(**values)


def test_what_has_control_characters_is_printed_with_escapes() -> None:
    assert harmless("a\x1b]0;b\x07\u202e\x9b\r\nc\tné\u2028") == (
        "a\\x1b]0;b\\x07\\u202e\\x9b\\r\\nc\\tné\\u2028"
    )
    text = json.dumps({"a": "\x7f\u202e\x1b\né"}, ensure_ascii=False)
    assert json.loads(harmless_json(text)) == {"a": "\x7f\u202e\x1b\né"}
    assert "\u202e" not in harmless_json(text)
    check_typed("note", "tab\tand\r\nlines")
    check_typed("note", None)


@pytest.mark.parametrize("at", ["28.11.2026 18:00", "now", "", "2026", "2026-13-01T00:00:00Z"])
def test_a_log_with_a_time_that_is_none_is_named_with_its_line(
    workspace: Workspace, at: str
) -> None:
    path = workspace.path(DECISIONS_FILE)
    path.parent.mkdir(parents=True)
    wrong = event_content(edited(CHANGES[0])) | {"decided_at": at}
    path.write_bytes(sealed(b"", [event_content(edited(CHANGES[0])), wrong]))
    for call in (read_log, lambda workspace: append_event(workspace, edited(CHANGES[0]))):
        with pytest.raises(InputError, match=r"line 2.*decided_at"):
            call(workspace)


def test_a_time_without_its_zone_is_one_of_utc(workspace: Workspace) -> None:
    for at in ("2026-11-26T09:00:00", "2026-11-26 09:00"):
        append_event(workspace, dataclasses.replace(edited(CHANGES[0]), decided_at=at))
    assert {event.decided_at for event in read_log(workspace).events} == {WHEN}
    with pytest.raises(ValueError, match="2026-11-26"):
        check_zoned("2026-11-26")
    check_zoned("2026-11-26T09:00:00Z")


@pytest.mark.parametrize(
    ("name", "word"), [(" ", "name"), ("x" * 81, "80"), ("a\x1bb", r"U\+001B"), ("\u200d", "name")]
)
def test_a_reviewer_has_a_name_that_the_page_would_take(name: str, word: str) -> None:
    assert reviewer_name("  Ann \t B\u00a0 ") == "Ann B"
    with pytest.raises(ValueError, match=word):
        reviewer_name(name)
