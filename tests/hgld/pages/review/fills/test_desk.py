"""The view of guesses: what it shows, what is ruled on them, and what is shown then."""

from collections import Counter
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.fills.desk import FillsDesk, FillsPlace, FillsView, RulingRequest
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict
from hgld.review.log.decisions import append_event
from hgld.review.stage import run_decided
from hgld.tables import FILL_DECISIONS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, decided, done, open_page
from tests.hgld.review.log.acts import assigned, edited
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_fills, write_guesses

KIRCHE = FillsPlace("church", "kirche")
OF = {one.name: one.category for one in GUESSES}
FIELDS = {"name": "church", "category": GUESSES[0].category, "seen": "0"}


@pytest.fixture
def session(build: Workspace, opener: Opener) -> ReviewSession:
    write_guesses(build, pictures=3)
    return opener(build)


@pytest.fixture
def desk(session: ReviewSession) -> FillsDesk:
    return FillsDesk(session)


def ask(desk: FillsDesk, effect: str, *names: str, **more: object) -> FillsView | Conflict:
    """Rules on guesses, on the whole group where none is named, as they are shown now."""
    fields = {"place": KIRCHE, "seen": desk.look(KIRCHE).line, "who": "ann"} | more
    categories = frozenset(OF[name] for name in names)
    who = str(fields.pop("who"))
    return desk.decide(who, RulingRequest(effect=effect, categories=categories, **fields))  # type: ignore[arg-type]


def rule(desk: FillsDesk, effect: str, *names: str, **more: object) -> FillsView:
    """Does so where nobody else has ruled meanwhile."""
    view = ask(desk, effect, *names, **more)
    assert isinstance(view, FillsView)
    return view


def names(view: FillsView) -> list[str]:
    return [row.guess.name for row in view.groups[view.place.group]]


def counts(desk: FillsDesk) -> dict[str, Counter[str]]:
    return {one.hierarchical_label: Counter(one.counts) for one in desk.look(KIRCHE).names}


def test_super_categories_have_groups_and_a_group_its_guesses_the_surest_first(
    desk: FillsDesk, session: ReviewSession
) -> None:
    view = desk.look(FillsPlace())
    desk.wait()
    assert counts(desk) == {"church": Counter(open=12), "lake": Counter(open=3)}
    assert (view.place, view.guesses.unguessed) == (KIRCHE, 1)
    assert [(rows[0].guess.group.title, len(rows)) for rows in view.groups.values()] == [
        *(("Kirche …", 5), ("Église …", 3), ("… Church", 2), ("Others", 2))
    ]
    places = ("Gruben", "Au", "Binz (Zürich)", "Ems", "Rain")
    assert names(view) == [f"Kirche {place}" for place in places]
    first = view.groups["kirche"][0].guess
    assert first.url == "https://commons.wikimedia.org/wiki/Category:Kirche_Gruben"
    assert (first.confidence, len(first.landmarks)) == (0.97, 1)
    assert view.guesses.parents[first.category] == ["Churches", "Gruben"]
    (picture,) = view.guesses.pictures[first.category]
    assert (picture.author, picture.licence, picture.landmark.landmark_id) == ("Ann", "CC0", 5001)
    assert session.picture(picture.image_id) is not None
    assert len(view.guesses.pictures) == 3


def test_the_next_open_group_comes_by_itself_and_undo_goes_back(
    desk: FillsDesk, session: ReviewSession
) -> None:
    most = (name for name in OF if name.startswith("Kirche") and "Au" not in name)
    assert names(rule(desk, "fill", *most)) == ["Kirche Au"]
    assert rule(desk, "refuse").place == KIRCHE._replace(group="eglise")
    for group in ("eglise", "church"):
        rule(desk, "fill", place=KIRCHE._replace(group=group))
    last = rule(desk, "refuse", place=KIRCHE._replace(group="*"))
    assert last.place == FillsPlace("lake", "lac")
    assert desk.look(FillsPlace("lake", "*")).before == last.place
    assert desk.look_after(session.undo("ann"), last.place).place == KIRCHE._replace(group="*")
    redone = desk.look_after(session.redo("ann"), last.place)
    assert redone.place == FillsPlace("church", "*", "refused")
    for group in ("lac", "*"):
        rule(desk, "fill", place=FillsPlace("lake", group))
    finished = desk.look(FillsPlace())
    assert (finished.place, finished.groups) == (FillsPlace("church"), {})
    rule(desk, "fill", "Kirche Au", place=KIRCHE._replace(show="refused"))
    nothing = rule(desk, "fill", "Kirche Au").outcome
    assert (nothing and nothing.kind, session.line) == ("nothing", 10)
    with pytest.raises(RefusedError, match="reload"):
        rule(desk, "fill", "Lac Noir")


def test_a_new_run_of_fill_is_read_while_the_page_is_open(
    desk: FillsDesk, build: Workspace
) -> None:
    rule(desk, "fill", "Kirche Au")
    rule(desk, "refuse", "Kirche Ems")
    write_fills(build, [one._replace(label="tower") for one in GUESSES if one.label == "church"])
    # What was accepted stays; what is refused for one thing is a guess for another.
    assert counts(desk) == {"tower": Counter(open=11), "church": Counter(accepted=1, refused=1)}


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
    assert counts(desk)["castle / fort"] == Counter(open=7, accepted=5)


def test_who_was_slower_sees_both_and_chooses(desk: FillsDesk, session: ReviewSession) -> None:
    rule(desk, "refuse", "Kirche Au", "Kirche Ems", who="bob")
    rule(desk, "refuse", "Kirche Ems", seen=0)  # the same
    both = ("Kirche Au", "Kirche Rain")
    asked = ask(desk, "fill", *both, seen=0)
    assert isinstance(asked, Conflict)
    (row,) = asked.rows
    assert (row.class_label, row.before, row.theirs) == ("Kirche Au", "open", "not church")
    assert (row.mine, row.their_reviewer, asked.rest) == ("church", "bob", 1)
    assert session.line == 1
    rule(desk, "fill", *both, seen=0, keeps_theirs=True)
    assert counts(desk)["church"] == Counter(open=9, accepted=1, refused=2)
    rule(desk, "fill", *both, seen=asked.line)  # hers, as she was told
    assert counts(desk)["church"] == Counter(open=9, accepted=2, refused=1)
    session.undo("bob")
    assert isinstance(ask(desk, "refuse", "Kirche Ems", seen=3), Conflict)  # it is open again


def test_a_conflict_is_answered_by_what_its_question_sends(served: Served) -> None:
    served.post("/fills/refuse", FIELDS)
    statuses = [
        served.post("/fills/accept", FIELDS | answer).status
        for answer in ({}, {"seen": "0"}, {"keep": "theirs"})
    ]
    assert (statuses, served.session.line) == ([409, 409, 200], 1)
    served.post("/fills/accept", FIELDS | {"seen": "1"})
    assert [served.post(f"/fills/{name}").status for name in ("undo", "redo")] == [200, 200]
    events = [event.event for event in served.session.events]
    assert events == ["refuse", "fill", "undo", "redo"]


def test_a_whole_group_is_more_than_what_is_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    write_guesses(
        build, [WorldGuess(f"Turm {one:03}", "tower", "human-made", 0.9) for one in range(200)]
    )
    served = open_page(opener(build), tmp_path)
    page = served.get("/fills").text
    assert ("140 more" in page, page.count('type="checkbox"')) == (True, 60)
    whole = {"name": "tower", "group": "turm"}
    assert "200 guesses" in served.post("/fills/accept", whole).text


def test_a_build_that_is_read_only_damaged_or_without_guesses_is_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    assert "labels/fills" in open_page(opener(build), tmp_path).get("/fills").text
    write_guesses(build, GUESSES[-1:])  # of which nothing is guessed
    assert "No guesses" in open_page(opener(build), tmp_path).get("/fills").text
    write_guesses(build)
    for path in build.path("scrape/parents").glob("*.parquet"):
        path.write_bytes(b"no parquet")
    html = open_page(opener(build, read_only=True), tmp_path).get("/fills").text
    assert "Kirche Gruben" in html
    assert "Churches" not in html
    assert "checkbox" not in html
