"""What active edits add up to: decisions, names, groups, remarks, and what stands of guesses."""

from dataclasses import replace

import pytest

from hgld.review.log.events import Change, Event
from hgld.review.log.history import Standing, category_rulings, standing_of
from tests.hgld.review.log import acts
from tests.hgld.review.log.acts import CATEGORIES, assigned, edited, guessed, numbered, said

ONE = CATEGORIES[0]


def standing(*changes: Change) -> Standing:
    """Returns what changes come to, each of an event of its own."""
    return standing_of(numbered(*map(edited, changes)))


def test_the_last_that_was_decided_of_a_class_is_in_force() -> None:
    ignored = replace(said("Q1", effect="ignore", note="why"), classes={"Q1": "now"})
    cleared = edited(said("Q2", effect="clear"), said("Q9", effect="clear"))
    events = numbered(edited(assigned("Q1", "Q2", "Q3")), edited(ignored, who="bob"), cleared)
    found = standing_of(events).decisions()
    assert list(found) == ["Q1", "Q3"]
    assert found["Q1"] == replace(acts.ignored("Q1", "bob"), class_label="now", note="why")
    assert found["Q3"].content == ("assign", "church", "human-made", "")
    assert found["Q3"].class_label == "label of Q3"
    assert [*standing_of(events, 1).decisions()] == ["Q1", "Q2", "Q3"]
    assert standing_of(events).rulings["Q2"].event.number == 3


def test_a_super_category_is_spelt_and_has_its_side_as_it_was_said_last() -> None:
    found = standing(assigned("Q1"), assigned("Q2", label=" Church", side="natural")).decisions()
    assert {one.content for one in found.values()} == {("assign", " Church", "natural", "")}


def renamed(old: str, new: str) -> Change:
    return assigned("Q1", label=new, renamed_from=old)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([], {"Church": "Church"}),
        ([assigned("Q1")], {"Church": "church", "lake": "lake"}),
        ([renamed("a", "b"), renamed("B ", "c"), assigned("Q2", label="C")], {"A": "C", "b": "C"}),
        ([renamed("a", "b"), renamed("b", "a")], {"a": "a", "b": "a"}),
        ([renamed("a", "b"), assigned("Q2", label="A")], {"a": "A", "b": "b"}),
        ([renamed("a", "A")], {"a": "A"}),
        ([said("Q1", effect="ignore"), guessed(ONE, label="lake")], {"Lake": "Lake"}),
    ],
)
def test_a_name_is_what_it_was_renamed_to_unless_it_was_given_again(
    changes: list[Change], names: dict[str, str]
) -> None:
    found = standing(*changes)
    assert {name: found.current_name(name) for name in names} == names


def test_marks_decide_nothing_and_stand_until_they_are_taken_off() -> None:
    found = standing(
        said("Q1", "Q2", effect="group", group="g"),
        said("Q1", effect="group", group="h"),
        said("Q2", "Q3", effect="group"),
        said("Q1", "Q2", effect="doubt"),
        said("Q2", "Q3", effect="trust"),
        said("Q1", effect="comment", note="one"),
        said("Q1", "Q2", effect="comment", note="two"),
    )
    assert not {**found.rulings, **found.names}
    assert found.groups == {"Q1": "h"}
    assert {qid: word.event.number for qid, word in found.doubts.items()} == {"Q1": 4}
    remarks = {qid: [word.change.note for word in of] for qid, of in found.comments.items()}
    assert remarks == {"Q1": ["one", "two"], "Q2": ["two"]}


def no(label: str) -> Change:
    return guessed(ONE, label=label, is_refused=True)


@pytest.mark.parametrize(
    ("changes", "rulings"),
    [
        ([guessed(CATEGORIES[1])], []),
        ([guessed(ONE), guessed(ONE, label="lake")], ["accept lake natural 2"]),
        ([guessed(ONE), no(" Church")], ["refuse  Church natural 2"]),
        ([no("church"), guessed(ONE)], ["accept church human-made 2"]),
        (
            [no("lake"), no("a"), guessed(ONE), no("Lake")],
            ["accept church human-made 3", "refuse a natural 2", "refuse Lake natural 4"],
        ),
        ([guessed(ONE), renamed("Church", "abbey")], ["accept abbey natural 1"]),
        ([renamed("church", "abbey"), no("abbey"), guessed(ONE)], ["accept abbey natural 3"]),
    ],
)
def test_the_last_ruling_on_each_guess_counts_and_one_is_accepted(
    changes: list[Change], rulings: list[str]
) -> None:
    found = category_rulings(standing(*changes), ONE)
    assert {one.category for one in found} <= {ONE}
    told = [(one.action, one.hierarchical_label, one.natural_or_human_made) for one in found]
    numbers = [str(one.word.event.number) for one in found]
    assert [" ".join((*of, n)) for of, n in zip(told, numbers, strict=True)] == rulings


def opinion(qid: str, label: str | None, who: str) -> Event:
    change = assigned(qid, label=label) if label else said(qid, effect="ignore")
    return edited(replace(change, effect="opinion"), who=who, event="opinion")


def test_a_second_opinion_decides_nothing_and_the_last_of_a_reviewer_counts() -> None:
    bobs = (opinion("Q1", "lake", "bob"), opinion("Q1", None, "bob"))
    unsure = edited(said("Q2", effect="unsure"), who="bob", event="opinion")
    sample = Change(classes={"Q1": "x"}, effect="sample", of_reviewer="ann")
    drawn = edited(sample, event="sample")
    events = numbered(edited(assigned("Q1")), drawn, *bobs, opinion("Q1", "fort", "zoë"), unsure)
    standing = standing_of(events)
    assert [(qid, one.reviewer) for qid, one in standing.decisions().items()] == [("Q1", "ann")]
    assert list(standing.names) == ["church"]
    assert [word.change for word in standing.samples] == [sample]
    answers = {
        who: {qid: (word.change.effect, word.change.hierarchical_label) for qid, word in of.items()}
        for who, of in standing.opinions.items()
    }
    assert answers == {
        "bob": {"Q1": ("opinion", None), "Q2": ("unsure", None)},
        "zoë": {"Q1": ("opinion", "fort")},
    }
    assert (dict(standing.groups), dict(standing.comments), standing.doubts) == ({}, {}, {})
