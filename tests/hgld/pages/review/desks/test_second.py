"""Bob is asked about what ann has decided, and what they differ in is settled."""

import html
import re
from collections.abc import Callable, Mapping

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import OpenLog
from hgld.review.log.events import Change, Event
from hgld.review.second_opinion import draw_sample
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.desks.reviewed import ANSWERS, CLASSES, WHEN
from tests.hgld.pages.review.desks.reviewed import decided as decision
from tests.hgld.pages.review.served import Served, decided, open_page

WRONG: Mapping[str, str | None] = {
    **dict.fromkeys(("Q302", "Q304", "Q327"), "span"),
    "Q309": None,
    "Q315": "dam",
    "Q316": "dam",
    "Q323": "cascade",
}
"""Where bob thinks otherwise."""
ASKED = re.compile(r'"action": "doubt", "qid": "(Q\d+)"')
SETTLES = re.compile(r'href="/\?q=(Q\d+)"')


@pytest.fixture
def bob(served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The page, as bob has it."""
    monkeypatch.setattr("hgld.pages.review.desks.second.secrets.randbits", lambda _: 4)
    served.cookies["reviewer"] = "bob"
    return served


def draw(served: Served, size: int, of: str = "ann") -> int:
    return served.post("/second/start", {"of": of, "size": str(size)}).status


def shown(served: Served) -> str:
    """Returns all that a second reviewer is sent before they answer."""
    served.session.sync()
    assert served.session.settle()
    return re.sub(r'name="review-token" content="[^"]+"', "", served.get("/second").text)


def asked(served: Served) -> str:
    """Returns the class that is asked; empty if none is."""
    found = ASKED.search(html.unescape(served.get("/second").text))
    return found[1] if found else ""


def thinks(qid: str) -> str | None:
    return WRONG.get(qid, ANSWERS[qid])


def answer_all(
    served: Served, thinks: Callable[[str], str | None] = thinks, most: int = 1000
) -> list[str]:
    """Answers what is asked; returns the classes in their order.

    Args:
        served: where they are asked.
        thinks: Q-id to a super-category; None: to ignore; `?`: they cannot tell.
        most: how many are answered.
    """
    order = list[str]()
    while len(order) < most and (qid := asked(served)):
        order.append(qid)
        said = thinks(qid)
        action = {None: "ignore", "?": "doubt"}.get(said, "name")
        fields = {"action": action, "qid": qid, "label": said or ""}
        assert "Noted" in served.post("/second/answer", fields).text
    return order


def test_what_the_seed_draws_is_asked_in_its_order_each_once_and_decides_nothing(
    bob: Served, build: Workspace, opener: Opener
) -> None:
    before = decided(bob.session)
    draw(bob, 20)
    drawn = draw_sample(ANSWERS, {one[0]: one[2] for one in CLASSES}, 20, seed=4)
    first = answer_all(bob, most=7)
    again = open_page(opener(build), build.root)  # a restart, or another process
    again.cookies["reviewer"] = "bob"
    assert [*first, *answer_all(again, lambda _: "?")] == drawn
    assert "20 of 20 classes answered; bob could not tell 13" in bob.get("/second?sample=0").text
    assert decided(bob.session) == before
    # What is drawn then is of other classes.
    draw(bob, 10)
    assert sorted([*drawn, *answer_all(bob)]) == sorted(ANSWERS)
    assert "Nobody else has decided" in shown(bob)


def test_what_cannot_be_drawn_or_answered_writes_nothing(bob: Served) -> None:
    line = bob.session.line
    assert {draw(bob, size, of) for size, of in ((31, "ann"), (0, "ann"), (5, "eve"))} == {422}
    for who in ("ann", ""):
        bob.cookies["reviewer"] = who
        assert draw(bob, 5) == 422
    bob.cookies["reviewer"] = "bob"
    assert bob.post("/second/answer", {"action": "ignore", "qid": "Q301"}).status == 422
    assert (bob.session.line, draw(bob, 20), draw(bob, 5)) == (line, 200, 422)
    (first,) = answer_all(bob, most=1)
    assert "answered" in bob.post("/second/answer", {"action": "ignore", "qid": first}).text
    fields = {"action": "name", "qid": asked(bob), "label": "alp", "side": "natural"}
    for name, value in (("label", "spam"), ("label", "x" * 201), ("action", "accept")):
        assert bob.post("/second/answer", {**fields, name: value}).status == 422
    assert bob.post("/second/answer", fields).status == 200
    assert '"alp"' in shown(bob)
    assert bob.get("/second?sample=99").status == 422
    assert "kappa" not in bob.get("/second?sample=0").text  # it waits for who has yet to answer
    assert bob.session.line == line + 3
    undone = [bob.post("/second/undo").text for _ in range(4)]
    assert ["Nothing of yours" in one for one in undone] == [False] * 3 + [True]
    assert "Decide again" in shown(bob)


def test_nothing_that_is_sent_tells_what_was_decided_or_proposed(
    bob: Served, build: Workspace
) -> None:
    draw(bob, 20)
    qid, before = asked(bob), shown(bob)
    log = OpenLog(build)
    for said in ("dam" if ANSWERS[qid] != "dam" else "cascade", None, "span"):
        log.append(decision(said, [qid]))
        assert shown(bob) == before
    with bob.session.reading() as board:
        row = board.classes.row[qid]
        assert board.decided[row] == board.names.number("span")
        proposed = board.proposals[row]
    change = Change(classes={qid: "x"}, effect="clear")
    log.append(Event(event="clear", decided_at=WHEN, reviewer="ann", changes=(change,)))
    alike = [one for one in ANSWERS if ANSWERS[one] == ANSWERS[qid] and one != qid]
    log.append(decision("dam" if ANSWERS[qid] != "dam" else "cascade", alike))
    assert shown(bob) == before
    with bob.session.reading() as board:
        assert board.proposals[row] != proposed


@pytest.mark.parametrize("kind", ["first", "second", "name", "ignore"])
def test_a_settled_difference_leaves_the_list_and_is_decided_so(
    bob: Served, build: Workspace, kind: str
) -> None:
    draw(bob, 20)
    answer_all(bob)
    bob.cookies["reviewer"] = "eve"
    page = bob.get("/second?sample=0").text
    differing = SETTLES.findall(page)
    assert {*differing} == {qid for qid in WRONG if qid in bob.session.events[-21].classes}
    qid, other = [qid for qid in differing if ANSWERS[qid] and WRONG[qid]][:2]
    said = {"first": ANSWERS[qid], "second": WRONG[qid], "name": "mere / tarn"}.get(kind)
    fields = {"sample": "0", "action": "name" if said else "ignore", "label": said or ""}
    fields["seen"] = str(bob.session.line)
    after = bob.post("/second/settle", {**fields, "qid": qid}).text
    assert decided(bob.session)[qid] == (said or "ignored")
    for word in ("ann", ANSWERS[qid], "bob", WRONG[qid]):
        assert str(word) in bob.session.events[-1].why
    assert SETTLES.findall(after) == [one for one in differing if one != qid]
    # What they thought alone is not changed by what they settled.
    alone = re.compile("<h3>How far they agree.*<h3 tabindex", re.DOTALL)
    assert alone.findall(after) == alone.findall(page) != []
    # What has just been decided by somebody else is looked at first.
    OpenLog(build).append(decision("mere / tarn", [other], "carol"))
    late = bob.post("/second/settle", {**fields, "qid": other}).text
    assert "carol has just changed" in late
    assert decided(bob.session)[other] == "mere / tarn"
