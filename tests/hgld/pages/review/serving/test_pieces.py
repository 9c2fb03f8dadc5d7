import re
from urllib.parse import urlencode

import pytest
from markupsafe import Markup

from hgld.pages.review.serving import answers
from hgld.pages.review.serving.pieces import SentPieces
from tests.hgld.pages.review.served import Served

LINE = re.compile(
    r'<(li|tr|section|datalist) (?:class="(?!pane )[^"]*" )?id="([^"]+)".*?</\1>', re.DOTALL
)
CHANGING = re.compile(r'data-have="[^"]*"')
STUB = re.compile(r'<(li|tr|section|datalist) id="([^"]+)" data-same></\1>')


def written(name: str, **rows: object) -> Markup:
    return Markup("<li id='{}'>{}</li>").format(name, rows)


SOME = re.compile(r'<(ol|tbody)([^>]*? id="([^"]+)"[^>]*?) data-some>(.*?)</\1>', re.DOTALL)


def filled(answer: str, shown: str) -> str:
    """Returns what a browser shows that had one answer and got another."""
    had = {found[2]: found[0] for found in LINE.finditer(shown)}

    def patched(some: re.Match[str]) -> str:
        tag, attributes, where, others = some.groups()
        (inside,) = re.findall(rf'<{tag}[^>]* id="{where}"[^>]*>(.*?)</{tag}>', shown, re.DOTALL)
        come = {found[2]: found[0] for found in LINE.finditer(others)}
        lines = LINE.sub(lambda line: come.get(line[2], line[0]), inside)
        return f"<{tag}{attributes}>{lines}</{tag}>"

    return SOME.sub(patched, STUB.sub(lambda stub: had[stub[2]], answer))


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


def rows(**numbers: int) -> list[tuple[str, dict[str, int]]]:
    return [(key, {"n": number}) for key, number in numbers.items()]


def test_of_a_list_in_the_same_order_only_lines_that_are_others_come() -> None:
    sent = SentPieces(written)
    first = sent.after("")
    everything = first.list("all", "li", "row", rows(a=1, b=2, c=3))
    assert everything == ("", "".join(written("row", n=number) for number in (1, 2, 3)))
    second = sent.after(first.token)
    assert second.list("all", "li", "row", rows(a=1, b=7, c=3)) == (
        " data-some",
        written("row", n=7),
    )
    # Another order, a line more or a line less: each says where the others stand.
    for changed in (rows(b=7, a=1, c=3), rows(a=1, b=7, c=3, d=4), rows(a=1, b=7)):
        mark, text = sent.after(second.token).list("all", "li", "row", changed)
        assert mark == ""
        assert '<li id="a" data-same></li>' in text
        assert (written("row", n=4) in text) == ("d" in dict(changed))
    # An answer without that list knows nothing of its order.
    other = sent.after(second.token)
    assert sent.after(other.token).list("all", "li", "row", rows(a=1)).mark == ""


def test_a_line_whose_rows_are_the_same_is_not_written_again() -> None:
    asked: list[dict[str, object]] = []

    def counted(_: str, **given: object) -> Markup:
        asked.append(given)
        return Markup("<li>{}</li>").format(bool(given["n"]))

    sent = SentPieces(counted)
    first = sent.after("")
    first.list("all", "li", "row", rows(a=1, b=2))
    second = sent.after(first.token)
    # Of b something changes that is not seen: it is written, and not sent.
    assert second.list("all", "li", "row", rows(a=1, b=3)) == (" data-some", "")
    assert asked == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_two_names_that_differ_in_a_space_alone_are_two_lines(served: Served) -> None:
    served.act("assign", ["Q15324"], label="tide pool", side="natural")
    text = served.act("assign", ["Q9259"], label="tide_pool", side="natural", sure="1").text
    assert {"n-tide%20pool", "n-tide_pool"} <= set(re.findall(r'<tr id="([^"]+)"', text))


def test_what_is_left_out_and_what_is_shown_make_the_whole_page(served: Served) -> None:
    shown = served.get("/bench?g=c0").text
    asked = {"g": "c0", "have": have(shown)}
    served.act("ignore", ["Q15324", "Q9259"])
    served.post("/undo")
    served.act("assign", ["Q15324"], label="a kind of my own", side="natural")
    assert served.session.settle()
    answer = served.get(f"/bench?{urlencode(asked)}").text
    whole = served.get("/bench?g=c0").text
    assert len(STUB.findall(answer)) >= 2
    assert SOME.search(answer)
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
    # Of those to come the open ones are named, so that a decision on all is about them too.
    assert re.search(r'data-coming="2" data-coming-open="(Q\d+) (Q\d+)" data-behind="0"', moved)
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
    # What is near it comes with the rest, and what is near the group before stays meanwhile.
    assert '<section id="near" data-same></section>' in gone
    assert 'id="pane-names" aria-labelledby="h-names" data-coming>' in gone
    assert '<section id="near" class="near-part"' in rest
    assert 'id="pane-names" aria-labelledby="h-names">' in rest
    # A browser that says what its window has room for gets that.
    fitting = served.get("/bench?g=c0&at=c2&fit=4").text
    assert len(re.findall(r'id="m-(Q\d+)"', fitting)) == 4
    assert 'data-coming="1"' in fitting


def late(text: str) -> list[str]:
    return re.findall(r'<li id="m-(Q\d+)" data-late></li>', text)


def test_of_many_rows_that_an_action_changes_those_in_sight_come_first(served: Served) -> None:
    shown = served.get("/bench?g=c0&at=c0").text
    qids = re.findall(r'id="m-(Q\d+)"', shown)
    assert len(qids) == 5
    where = {"g": "c0", "at": "c0", "go": "stay", "fit": "1"}
    # The focus is on the last: it and its neighbour are seen, and the first.
    done = served.act("ignore", qids, have=have(shown), on=qids[4], **where).text
    assert late(done) == qids[1:3]
    assert set(re.findall(r'<li class="member is-ignored[^"]*" id="m-(Q\d+)"', done)) == {
        *qids[:1],
        *qids[3:],
    }
    assert 'data-coming="0" data-behind="2"' in done
    # The browser shows the two as they were: they come now, and nothing else of the list does.
    rest = served.get(f"/bench?g=c0&at=c0&fit=1&have={have(done)}").text
    assert late(rest) == []
    assert re.findall(r'<li class="member is-ignored[^"]*" id="m-(Q\d+)"', rest) == qids[1:3]
    assert 'data-coming="0" data-behind="0"' in rest
    undone = served.post("/undo", {"have": have(rest), "on": "", **where}).text
    assert late(undone) == qids[1:]
    # Who does not say what is in sight gets all, as does who shows nothing that is known.
    assert late(served.post("/redo", {"have": have(undone), "g": "c0", "at": "c0"}).text) == []
    assert late(served.post("/undo", {"have": "unknown", **where}).text) == []


def named(text: str) -> list[str]:
    return re.findall(r'<tr id="n-([^"]+)"', text)


def behind(text: str) -> int:
    return int(re.findall(r'id="names" data-behind="(\d+)"', text)[0])


def test_names_out_of_sight_that_an_action_changes_come_later(served: Served) -> None:
    served.act("assign", ["Q15324", "Q9259"], label="waterfall", side="natural")
    assert served.session.settle()
    shown = served.get("/bench?g=c0&at=c0").text
    place = named(shown).index("waterfall")
    where = {"g": "c0", "at": "c0", "go": "stay", "fit": "9"}
    seen, unseen = {"from": "0", "to": str(place + 1)}, {"from": str(place + 1), "to": "99"}
    done = served.act("ignore", ["Q15324"], have=have(shown), **where, **unseen).text
    assert (named(done), behind(done)) == ([], 1)
    # It comes where it is in sight at the next answer, or the browser asks.
    for later in (
        served.act("comment", ["Q9259"], why="so", have=have(done), **where, **seen).text,
        served.get(f"/bench?g=c0&at=c0&fit=9&from={place + 1}&to=99&have={have(done)}").text,
    ):
        assert (named(later), behind(later)) == (["waterfall"], 0)
    # Who does not say what is in sight gets all.
    undone = served.post("/undo", {"have": have(done), **where}).text
    assert (named(undone), behind(undone)) == (["waterfall"], 0)


def test_a_name_more_shows_all_names_in_their_order(served: Served) -> None:
    shown = served.get("/bench?g=c0&at=c0").text
    where = {"g": "c0", "at": "c0", "go": "stay", "fit": "9", "from": "0", "to": "1"}
    done = served.act(
        "assign", ["Q15324"], label="a kind of my own", side="natural", have=have(shown), **where
    ).text
    assert "a%20kind%20of%20my%20own" in named(done)
    assert behind(done) == 0
