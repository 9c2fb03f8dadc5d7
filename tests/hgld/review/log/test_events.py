"""What an event may say, and the line that it becomes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.log import events
from hgld.review.log.decisions import DECISIONS_FILE, append_event, read_log
from hgld.review.log.events import EDITS, SWITCHES, Change, Event, event_content, label_key
from tests.hgld.review.log.acts import (
    CATEGORIES,
    WHEN,
    assigned,
    edited,
    guessed,
    labelled,
    said,
    sealed,
)

CHANGES = [
    assigned("Q1", "Q2", label="castle / fort"),
    replace(assigned("Q1", label="fort", renamed_from="castle / fort"), note="one\ntwo"),
    Change(classes={"Q1": "\x1b\u202e"}, effect="ignore", note="tab\tand\r\nlines"),
    said("Q1", "Q2", effect="clear"),
    said("Q1", "Q2", effect="group", group="towers “ü”"),
    said("Q1", effect="group"),
    said("Q1", effect="comment", note="is it?\n“ü”"),
    said("Q1", effect="doubt", note="why"),
    said("Q1", effect="trust"),
    replace(said("Q1", effect="ignore"), hierarchical_label="left over"),
]
BLIND = [
    Change(classes=labelled("Q2", "Q1"), effect="sample", of_reviewer="zoë", note="seed"),
    replace(assigned("Q1", label="lake"), effect="opinion"),
    said("Q1", effect="opinion"),
    said("Q1", effect="unsure"),
]
GUESSES = [
    guessed(*CATEGORIES, label="castle / fort"),
    guessed(CATEGORIES[4], label="ocean area ", is_refused=True),
]


@pytest.mark.parametrize("kind", [*EDITS, *SWITCHES])
def test_an_event_reads_back(workspace: Workspace, kind: events.Edit | events.Switch) -> None:
    event = replace(edited(*CHANGES, *BLIND, *GUESSES), why="“why” ü", seen=7)
    if kind in SWITCHES:
        event = replace(event, event=kind, changes=(), off=(1, 3), on=(2,), of=1)
    else:
        event = replace(event, event=kind)
    append_event(workspace, event)
    assert read_log(workspace).events == (event.numbered(1),)


def test_a_line_says_who_when_why_and_of_which_classes_or_categories(workspace: Workspace) -> None:
    edit = edited(CHANGES[1], CHANGES[4], BLIND[0], GUESSES[1], event="rename")
    append_event(workspace, replace(edit, why="one name", seen=3))
    text = workspace.path(DECISIONS_FILE).read_text(encoding="utf-8")
    assert "“ü”" in text  # as a person reads it
    line = json.loads(text)
    assert len(line.pop("chain")) == 64
    side, fort = {"natural_or_human_made": "natural"}, {"hierarchical_label": "fort"}
    renamed = {"renamed_from": "castle / fort", "note": "one\ntwo"}
    sample = {"effect": "sample", "note": "seed", "of_reviewer": "zoë"}
    refused = {"hierarchical_label": "ocean area ", "categories": [CATEGORIES[4]]}
    assert line.pop("changes") == [
        {"effect": "assign", "classes": labelled("Q1")} | fort | side | renamed,
        {"effect": "group", "group": "towers “ü”", "classes": labelled("Q1", "Q2")},
        sample | {"classes": labelled("Q2", "Q1")},
        {"effect": "refuse"} | refused | side,
    ]
    said_by = {"event": "rename", "decided_at": WHEN, "reviewer": "ann"}
    assert line == {"number": 1, **said_by, "why": "one name", "seen": 3}
    change = read_log(workspace).events[0].changes[2]
    assert list(change.classes) == ["Q2", "Q1"]  # the order in which they are asked


def test_an_event_knows_its_classes_and_a_change_what_it_says() -> None:
    event = edited(said("Q1", effect="doubt"), said("Q2", "Q1", effect="clear"), *GUESSES)
    assert list(event.classes) == ["Q1", "Q2"]
    assert event.categories == tuple(CATEGORIES)
    assert [one.decides for one in CHANGES] == [True, True, True, True, *[False] * 5, True]
    assert not any(one.decides for one in (*BLIND, *GUESSES))
    assert CHANGES[0].content == ("assign", "castle / fort", "human-made", "")
    assert CHANGES[2].content == ("ignore", None, None, "tab\tand\r\nlines")
    assert BLIND[1].content == ("opinion", "lake", "natural", "")
    assert GUESSES[1].content == ("refuse", "ocean area ", "natural", "")
    # Into one group is not into another, nor back.
    assert len({one.content for one in CHANGES[4:6]} | {("group", "other", None, "")}) == 3
    assert Change(classes={"Q1": "x"}, effect="ignore", group="g").content[1] is None


TEXTS = ("note", "renamed_from", "of_reviewer", "group", "hierarchical_label")
LABEL, SIDE = "hierarchical_label", "natural_or_human_made"
NAMED = {LABEL: "x"}
GUESS = {"classes": {}, "categories": ("c",)}


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"classes": {}}, "class"),
        ({"classes": {"Q1": "\ud800"}}, "ud800"),
        ({"effect": "praise"}, "effect.*praise"),
        *(({"effect": "assign", LABEL: name}, LABEL) for name in (None, " ")),
        (NAMED | {"effect": "assign"}, "natural_or_human_made"),
        (NAMED | {"effect": "assign", "natural_or_human_made": "made"}, "'made'"),
        (NAMED | {"effect": "opinion"}, "natural_or_human_made"),
        ({"effect": "opinion", SIDE: "natural"}, LABEL),
        ({"effect": "sample"}, "of_reviewer"),
        *(({"effect": "comment", "note": note}, "note") for note in ("", " \n")),
        ({"effect": "group", "group": " "}, "group"),
        ({"note": 5}, "note"),
        ({"note": "\ud800"}, "note"),
        *(({name: f"a{odd}"}, name) for name in TEXTS for odd in "\0\x1b\x7f\x9b\u202e"),
        ({"categories": ("c",)}, "categor"),
        ({"effect": "fill", "categories": ("c",)}, "class"),
        ({"effect": "refuse", "classes": {}}, "category"),
        (GUESS | {"effect": "fill", "categories": ("\x1b",)}, "category"),
        (GUESS | {"effect": "fill"}, "hierarchical_label"),
        (GUESS | {"effect": "refuse"} | NAMED, "natural_or_human_made"),
    ],
)
def test_a_change_that_says_nothing_clear_is_refused(values: dict[str, Any], name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        Change(**({"classes": {"Q1": "x"}, "effect": "ignore"} | values))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"event": "praise"}, "event"),
        *(({"reviewer": name}, "reviewer") for name in (" ", "j\udcffrg", "a\x1bb")),
        ({"why": "\x9b"}, "why"),
        *(
            ({"decided_at": at}, "decided_at")
            for at in ("28.11.2026 18:00", "now", "", "2026-11-26", "2026-11-26T09:00:00", "\x1b")
        ),
        ({"changes": ()}, "assign"),
        ({"off": (1,)}, "assign"),
        ({"of": 1}, "assign"),
        ({"event": "undo"}, "undo"),
        ({"event": "undo", "off": (1,)}, "undo"),
        ({"event": "undo", "of": 1, "changes": ()}, "undo"),
        ({"event": "jump", "changes": ()}, "jump"),
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
        ({"mood": "good"}, "mood"),
        ({"reviewer": ...}, "reviewer"),
        ({"changes": 5}, "int"),
        ({"changes": ...}, "assign"),
        ({"changes": [{"classes": {"Q1": "x"}, "effect": "clear", "mood": 1}]}, "mood"),
        ({"changes": [{"classes": {"Q1": "x"}, "effect": "ignore", "note": "\x1b"}]}, "note"),
    ],
)
def test_a_later_version_is_named(workspace: Workspace, damage: dict[str, Any], name: str) -> None:
    content = event_content(edited(CHANGES[0])) | damage
    later = {key: value for key, value in content.items() if value is not ...}
    path = workspace.path(DECISIONS_FILE)
    path.parent.mkdir(parents=True)
    path.write_bytes(data := sealed([event_content(edited(CHANGES[2])), later]))
    for read in (read_log, lambda workspace: append_event(workspace, edited(CHANGES[0]))):
        with pytest.raises(InputError, match=rf"{path} line 2: .*{name}"):
            read(workspace)
    assert path.read_bytes() == data


def test_keys_of_labels_forgive_case_and_spaces() -> None:
    assert label_key(" Castle /  FORT\t") == label_key("castle / fort") == "castle / fort"
    assert label_key("Straße") == label_key("STRASSE")


def test_what_has_control_characters_is_printed_with_escapes() -> None:
    escaped = "a\\x1b]0;b\\x07\\u202e\\x9b\\r\\nc\\tné\\u2028"
    assert events.harmless("a\x1b]0;b\x07\u202e\x9b\r\nc\tné\u2028") == escaped


@pytest.mark.parametrize(
    ("name", "word"),
    [(" ", "name"), ("x" * 81, "80"), ("a\x1bb", r"U\+001B"), ("\u200d", "name"), ("\ud800", "U")],
)
def test_a_reviewer_has_a_name_that_the_page_would_take(name: str, word: str) -> None:
    assert events.reviewer_name("  Ann \t B\u00a0 ") == "Ann B"
    assert events.reviewer_name("x" * 80) == "x" * 80
    with pytest.raises(ValueError, match=word):
        events.reviewer_name(name)
