import re
from urllib.parse import urlencode

import pytest
from markupsafe import Markup

from hgld.pages.review.serving import answers
from hgld.pages.review.serving.pieces import SentPieces
from tests.hgld.pages.review.served import Served

LINE = re.compile(r'<(li|tr|datalist) (?:class="[^"]*" )?id="([^"]+)".*?</\1>', re.DOTALL)
CHANGING = re.compile(r'data-have="[^"]*"')
STUB = re.compile(r'<(li|tr|datalist) id="([^"]+)" data-same></\1>')


def written(name: str, **rows: object) -> Markup:
    return Markup("<li id='{}'>{}</li>").format(name, rows)


def filled(answer: str, shown: str) -> str:
    """Returns what a browser shows that had one answer and got another."""
    had = {found[2]: found[0] for found in LINE.finditer(shown)}
    return STUB.sub(lambda stub: had[stub[2]], answer)


def have(text: str) -> str:
    (token,) = re.findall(r'data-have="([^"]+)"', text)
    return str(token)


def test_a_line_is_sent_once_until_it_changes() -> None:
    sent = SentPieces(written)
    first = sent.after("")
    assert first.line("li", "a", "row", n=1) == written("row", n=1)
    assert first.line("li", "b", "row", n=2) == written("row", n=2)
    second = sent.after(first.token)
    assert second.line("li", "a", "row", n=1) == '<li id="a" data-same></li>'
    assert second.line("li", "b", "row", n=3) == written("row", n=3)
    # What came as it was is there too for the answer after that.
    third = sent.after(second.token)
    assert third.line("li", "a", "row", n=1) == '<li id="a" data-same></li>'
    assert third.line("li", "b", "row", n=3) == '<li id="b" data-same></li>'
    # A tab that still shows the first answer is told from there.
    again = sent.after(first.token)
    assert again.line("li", "b", "row", n=3) == written("row", n=3)


@pytest.mark.parametrize("token", ["", "nobody-was-sent-this"])
def test_who_shows_nothing_known_gets_everything(token: str) -> None:
    sent = SentPieces(written)
    sent.after("").line("li", "a", "row", n=1)
    assert sent.after(token).line("li", "a", "row", n=1) == written("row", n=1)


def test_an_answer_long_past_is_forgotten() -> None:
    sent = SentPieces(written)
    old = sent.after("")
    old.line("li", "a", "row", n=1)
    for _ in range(100):
        sent.after("")
    assert sent.after(old.token).line("li", "a", "row", n=1) == written("row", n=1)


def test_an_id_is_escaped_where_the_line_is_left_out() -> None:
    sent = SentPieces(written)
    first = sent.after("")
    first.line("li", '"><script>', "row", n=1)
    stub = sent.after(first.token).line("li", '"><script>', "row", n=1)
    assert stub == '<li id="&#34;&gt;&lt;script&gt;" data-same></li>'


def test_what_is_left_out_and_what_is_shown_make_the_whole_page(served: Served) -> None:
    shown = served.get("/bench?g=c0").text
    asked = {"g": "c0", "have": have(shown)}
    served.act("ignore", ["Q15324", "Q9259"])
    served.post("/undo")
    served.act("assign", ["Q15324"], label="a kind of my own", side="natural")
    assert served.session.settle()
    answer = served.get(f"/bench?{urlencode(asked)}").text
    whole = served.get("/bench?g=c0").text
    assert len(STUB.findall(answer)) >= 3
    assert len(answer) < len(whole)
    assert re.sub(CHANGING, "", filled(answer, shown)) == re.sub(CHANGING, "", whole)
    assert "a kind of my own" in whole


def test_of_a_group_that_is_new_to_the_browser_the_first_rows_come_first(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_FIRST_ROWS", 2)
    qids = re.findall(r'id="m-(Q\d+)"', served.get("/bench?g=c0&at=c0").text)
    assert len(qids) == 5
    moved = served.act("accept", qids, g="c0", at="c0", go="next").text
    assert 'data-group="c2"' in moved
    assert len(re.findall(r'id="m-(Q\d+)"', moved)) == 2
    assert 'data-coming="2"' in moved
    # They are as good as shown: nothing asks whether to include the others.
    assert "not shown" not in moved
    rest = served.get(f"/bench?g=c2&at=c2&have={have(moved)}").text
    assert len(re.findall(r'id="m-(Q\d+)"', rest)) == 4
    assert 'data-coming="0"' in rest
    assert served.session.settle()
    gone = served.get(f"/bench?g=c1&at=c2&have={have(rest)}").text
    rest = served.get(f"/bench?g=c1&at=c1&have={have(gone)}").text
    assert len(re.findall(r'id="m-Q\d+" data-same', rest)) == 2
    undone = served.post("/undo", {"g": "c2", "at": "c2"}).text
    assert 'data-group="c0"' in undone
    assert 'data-coming="3"' in undone
