"""What the edits that count come to."""

from dataclasses import replace

from hgld.review.log.events import Change, Event
from hgld.review.log.history import Standing, category_rulings, name_now, standing_of
from hgld.review.log.undoing import redo, undo
from tests.hgld.review.log import acts
from tests.hgld.review.log.acts import assigned, edited, guessed, ignored, numbered, said


def test_an_empty_log_says_nothing() -> None:
    assert standing_of([]) == Standing()
    assert Standing().decisions() == {}
    assert Standing().decision("Q1") is None
    assert Standing().current_name("Tower") == "Tower"


def test_the_last_edit_on_a_class_is_in_force_with_who_made_it_and_its_label_then() -> None:
    events = numbered(
        edited(assigned("Q1", "Q2"), who="ann"),
        edited(Change(classes={"Q1": "as it is called now"}, effect="ignore", note="n"), who="bob"),
    )
    found = standing_of(events).decisions()
    bobs = replace(ignored("Q1", "bob"), class_label="as it is called now", note="n")
    assert found["Q1"] == bobs
    assert (found["Q2"].reviewer, found["Q2"].hierarchical_label) == ("ann", "church")
    assert standing_of(events, 1).decisions()["Q1"].action == "assign"
    assert standing_of(events, 0).decisions() == {}


def opinion(qid: str, label: str | None, who: str) -> Event:
    change = assigned(qid, label=label) if label else said(qid, effect="ignore")
    return edited(replace(change, effect="opinion"), who=who, event="opinion")


def test_a_second_opinion_decides_nothing_and_the_last_of_a_reviewer_counts() -> None:
    bobs = (opinion("Q1", "lake", "bob"), opinion("Q1", None, "bob"))
    unsure = edited(said("Q2", effect="unsure"), who="bob", event="opinion")
    events = numbered(edited(assigned("Q1")), *bobs, opinion("Q1", "fort", "zoë"), unsure)
    standing = standing_of(events)
    assert list(standing.decisions()) == ["Q1"]
    assert standing.decisions()["Q1"].reviewer == "ann"
    assert list(standing.names) == ["church"]
    answers = {
        who: {qid: (word.change.effect, word.change.hierarchical_label) for qid, word in of.items()}
        for who, of in standing.opinions.items()
    }
    assert answers == {
        "bob": {"Q1": ("opinion", None), "Q2": ("unsure", None)},
        "zoë": {"Q1": ("opinion", "fort")},
    }
    assert (dict(standing.groups), dict(standing.comments), standing.doubts) == ({}, {}, {})


def test_a_sample_and_opinions_are_undone_and_done_again_like_any_edit() -> None:
    drawn = Change(classes={"Q1": "x"}, effect="sample", of_reviewer="ann", note="5")
    events = numbered(
        edited(drawn, said("Q1", effect="known"), who="bob", event="sample"),
        opinion("Q1", "lake", "bob"),
    )
    assert [word.change for word in standing_of(events).samples] == [drawn]
    for line, way in enumerate((undo, undo, redo, redo), start=3):
        toggle = way(events, "bob")
        assert toggle
        events.append(acts.switched(toggle, "bob", line))
    assert dict(standing_of(events, 3).opinions) == {}
    assert [len(standing_of(events, line).samples) for line in (3, 4, 5, 6)] == [1, 0, 1, 1]
    assert standing_of(events) == standing_of(events, 2)


ONE, TWO, THREE, *_ = acts.CATEGORIES


def refused(*categories: str, label: str = "church") -> Change:
    return guessed(*categories, label=label, is_refused=True)


def after(*changes: Change) -> Standing:
    return standing_of(numbered(*(edited(change, event="fill") for change in changes)))


def told(standing: Standing, category: str = ONE) -> list[tuple[str, str]]:
    return [(one.action, one.hierarchical_label) for one in category_rulings(standing, category)]


def test_a_renamed_super_category_has_its_new_name_where_it_was_accepted_or_refused() -> None:
    standing = after(
        assigned("Q1", label="church"),
        guessed(ONE),
        refused(TWO),
        guessed(THREE, label="lake"),
        assigned("Q1", label="castle / fort", renamed_from="church"),
        refused(THREE, label="castle / fort"),
    )
    assert told(standing) == [("accept", "castle / fort")]
    assert told(standing, TWO) == [("refuse", "castle / fort")]
    # Two names that are one now: the last word counts.
    both = after(
        *(refused(ONE, label="a"), guessed(ONE, label="b")),
        *(assigned("Q1", label="a"), assigned("Q1", label="b", renamed_from="a")),
    )
    assert told(both) == [("accept", "b")]
    assert name_now(both, "A", "natural") == ("b", "natural")
    assert name_now(both, "c", "human-made") == ("c", "human-made")
