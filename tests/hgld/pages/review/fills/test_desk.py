"""The view of guesses: what it shows, what is said of them, and what is shown then."""

from hgld.engine.workspace import Workspace
from hgld.pages.review.fills.asking import FillsPlace, GuessDeed, GuessRequest
from hgld.pages.review.fills.desk import FillsDesk, GuessAnswer
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import ConflictRow
from hgld.review.log.decisions import append_event
from hgld.review.stage import run_decided
from hgld.tables import DECIDED, FILL_DECISIONS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done, look, state
from tests.hgld.review.log.acts import assigned, edited
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_fills, write_guesses

KIRCHE = FillsPlace(name="church", group="kirche")
OF = {one.name: one.category for one in GUESSES}


def asks(
    desk: FillsDesk,
    deed: GuessDeed,
    *names: str,
    who: str = "ann",
    seen: int = -1,
    prefer: str = "",
) -> GuessAnswer | list[ConflictRow]:
    """Says something of guesses of a group, of all where none is named, as what is shown now."""
    request = GuessRequest(
        deed=deed,
        place=KIRCHE,
        categories=tuple(OF[name] for name in names),
        is_all=not names,
        seen=seen if seen >= 0 else desk.look(KIRCHE).line,
        prefer=prefer,
    )
    return desk.decide(who, request)


def told(answer: GuessAnswer | list[ConflictRow]) -> str:
    """Returns what is said where no conflict is met."""
    assert isinstance(answer, GuessAnswer)
    return answer.said.text


def counts(desk: FillsDesk) -> dict[str, tuple[int, int, int]]:
    names = desk.look(FillsPlace()).names
    return {one.hierarchical_label: (one.open, one.accepted, one.refused) for one in names}


def test_super_categories_have_groups_and_a_group_its_guesses_the_surest_first(
    desk: FillsDesk, session: ReviewSession
) -> None:
    view = desk.look(FillsPlace())
    assert counts(desk) == {"church": (12, 0, 0), "lake": (3, 0, 0)}
    assert view.unguessed == 1
    assert [(one.title, one.guesses) for one in view.groups] == [
        *(("Kirche …", 5), ("Église …", 3), ("… Church", 2), ("Others", 2))
    ]
    assert view.group == view.groups[0]
    names = [f"Kirche {one}" for one in ("Gruben", "Au", "Binz (Zürich)", "Ems", "Rain")]
    assert [row.name for row in view.rows] == names
    least = desk.look(FillsPlace(group="kirche", order="least"))
    assert [one.title for one in least.groups] == ["… Church", "Église …", "Kirche …", "Others"]
    assert [row.name for row in least.rows] == names[::-1]
    first, *_, last = view.rows
    assert first.url == "https://commons.wikimedia.org/wiki/Category:Kirche_Gruben"
    assert (first.confidence, first.landmarks, first.state) == (0.97, 1, "open")
    assert first.parents == ("Churches", "Gruben")
    (picture,) = first.thumbnails
    assert (picture.author, picture.licence, picture.landmark.landmark_id) == ("Ann", "CC0", 5001)
    assert session.browsing.picture(picture.image_id) is not None
    assert last.thumbnails == ()


def test_all_of_a_group_is_more_than_what_is_shown_but_for_what_was_unticked(
    build: Workspace, opener: Opener
) -> None:
    many = [WorldGuess(f"Turm {one:03}", "tower", "human-made", 0.9) for one in range(200)]
    write_guesses(build, many)
    desk = FillsDesk(opener(build))
    view = desk.look(FillsPlace())
    assert (len(view.rows), view.rest) == (60, 140)
    request = GuessRequest(
        deed="accept",
        place=FillsPlace(name="tower", group="turm"),
        is_all=True,
        excepted=frozenset({many[3].category}),
    )
    answer = desk.decide("ann", request)
    assert isinstance(answer, GuessAnswer)
    assert [row.name for row in desk.look(answer.place).rows] == ["Turm 003"]


def test_a_new_run_of_fill_is_read_while_the_page_is_open(
    desk: FillsDesk, session: ReviewSession
) -> None:
    asks(desk, "accept", "Kirche Au")
    asks(desk, "refuse", "Kirche Ems")
    write_fills(
        session.workspace, [one._replace(label="tower") for one in GUESSES if one.label == "church"]
    )
    # What was accepted stays; what is refused for one thing is a guess for another.
    assert counts(desk) == {"tower": (11, 0, 0), "church": (0, 1, 1)}


def test_guesses_are_no_decisions_on_classes_and_follow_their_super_category(
    desk: FillsDesk, session: ReviewSession
) -> None:
    done(session, "ann", "ignore", "Q9259")
    before, bench = state(session), look(session, "ann")
    asks(desk, "accept")
    assert state(session) == before
    after = look(session, "ann")
    assert (after.names, after.suggestions) == (bench.names, bench.suggestions)
    assert (after.progress.decided, after.progress.classes) == (1, 16)
    run_decided(session.workspace)
    assert session.workspace.read(DECIDED)["class_qid"].to_pylist() == ["Q9259"]
    rows = session.workspace.read(FILL_DECISIONS).to_pylist()
    assert {row["category"] for row in rows} == {OF[name] for name in OF if "Kirche" in name}
    append_event(session.workspace, edited(assigned("Q9259", label="church"), who="bob"))
    renaming = assigned("Q9259", label="castle / fort", renamed_from="church")
    append_event(session.workspace, edited(renaming, who="bob", event="rename"))
    assert counts(desk) == {"castle / fort": (7, 5, 0), "lake": (3, 0, 0)}


def test_who_was_slower_sees_both_and_chooses(desk: FillsDesk, session: ReviewSession) -> None:
    asks(desk, "refuse", "Kirche Au", "Kirche Ems", who="bob")
    told(asks(desk, "refuse", "Kirche Ems", seen=0))  # the same
    names = ("Kirche Au", "Kirche Rain")
    rows = asks(desk, "accept", *names, seen=0)
    assert isinstance(rows, list)
    assert [(row.class_label, row.before, row.mine, row.their_reviewer) for row in rows] == [
        ("Kirche Au", "open", "church", "bob")
    ]
    assert session.line == 1
    assert "Kirche Rain" in told(asks(desk, "accept", *names, seen=0, prefer="theirs"))
    assert "Kirche Au" in told(asks(desk, "accept", *names, seen=0, prefer="mine"))
    assert counts(desk)["church"] == (9, 2, 1)
    session.undo("bob")
    assert isinstance(asks(desk, "refuse", "Kirche Ems", seen=3), list)
    asks(desk, "refuse", "Kirche Ems")  # the last word counts
    assert counts(desk)["church"] == (9, 2, 1)
