"""The addresses of the guesses, asked with real HTTP."""

import re

import pytest

from hgld.engine.workspace import Workspace
from hgld.labels.fills.explaining import percent_sure
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, serve_session
from tests.worlds.review.guesses import GUESSES, HOSTILE, WorldGuess, write_guesses

KIRCHEN = [one.category for one in GUESSES if one.name.startswith("Kirche")]


def test_the_view_names_what_is_open_and_its_guesses(served: Served) -> None:
    answer = served.get("/fills?name=church&group=kirche&order=least")
    assert answer.status == 200
    assert 'data-name="church" data-group="kirche" data-order="least"' in answer.text
    assert answer.text.count('class="tick"') == 5
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for word in ("Kirche Binz (Zürich)", "Churches, Binz (Zürich)", "the name is like those"):
        assert word in answer.text


def test_texts_of_others_are_escaped(served: Served) -> None:
    answer = served.get("/fills?name=church&group=")
    assert "Dom zu Unserer Lieben Frau" in answer.text
    assert HOSTILE not in answer.text
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_guesses_are_accepted_and_refused_by_forms_and_undone(served: Served) -> None:
    place = {"name": "church", "group": "kirche", "seen": "0"}
    answer = served.post("/fills/decide", place | {"action": "accept", "category": KIRCHEN[:2]})
    assert answer.status == 200
    assert "Accepted 2 guesses (2 landmarks) of church." in answer.text
    assert 'data-group="kirche"' in answer.text
    fields = place | {"action": "refuse", "all": "1", "except": KIRCHEN[2], "seen": "1"}
    answer = served.post("/fills/decide", fields)
    assert "Refused 2 guesses" in answer.text
    assert answer.text.count('class="tick"') == 1
    answer = served.post("/fills/undo", place)
    assert "Undone: refused 2 guesses of church." in answer.text
    assert 'data-show="open"' in answer.text
    assert "Done again" in served.post("/fills/redo", place).text
    assert [event.event for event in served.session.events] == ["fill", "refuse", "undo", "redo"]
    history = served.get("/history").text
    assert "accepted 2 guesses of church" in history
    assert "Kirche Gruben" in history


def test_a_conflict_shows_both_and_writes_nothing(served: Served) -> None:
    fields = {"name": "church", "group": "kirche", "category": KIRCHEN[0], "seen": "0"}
    served.cookies["reviewer"] = "bob"
    served.post("/fills/decide", fields | {"action": "refuse"})
    served.cookies["reviewer"] = "ann"
    answer = served.post("/fills/decide", fields | {"action": "accept"})
    assert answer.status == 409
    assert re.search(r"Kirche Gruben.*not church.*bob.*<b>church</b>", answer.text, re.DOTALL)
    answer = served.post("/fills/decide", fields | {"action": "accept", "prefer": "mine"})
    assert (answer.status, served.session.line) == (200, 2)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"action": "praise", "seen": "0"}, "action must be one of accept, refuse, got"),
        ({"action": "accept", "seen": "x"}, "seen must be a whole number, got"),
        ({"action": "accept", "seen": "0", "prefer": "x"}, "prefer must be mine or theirs"),
        ({"action": "accept", "seen": "0", "order": "x"}, "order must be one of surest, least"),
        ({"action": "accept", "seen": "0", "show": "x"}, "show must be one of open, accepted"),
        ({"action": "accept", "seen": "0", "rows": "-1"}, "rows must be a whole number, got"),
        ({"action": "accept", "seen": "0", "name": "x" * 201}, "at most 200 characters"),
        ({"action": "accept", "seen": "0"}, "no guess is ticked"),
        ({"action": "accept", "seen": "0", "category": "x"}, "there is no guess any more"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    served: Served, fields: dict[str, str], text: str
) -> None:
    answer = served.post("/fills/decide", fields)
    assert answer.status == 422
    assert text in answer.text
    assert served.session.line == 0


def test_nobody_writes_without_the_token_or_where_the_page_is_read_only(
    served: Served, build: Workspace, opener: Opener
) -> None:
    fields = {"action": "accept", "name": "church", "category": KIRCHEN, "seen": "0"}
    for path in ("/fills/decide", "/fills/undo", "/fills/redo"):
        assert served.post(path, fields, X_Review_Token="wrong").status == 403  # noqa: S106
        assert served.post(path, fields, Origin="http://evil.example").status == 403
        assert served.get(path).status == 405
    with serve_session(opener(build, read_only=True), build.root.parent) as shown:
        assert shown.post("/fills/decide", fields).status == 403
        html = shown.get("/fills").text
        assert "Kirche Gruben" in html
        assert not re.search(r"checkbox|data-key=\"(Enter|w|u|x)\"", html)
    assert served.session.line == 0


def test_a_build_without_guesses_says_so(build: Workspace, opener: Opener) -> None:
    for name in ("stages/fill.json", "stages/parents.json"):
        build.path(name).unlink(missing_ok=True)
    with serve_session(opener(build), build.root.parent) as served:
        answer = served.get("/fills")
    assert answer.status == 200
    assert "No landmark has a guess yet." in answer.text
    assert 'data-fill="next"' not in answer.text


def test_how_sure_a_guess_is_reads_as_its_evidence_does(build: Workspace, opener: Opener) -> None:
    sure = (0.07, 0.28999, 0.29, 0.57, 0.7399, 0.74, 0.9999)
    guesses = [WorldGuess(f"Kirche {one}", "church", "human-made", one) for one in sure]
    write_guesses(build, guesses)
    with serve_session(opener(build), build.root.parent) as served:
        html = served.get("/fills?name=church&group=kirche&order=least").text
    shown = re.findall(r'class="sure-n">(\d+)%', html)
    assert shown == [str(percent_sure(one)) for one in sure]


def test_what_was_written_by_hand_into_the_parents_hurts_nobody(
    build: Workspace, opener: Opener
) -> None:
    write_guesses(build)
    for path in build.path("scrape/parents").glob("*.parquet"):
        path.write_bytes(b"no parquet")
    with serve_session(opener(build), build.root.parent) as served:
        answer = served.get("/fills")
    assert answer.status == 200
    assert "Churches" not in answer.text
