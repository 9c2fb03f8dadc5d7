"""Several persons at one page: what each is asked, and what is not done unseen."""

from tests.hgld.pages.review.served import Served, done, shown

LAKE = "Q23397"


def test_a_window_meets_no_conflict_with_itself_and_another_of_the_same_name_does(
    served: Served,
) -> None:
    for label in ("span", "cascade"):  # two clicks, the second before the answer to the first
        answer = served.act("name", [LAKE], label=label, seen="0", window="1-2")
        assert answer.status == 200
    assert served.post("/undo", {"seen": "0", "window": "1-2"}).status == 200
    assert served.act("ignore", [LAKE], seen="0", window="1-2").status == 200
    assert served.act("name", [LAKE], label="span", seen="2", window="3-4").status == 409


def test_who_had_a_group_open_that_is_gone_is_shown_another(served: Served) -> None:
    done(served.session, "bob", "merge", g="c1", into="c3")
    assert shown(served.get("/?g=c1").text, "open") != "c1"
    served.session.undo("bob")
    assert shown(served.get("/?g=c1").text, "open") == "c1"
