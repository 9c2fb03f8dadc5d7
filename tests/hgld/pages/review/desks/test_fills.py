"""The view of guesses: what it shows, what is ruled on them, and what is shown then."""

import html
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.desks.guesses import groups_of, read_guesses
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import append_event
from hgld.review.stage import run_decided
from hgld.tables import FILL_DECISIONS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, decided, done, open_page
from tests.hgld.review.log.acts import assigned, edited
from tests.worlds.pages.asgi import Reply
from tests.worlds.review.guesses import GUESSES, WorldGuess, write_fills, write_guesses

KIRCHE = "Kirche …"
OF = {one.name: one.category for one in GUESSES}


@pytest.fixture
def session(build: Workspace, opener: Opener) -> ReviewSession:
    write_guesses(build, pictures=3)
    return opener(build)


def rule(served: Served, action: str, *names: str, group: str = KIRCHE, **more: str) -> Reply:
    """Rules on guesses, on all open ones of the group where none is named, as of now."""
    fields = {"name": "church", "group": group, "seen": str(served.session.line), **more}
    return served.post(f"/fills/{action}", {**fields, "category": [OF[name] for name in names]})


def shown(answer: Reply) -> tuple[str, list[str]]:
    """Returns the group that is shown, and the names of its guesses."""
    page = html.unescape(answer.text)
    (title,) = re.findall(r'id="h-group"[^>]*>([^<]+)<', page)
    return title, re.findall(r"<b>([^<]+)</b></a>", page)


def states(session: ReviewSession) -> dict[str, Counter[str]]:
    """Returns how many guesses of each super-category are in which state."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    guesses = read_guesses(session.workspace).rows
    with session.reading() as board:
        for group in groups_of(guesses, board.standing):
            found[group.hierarchical_label].update(row.action or "open" for row in group.rows)
    return found


def test_super_categories_have_groups_and_a_group_its_guesses_the_surest_first(
    served: Served, build: Workspace
) -> None:
    guesses = read_guesses(build)
    with served.session.reading() as board:
        groups = groups_of(guesses.rows, board.standing)
    assert [(one.hierarchical_label, one.title, one.open) for one in groups] == [
        *(("church", KIRCHE, 5), ("church", "Église …", 3), ("church", "… Church", 2)),
        *(("church", "Others", 2), ("lake", "Lac …", 2), ("lake", "Others", 1)),
    ]
    answer = served.get("/fills")
    places = ("Gruben", "Au", "Binz (Zürich)", "Ems", "Rain")
    assert shown(answer) == (KIRCHE, [f"Kirche {place}" for place in places])
    first = groups[0].rows[0].guess
    assert first.url == "https://commons.wikimedia.org/wiki/Category:Kirche_Gruben"
    assert (first.confidence, len(first.landmarks)) == (0.97, 1)
    for word in ("in Churches, Gruben", "97%", "1 landmark has no guess", "Ann, CC0"):
        assert word in answer.text
    pictures = re.findall(r'src="(/picture/\w+)"', answer.text)
    assert [served.get(one).status for one in pictures] == [200] * 3


def test_the_next_open_group_comes_by_itself_and_undo_goes_back(served: Served) -> None:
    most = [name for name in OF if name.startswith("Kirche") and "Au" not in name]
    assert shown(rule(served, "accept", *most)) == (KIRCHE, ["Kirche Au", *most])
    assert shown(rule(served, "refuse"))[0] == "Église …"
    assert shown(rule(served, "accept", group="Église …"))[0] == "… Church"
    assert shown(rule(served, "accept", group="… Church"))[0] == "Others"
    last = rule(served, "refuse", group="Others")
    assert shown(last) == ("Lac …", ["Lac Noir", "Lac Vert"])
    assert shown(served.post("/fills/undo", {"name": "lake"}))[0] == "Others"
    assert shown(served.post("/fills/redo", {"name": "lake"}))[0] == "Others"
    for group in ("Lac …", "Others"):
        rule(served, "accept", group=group, name="lake")
    finished = served.get("/fills")
    assert (shown(finished)[0], "all 0" in finished.text) == (KIRCHE, True)
    assert shown(rule(served, "accept", "Kirche Au"))[0] == KIRCHE  # after all
    line = served.session.line
    assert "Nothing to do" in rule(served, "accept", "Kirche Au").text
    assert rule(served, "accept", "Lac Noir").status == 422  # is no church
    assert served.session.line == line


def test_a_new_run_of_fill_is_read_while_the_page_is_open(served: Served, build: Workspace) -> None:
    rule(served, "refuse", "Kirche Ems")
    towers = [one._replace(label="tower") for one in GUESSES if one.label == "church"]
    write_fills(build, towers)
    # What is refused for one thing is a guess for another.
    assert states(served.session) == {"tower": Counter(open=12)}
    assert "tower" in served.get("/fills").text
    assert rule(served, "accept").status == 422


def test_guesses_are_no_decisions_on_classes_and_follow_their_super_category(
    served: Served, build: Workspace
) -> None:
    before = decided(served.session)
    done(served.session, "ann", "ignore", "Q301")
    rule(served, "accept")
    assert decided(served.session) == before | {"Q301": "ignored"}
    run_decided(build)
    rows = build.read(FILL_DECISIONS).to_pylist()
    assert {row["category"] for row in rows} == {OF[name] for name in OF if "Kirche" in name}
    append_event(build, edited(assigned("Q301", label="church"), who="bob"))
    renaming = assigned("Q301", label="castle / fort", renamed_from="church")
    append_event(build, edited(renaming, who="bob", event="rename"))
    assert states(served.session)["castle / fort"] == Counter(open=7, accept=5)


def test_who_was_slower_sees_both_and_chooses(served: Served) -> None:
    served.cookies["reviewer"] = "bob"
    rule(served, "refuse", "Kirche Au", "Kirche Ems")
    served.cookies["reviewer"] = "ann"
    same = rule(served, "refuse", "Kirche Ems", seen="0")
    assert "Nothing to do" in same.text
    both = ("Kirche Au", "Kirche Rain")
    asked = rule(served, "accept", *both, seen="0")
    assert asked.status == 409
    for word in ("Kirche Au", "not church", "bob", "do the other 1"):
        assert word in asked.text
    assert "Kirche Rain" not in asked.text
    line = served.session.line
    rule(served, "accept", *both, seen="0", keep="theirs")
    assert states(served.session)["church"] == Counter(open=9, accept=1, refuse=2)
    rule(served, "accept", *both, seen=str(line))  # hers, as she was told
    assert states(served.session)["church"] == Counter(open=9, accept=2, refuse=1)


def test_a_whole_group_is_more_than_what_is_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    guesses = [WorldGuess(f"Turm {one:03}", "tower", "human-made", 0.9) for one in range(200)]
    write_guesses(build, guesses)
    served = open_page(opener(build), tmp_path)
    page = served.get("/fills").text
    assert ("140 more" in page, page.count('type="checkbox"')) == (True, 60)
    assert "200 guesses" in rule(served, "accept", group="Turm …", name="tower").text


def test_a_build_that_is_read_only_damaged_or_without_guesses_is_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    assert "labels/fills" in open_page(opener(build), tmp_path).get("/fills").text
    write_guesses(build, GUESSES[-1:])  # of which nothing is guessed
    assert "No guesses" in open_page(opener(build), tmp_path).get("/fills").text
    write_guesses(build)
    for path in build.path("scrape/parents").glob("*.parquet"):
        path.write_bytes(b"no parquet")
    page = open_page(opener(build, read_only=True), tmp_path).get("/fills").text
    assert "Kirche Gruben" in page
    assert "Churches" not in page
    assert "checkbox" not in page
