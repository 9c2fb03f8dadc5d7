"""Of an answer only what a browser does not show already is sent."""

import re
from urllib.parse import urlencode

from markupsafe import Markup

from hgld.pages.review.serving.pieces import SentPieces
from tests.hgld.pages.review.served import Served, shown

LINE = re.compile(
    r'<(li|tr|section|datalist) (?:class="(?!pane )[^"]*" )?id="([^"]+)".*?</\1>', re.DOTALL
)
STUB = re.compile(r'<(li|tr|section|datalist) id="([^"]+)" data-same></\1>')
SOME = re.compile(r'<(ol|tbody)([^>]*? id="([^"]+)"[^>]*?) data-some>(.*?)</\1>', re.DOTALL)


def written(_: str, **rows: object) -> Markup:
    return Markup("<li>{}</li>").format(rows)


def filled(answer: str, before: str) -> str:
    """Returns what a browser shows that had one answer and got another."""
    had = {found[2]: found[0] for found in LINE.finditer(before)}

    def patched(some: re.Match[str]) -> str:
        tag, attributes, where, others = some.groups()
        (inside,) = re.findall(rf'<{tag}[^>]* id="{where}"[^>]*>(.*?)</{tag}>', before, re.DOTALL)
        come = {found[2]: found[0] for found in LINE.finditer(others)}
        lines = LINE.sub(lambda line: come.get(line[2], line[0]), inside)
        return f"<{tag}{attributes}>{lines}</{tag}>"

    return SOME.sub(patched, STUB.sub(lambda stub: had[stub[2]], answer))


def rows(**numbers: int) -> list[tuple[str, dict[str, int]]]:
    return [(key, {"n": number}) for key, number in numbers.items()]


def test_a_line_is_sent_once_until_it_changes() -> None:
    sent = SentPieces(written)
    first = sent.after("")
    assert first.line("li", "a", "row", n=1) == written("row", n=1)
    assert first.line("li", '"><b>', "row", n=2) == written("row", n=2)
    second = sent.after(first.token)
    assert second.line("li", "a", "row", n=1) == '<li id="a" data-same></li>'
    assert second.line("li", '"><b>', "row", n=3) == written("row", n=3)
    # What came as it was is there too for the answer after that; ids are escaped.
    third = sent.after(second.token)
    assert third.line("li", "a", "row", n=1) == '<li id="a" data-same></li>'
    assert third.line("li", '"><b>', "row", n=3) == '<li id="&#34;&gt;&lt;b&gt;" data-same></li>'
    # A tab that still shows the first answer is told from there.
    assert sent.after(first.token).line("li", '"><b>', "row", n=3) == written("row", n=3)


def test_who_shows_nothing_known_or_an_answer_long_past_gets_everything() -> None:
    sent = SentPieces(written)
    old = sent.after("")
    old.line("li", "a", "row", n=1)
    for token in ("", "nobody-was-sent-this"):
        assert sent.after(token).line("li", "a", "row", n=1) == written("row", n=1)
    for _ in range(100):
        sent.after("")
    assert sent.after(old.token).line("li", "a", "row", n=1) == written("row", n=1)


def test_of_a_list_in_the_same_order_only_lines_that_changed_come() -> None:
    sent = SentPieces(written)
    first = sent.after("")
    everything = first.list("all", "li", "row", rows(a=1, b=2, c=3))
    assert everything == ("", "".join(written("row", n=number) for number in (1, 2, 3)))
    second = sent.after(first.token)
    changed = second.list("all", "li", "row", rows(a=1, b=7, c=3))
    assert changed == (" data-some", written("row", n=7))
    # Another order, a line more or a line less: each says where the others stand.
    for other in (rows(b=7, a=1, c=3), rows(a=1, b=7, c=3, d=4), rows(a=1, b=7)):
        mark, text = sent.after(second.token).list("all", "li", "row", other)
        assert mark == ""
        assert '<li id="a" data-same></li>' in text


def test_what_is_left_out_and_what_is_shown_make_the_whole_page(served: Served) -> None:
    before = served.get("/bench?g=c0").text
    asked = {"g": "c0", "have": shown(before, "have")}
    served.act("ignore", ["Q15324", "Q9259"])
    served.post("/undo")
    served.act("assign", ["Q15324"], label="a kind of my own", side="natural")
    # Two names that differ in a space only are two lines.
    served.act("assign", ["Q200002"], label="a_kind of my own", side="natural", sure="1")
    assert served.session.settle()
    answer = served.get(f"/bench?{urlencode(asked)}").text
    whole = served.get("/bench?g=c0").text
    assert STUB.search(answer)
    assert len(answer) < len(whole)
    token = re.compile(r'data-have="[^"]*"')
    assert token.sub("", filled(answer, before)) == token.sub("", whole)
    assert {"a kind of my own", "a_kind of my own"} <= set(re.findall(r"a.kind of my own", whole))


def test_rows_that_do_not_fit_the_window_come_with_the_next_answer(served: Served) -> None:
    everything = re.findall(r'id="m-(Q\d+)"', served.get("/bench?g=c2&at=c2").text)
    first = served.act("ignore", ["Q34038"], g="c0", at="c0", go="c2", fit="2").text
    shown_first = re.findall(r'id="m-(Q\d+)"', first)
    assert (shown(first, "group"), shown(first, "coming")) == ("c2", "2")
    assert shown_first == everything[:2]
    # What is to come is named, so that a decision on all is about it too.
    assert set(shown(first, "coming-open").split()) == set(everything[2:])
    rest = served.get(f"/bench?g=c2&at=c2&have={shown(first, 'have')}").text
    assert set(re.findall(r'id="m-(Q\d+)"', rest)) >= set(everything[2:])
    assert shown(rest, "coming") == "0"
