"""The addresses of the guesses."""

import re
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.labels.fills.explaining import percent_sure
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, open_page, shown
from tests.worlds.review.guesses import GUESSES, HOSTILE, WorldGuess, write_guesses

KIRCHEN = [one.category for one in GUESSES if one.name.startswith("Kirche")]


def test_the_view_shows_the_guesses_of_a_group_with_what_speaks_for_them(served: Served) -> None:
    answer = served.get("/fills?name=church&group=kirche&order=least")
    assert answer.status == 200
    assert (shown(answer.text, "name"), shown(answer.text, "group")) == ("church", "kirche")
    assert answer.text.count('class="tick"') == len(KIRCHEN) == 5
    for word in ("Kirche Binz (Zürich)", "Churches, Binz (Zürich)", "the name is like those"):
        assert word in answer.text
    others = served.get("/fills?name=church&group=").text
    assert HOSTILE not in others
    assert "&lt;script&gt;" in others


def test_guesses_are_accepted_and_refused_by_forms_and_undone(served: Served) -> None:
    place = {"name": "church", "group": "kirche", "seen": "0"}
    answer = served.post("/fills/decide", place | {"action": "accept", "category": KIRCHEN[:2]})
    assert answer.status == 200
    assert shown(answer.text, "group") == "kirche"
    assert answer.text.count('class="tick"') == 3
    fields = place | {"action": "refuse", "all": "1", "except": KIRCHEN[2], "seen": "1"}
    answer = served.post("/fills/decide", fields)
    assert answer.text.count('class="tick"') == 1
    assert served.post("/fills/undo", place).text.count('class="tick"') == 3
    assert served.post("/fills/redo", place).status == 200
    assert [event.event for event in served.session.events] == ["fill", "refuse", "undo", "redo"]
    history = served.get("/history").text
    assert "2 guesses of church" in history
    assert "Kirche Gruben" in history


def test_a_conflict_shows_both_and_writes_nothing(served: Served) -> None:
    fields = {"name": "church", "group": "kirche", "category": KIRCHEN[0], "seen": "0"}
    served.cookies["reviewer"] = "bob"
    served.post("/fills/decide", fields | {"action": "refuse"})
    served.cookies["reviewer"] = "ann"
    answer = served.post("/fills/decide", fields | {"action": "accept"})
    assert answer.status == 409
    assert "bob" in answer.text
    answer = served.post("/fills/decide", fields | {"action": "accept", "prefer": "mine"})
    assert (answer.status, served.session.line) == (200, 2)


def test_what_cannot_be_read_is_refused_by_its_name(served: Served) -> None:
    for fields, word in (
        ({"action": "praise"}, "action"),
        ({"seen": "x"}, "seen"),
        ({"prefer": "x"}, "prefer"),
        ({"order": "x"}, "order"),
        ({"show": "x"}, "show"),
        ({"rows": "-1"}, "rows"),
        ({"name": "x" * 201}, "name"),
        ({}, "ticked"),
        ({"category": "x"}, "guess"),
    ):
        answer = served.post("/fills/decide", {"action": "accept", "seen": "0"} | fields)
        assert answer.status == 422, fields
        assert word in answer.text
    assert served.session.line == 0


def test_a_read_only_view_shows_guesses_and_nothing_to_tick(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    write_guesses(build)
    html = open_page(opener(build, read_only=True), tmp_path).get("/fills").text
    assert "Kirche Gruben" in html
    assert "checkbox" not in html


def test_a_build_without_guesses_or_with_damaged_parents_is_shown(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    assert open_page(opener(build), tmp_path).get("/fills").status == 200
    write_guesses(build)
    for path in build.path("scrape/parents").glob("*.parquet"):
        path.write_bytes(b"no parquet")
    answer = open_page(opener(build), tmp_path).get("/fills")
    assert answer.status == 200
    assert "Kirche Gruben" in answer.text
    assert "Churches" not in answer.text


def test_how_sure_a_guess_is_reads_as_its_evidence_does(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    sure = (0.07, 0.28999, 0.29, 0.57, 0.7399, 0.74, 0.9999)
    write_guesses(build, [WorldGuess(f"Kirche {one}", "church", "human-made", one) for one in sure])
    served = open_page(opener(build), tmp_path)
    html = served.get("/fills?name=church&group=kirche&order=least").text
    told = re.findall(r'class="sure-n">(\d+)%', html)
    assert told == [str(percent_sure(one)) for one in sure]
