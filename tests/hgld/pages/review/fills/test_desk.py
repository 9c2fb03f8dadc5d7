"""The view of guesses: what it shows, what is said of them, and what is shown then."""

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.review.fills.asking import FillsPlace, GuessDeed, GuessRequest
from hgld.pages.review.fills.desk import FillsDesk, GuessAnswer
from hgld.pages.review.fills.views import FillsView
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import ConflictRow
from hgld.review.log.decisions import append_event, read_log
from hgld.review.stage import run_decided
from hgld.tables import DECIDED, FILL_DECISIONS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done, look, state
from tests.hgld.review.log.acts import assigned, edited
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_fills, write_guesses

KIRCHE = FillsPlace(name="church", group="kirche")
OF = {one.name: one.category for one in GUESSES}


def said(
    desk: FillsDesk,
    deed: GuessDeed,
    *names: str,
    place: FillsPlace = KIRCHE,
    who: str = "ann",
    seen: int | None = None,
    prefer: str = "",
) -> GuessAnswer:
    request = GuessRequest(
        deed=deed,
        place=place,
        categories=tuple(OF[name] for name in names),
        is_all=not names,
        seen=desk.look(place).line if seen is None else seen,
        prefer=prefer,
    )
    answer = desk.decide(who, request)
    assert isinstance(answer, GuessAnswer)
    return answer


def shown(view: FillsView) -> list[str]:
    return [row.name for row in view.rows]


def counts(desk: FillsDesk) -> dict[str, tuple[int, int, int]]:
    names = desk.look(FillsPlace()).names
    return {one.hierarchical_label: (one.open, one.accepted, one.refused) for one in names}


def test_super_categories_have_groups_and_a_group_its_guesses_the_surest_first(
    desk: FillsDesk,
) -> None:
    view = desk.look(FillsPlace())
    assert counts(desk) == {"church": (12, 0, 0), "lake": (3, 0, 0)}
    assert view.name is not None
    assert (view.name.hierarchical_label, view.unguessed, view.problem) == ("church", 1, "")
    assert [(one.title, one.guesses) for one in view.groups] == [
        *(("Kirche …", 5), ("Église …", 3), ("… Church", 2), ("Others", 2))
    ]
    assert (view.group, view.place) == (view.groups[0], 1)
    assert shown(view) == [
        f"Kirche {one}" for one in ("Gruben", "Au", "Binz (Zürich)", "Ems", "Rain")
    ]
    least = desk.look(FillsPlace(order="least"))
    assert [one.title for one in least.groups] == ["… Church", "Église …", "Kirche …", "Others"]
    assert shown(desk.look(FillsPlace(group="kirche", order="least"))) == shown(view)[::-1]


def test_a_guess_has_its_name_parents_evidence_and_a_picture_with_its_author(
    desk: FillsDesk, session: ReviewSession
) -> None:
    first, *_, last = desk.look(KIRCHE).rows
    assert first.url == "https://commons.wikimedia.org/wiki/Category:Kirche_Gruben"
    assert (first.confidence, first.landmarks, first.state) == (0.97, 1, "open")
    assert first.parents == ("Churches", "Gruben")
    assert first.evidence == "the name is like those of church"
    (picture,) = first.thumbnails
    assert (picture.author, picture.licence, picture.landmark.landmark_id) == ("Ann", "CC0", 5001)
    assert session.browsing.picture(picture.image_id) is not None
    assert session.browsing.picture("f" * 16) is None
    assert last.thumbnails == ()


def test_a_group_is_accepted_at_one_stroke_and_the_next_one_comes(desk: FillsDesk) -> None:
    answer = said(desk, "accept")
    assert "5 guesses (5 landmarks)" in answer.said.text
    view = desk.look(answer.place, answer.said)
    assert (view.line, view.group and view.group.key) == (1, "eglise")
    assert counts(desk) == {"church": (7, 5, 0), "lake": (3, 0, 0)}
    accepted = desk.look(FillsPlace(name="church", show="accepted"))
    assert [row.reviewer for row in accepted.rows] == ["ann"] * 5
    assert {row.state for row in accepted.rows} == {"accepted"}


def test_what_was_unticked_stays_to_be_refused_and_then_the_next_super_category_comes(
    desk: FillsDesk,
) -> None:
    lakes = FillsPlace(name="lake", group="lac")
    said(desk, "accept", "Lac Noir", place=lakes)
    answer = said(desk, "refuse", "Lac Vert", place=lakes)
    assert "Lac Vert" in answer.said.text
    assert (answer.place.name, answer.place.group) == ("lake", "")
    answer = said(desk, "refuse", "Bachalpsee", place=answer.place)
    assert (answer.place.name, answer.place.show) == ("church", "open")
    assert counts(desk)["lake"] == (0, 1, 2)


def test_one_undo_takes_a_group_back_and_shows_it_again(
    desk: FillsDesk, session: ReviewSession
) -> None:
    there = said(desk, "refuse").place
    answer = desk.undo("ann", there)
    assert answer.said.kind == "done"
    assert (answer.place.name, answer.place.group, answer.place.show) == (
        "church",
        "kirche",
        "open",
    )
    assert counts(desk)["church"] == (12, 0, 0)
    again = desk.redo("ann", there)
    assert again.place.show == "refused"
    assert counts(desk)["church"] == (7, 0, 5)
    nothing = desk.undo("bob", there)
    assert (nothing.said.kind, nothing.place) == ("nothing", there)
    assert [event.event for event in session.events] == ["refuse", "undo", "redo"]


def test_what_is_so_already_is_not_said_again_and_the_last_word_counts(desk: FillsDesk) -> None:
    said(desk, "accept", "Kirche Au")
    accepted = FillsPlace(name="church", group="kirche", show="accepted")
    assert said(desk, "accept", "Kirche Au", place=accepted).said.kind == "nothing"
    said(desk, "refuse", "Kirche Au", place=accepted)
    assert counts(desk)["church"] == (11, 0, 1)
    said(
        desk, "accept", "Kirche Au", place=FillsPlace(name="church", group="kirche", show="refused")
    )
    assert counts(desk)["church"] == (11, 1, 0)


def test_all_of_a_group_is_more_than_what_is_shown_but_for_what_was_unticked(
    build: Workspace, opener: Opener
) -> None:
    many = [WorldGuess(f"Turm {one:03}", "tower", "human-made", 0.9) for one in range(200)]
    write_guesses(build, many)
    desk = FillsDesk(opener(build))
    view = desk.look(FillsPlace())
    assert (len(view.rows), view.rest) == (60, 140)
    more = desk.look(FillsPlace(rows=150))
    assert (len(more.rows), more.rest, more.rows[:60]) == (150, 50, view.rows)
    request = GuessRequest(
        deed="accept",
        place=FillsPlace(name="tower", group="turm"),
        is_all=True,
        excepted=frozenset({many[3].category}),
    )
    answer = desk.decide("ann", request)
    assert isinstance(answer, GuessAnswer)
    assert "199 guesses" in answer.said.text
    assert shown(desk.look(answer.place)) == ["Turm 003"]


def test_a_new_run_of_fill_is_read_while_the_page_is_open(
    desk: FillsDesk, session: ReviewSession
) -> None:
    said(desk, "accept", "Kirche Au")
    said(desk, "refuse", "Kirche Ems")
    write_fills(
        session.workspace, [one._replace(label="tower") for one in GUESSES if one.label == "church"]
    )
    # What was accepted stays; what is refused for one thing is a guess for another.
    assert counts(desk) == {"tower": (11, 0, 0), "church": (0, 1, 1)}


def test_guesses_are_no_decisions_on_classes(desk: FillsDesk, session: ReviewSession) -> None:
    done(session, "ann", "ignore", "Q9259")
    before, bench = state(session), look(session, "ann")
    said(desk, "accept")
    assert state(session) == before
    after = look(session, "ann")
    assert (after.names, after.suggestions) == (bench.names, bench.suggestions)
    assert (after.progress.decided, after.progress.classes) == (1, 16)
    run_decided(session.workspace)
    assert session.workspace.read(DECIDED)["class_qid"].to_pylist() == ["Q9259"]
    rows = session.workspace.read(FILL_DECISIONS).to_pylist()
    assert {row["category"] for row in rows} == {OF[name] for name in OF if "Kirche" in name}
    row = session.look_back.history("ann").rows[0]
    assert row.class_count == 5
    assert row.classes[0] == (OF["Kirche Gruben"], "Kirche Gruben")


def test_a_renamed_super_category_renames_its_guesses(
    desk: FillsDesk, session: ReviewSession
) -> None:
    said(desk, "accept")
    append_event(session.workspace, edited(assigned("Q9259", label="church"), who="bob"))
    renaming = assigned("Q9259", label="castle / fort", renamed_from="church")
    append_event(session.workspace, edited(renaming, who="bob", event="rename"))
    assert counts(desk) == {"castle / fort": (7, 5, 0), "lake": (3, 0, 0)}


def conflict(desk: FillsDesk, deed: GuessDeed, *names: str, seen: int) -> list[ConflictRow]:
    """Returns what ann is asked about first."""
    categories = tuple(OF[name] for name in names)
    request = GuessRequest(deed=deed, place=KIRCHE, categories=categories, seen=seen)
    found = desk.decide("ann", request)
    assert isinstance(found, list)
    return found


def test_who_was_slower_sees_both_and_chooses(desk: FillsDesk, session: ReviewSession) -> None:
    said(desk, "refuse", "Kirche Au", "Kirche Ems", who="bob")
    names = ("Kirche Au", "Kirche Rain")
    (row,) = conflict(desk, "accept", *names, seen=0)
    assert (row.class_label, row.before, row.mine) == ("Kirche Au", "open", "church")
    assert (row.their_reviewer, session.line) == ("bob", 1)
    assert "Kirche Rain" in said(desk, "accept", *names, seen=0, prefer="theirs").said.text
    assert "Kirche Au" in said(desk, "accept", *names, seen=0, prefer="mine").said.text
    assert counts(desk)["church"] == (9, 2, 1)
    assert session.line == 3


def test_only_what_another_changed_unseen_is_a_conflict(
    desk: FillsDesk, session: ReviewSession
) -> None:
    said(desk, "accept", "Kirche Au", who="bob")
    assert said(desk, "accept", "Kirche Au", seen=0).said.kind == "nothing"  # the same
    session.undo("bob")
    (row,) = conflict(desk, "refuse", "Kirche Au", seen=1)
    assert (row.before, row.theirs, row.their_number) == ("church", "open", 2)
    assert said(desk, "refuse", "Kirche Au", seen=2).said.kind == "done"
    # Another window of the same name is another.
    assert said(desk, "accept", "Kirche Ems", seen=0).said.kind == "done"
    (row,) = conflict(desk, "refuse", "Kirche Ems", seen=0)
    assert row.their_reviewer.startswith("ann ")


def test_a_build_without_guesses_says_how_to_make_them(build: Workspace, opener: Opener) -> None:
    view = FillsDesk(opener(build)).look(FillsPlace())
    assert (view.name, view.groups, view.rows, view.rest) == (None, (), (), 0)
    assert "labels/fills" in view.problem


def test_a_build_that_is_only_shown_is_written_to_by_nobody(
    build: Workspace, opener: Opener
) -> None:
    write_guesses(build)
    desk = FillsDesk(opener(build, read_only=True))
    assert len(desk.look(FillsPlace()).rows) == 5
    with pytest.raises(InputError, match="read-only"):
        said(desk, "accept")
    assert read_log(build).events == ()
