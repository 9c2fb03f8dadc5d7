"""The view of guesses: what it shows, what is ruled on them, and what is shown then."""

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.fills.desk import FillsDesk, FillsPlace, FillsView, RulingRequest
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict
from hgld.review.log.decisions import append_event
from hgld.review.stage import run_decided
from hgld.tables import FILL_DECISIONS
from tests.hgld.pages.review.served import decided, done
from tests.hgld.review.log.acts import assigned, edited
from tests.worlds.review.guesses import GUESSES, write_fills

KIRCHE = FillsPlace("church", "kirche")
OF = {one.name: one.category for one in GUESSES}


def rule(
    desk: FillsDesk, effect: str, *names: str, who: str = "ann", **more: object
) -> FillsView | Conflict:
    """Rules on guesses, on the whole group where none is named, as they are shown now."""
    fields = {"place": KIRCHE, "seen": desk.look(KIRCHE).line} | more
    categories = frozenset(OF[name] for name in names)
    return desk.decide(who, RulingRequest(effect=effect, categories=categories, **fields))  # type: ignore[arg-type]


def said(view: FillsView | Conflict) -> str:
    assert isinstance(view, FillsView)
    assert view.outcome is not None
    return view.outcome.text


def names(view: FillsView) -> list[str]:
    return [row.guess.name for row in view.groups.get(view.place.group, ())]


def counts(desk: FillsDesk) -> dict[str, tuple[int, int, int]]:
    """Returns how many guesses of each super-category are open, accepted and refused."""
    return {
        one.hierarchical_label: (one.counts["open"], one.counts["accepted"], one.counts["refused"])
        for one in desk.look(FillsPlace()).names
    }


def test_super_categories_have_groups_and_a_group_its_guesses_the_surest_first(
    desk: FillsDesk, session: ReviewSession
) -> None:
    view = desk.look(FillsPlace())
    assert counts(desk) == {"church": (12, 0, 0), "lake": (3, 0, 0)}
    assert (view.place, view.guesses.unguessed) == (KIRCHE, 1)
    assert [(rows[0].guess.group.title, len(rows)) for rows in view.groups.values()] == [
        *(("Kirche …", 5), ("Église …", 3), ("… Church", 2), ("Others", 2))
    ]
    assert names(view) == [
        f"Kirche {one}" for one in ("Gruben", "Au", "Binz (Zürich)", "Ems", "Rain")
    ]
    first = view.groups["kirche"][0].guess
    assert first.url == "https://commons.wikimedia.org/wiki/Category:Kirche_Gruben"
    assert (first.confidence, len(first.landmarks)) == (0.97, 1)
    assert view.guesses.parents[first.category] == ["Churches", "Gruben"]
    (picture,) = view.guesses.pictures[first.category]
    assert (picture.author, picture.licence, picture.landmark.landmark_id) == ("Ann", "CC0", 5001)
    assert session.picture(picture.image_id) is not None
    assert len(view.guesses.pictures) == 3


def test_the_next_open_group_comes_by_itself_and_undo_goes_back_to_where_it_was(
    desk: FillsDesk, session: ReviewSession
) -> None:
    assert desk.look(FillsPlace("lake")).before == FillsPlace("church")
    left = rule(
        desk, "fill", *(name for name in OF if name.startswith("Kirche") and "Au" not in name)
    )
    assert isinstance(left, FillsView)
    assert "4 guesses" in said(left)
    assert names(left) == ["Kirche Au"]
    after = rule(desk, "refuse")
    assert isinstance(after, FillsView)
    assert after.place == KIRCHE._replace(group="eglise")
    for group in ("eglise", "church"):
        rule(desk, "fill", place=KIRCHE._replace(group=group))
    last = rule(desk, "refuse", place=KIRCHE._replace(group="*"))
    assert isinstance(last, FillsView)
    assert last.place == FillsPlace("lake", "lac")
    assert last.after.name == "lake"
    assert counts(desk)["church"] == (0, 9, 3)
    assert desk.look_after(session.undo("ann"), last.place).place == KIRCHE._replace(group="*")
    assert desk.look_after(session.redo("ann"), last.place).place == FillsPlace(
        "church", "*", "refused"
    )
    assert [event.event for event in session.events[-3:]] == ["refuse", "undo", "redo"]
    rule(desk, "fill", place=last.place)
    rule(desk, "fill", place=FillsPlace("lake", "*"))
    finished = desk.look(FillsPlace())
    assert (finished.place, finished.groups) == (FillsPlace("church"), {})
    again = rule(desk, "fill", "Kirche Au", place=KIRCHE._replace(show="refused"))
    assert "1 guess" in said(again)
    assert "Nothing" in said(rule(desk, "fill", "Kirche Au"))
    with pytest.raises(RefusedError, match="reload"):
        rule(desk, "fill", "Lac Noir")


def test_a_new_run_of_fill_is_read_while_the_page_is_open(
    desk: FillsDesk, session: ReviewSession
) -> None:
    rule(desk, "fill", "Kirche Au")
    rule(desk, "refuse", "Kirche Ems")
    write_fills(
        session.workspace, [one._replace(label="tower") for one in GUESSES if one.label == "church"]
    )
    # What was accepted stays; what is refused for one thing is a guess for another.
    assert counts(desk) == {"tower": (11, 0, 0), "church": (0, 1, 1)}


def test_guesses_are_no_decisions_on_classes_and_follow_their_super_category(
    desk: FillsDesk, session: ReviewSession, build: Workspace
) -> None:
    done(session, "ann", "ignore", "Q9259")
    rule(desk, "fill")
    assert decided(session) == {"Q9259": "ignored"}
    run_decided(build)
    rows = build.read(FILL_DECISIONS).to_pylist()
    assert {row["category"] for row in rows} == {OF[name] for name in OF if "Kirche" in name}
    append_event(build, edited(assigned("Q9259", label="church"), who="bob"))
    renaming = assigned("Q9259", label="castle / fort", renamed_from="church")
    append_event(build, edited(renaming, who="bob", event="rename"))
    assert counts(desk) == {"castle / fort": (7, 5, 0), "lake": (3, 0, 0)}


def test_who_was_slower_sees_both_and_chooses(desk: FillsDesk, session: ReviewSession) -> None:
    rule(desk, "refuse", "Kirche Au", "Kirche Ems", who="bob")
    assert "Nothing" in said(rule(desk, "refuse", "Kirche Ems", seen=0))  # the same
    both = ("Kirche Au", "Kirche Rain")
    conflict = rule(desk, "fill", *both, seen=0)
    assert isinstance(conflict, Conflict)
    assert [
        (row.class_label, row.before, row.mine, row.their_reviewer) for row in conflict.rows
    ] == [("Kirche Au", "open", "church", "bob")]
    assert (conflict.line, conflict.rest, session.line) == (1, 1, 1)
    assert "1 guess " in said(rule(desk, "fill", *both, seen=0, keeps_theirs=True))
    assert counts(desk)["church"] == (9, 1, 2)
    assert "1 guess " in said(rule(desk, "fill", *both, seen=conflict.line))  # mine, as told
    assert counts(desk)["church"] == (9, 2, 1)
    session.undo("bob")
    assert isinstance(rule(desk, "refuse", "Kirche Ems", seen=3), Conflict)  # it is open again
    assert isinstance(rule(desk, "refuse", "Kirche Ems"), FillsView)
