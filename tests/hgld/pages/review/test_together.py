"""Several persons at one page: what each is asked, and what is not done unseen."""

from tests.hgld.pages.review.served import Served, done, shown

LAKE = "Q23397"


def test_who_had_a_group_open_that_is_gone_is_shown_another(served: Served) -> None:
    done(served.session, "bob", "merge", g="c1", into="c3")
    assert shown(served.get("/?g=c1").text, "open") != "c1"
    served.session.undo("bob")
    assert shown(served.get("/?g=c1").text, "open") == "c1"
