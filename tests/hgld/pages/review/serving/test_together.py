"""Several persons at one page: what each is asked, and what is not done unseen."""

import pytest

from tests.hgld.pages.review.served import Served, done, shown, state

LAKE, TARN, SITE, WATERFALL, WEIR = "Q23397", "Q200005", "Q9259", "Q34038", "Q200002"
ALL = {"action": "ignore", "all": "1", "undecided": "1"}


def agreed(text: str) -> str:
    """Returns what the button of a question sends that does it."""
    return text.split('data-field="shown" data-value="')[1].split('"', maxsplit=1)[0]


@pytest.mark.parametrize(
    ("theirs", "qids", "fields", "is_other"),
    [
        ("merge", (WEIR, WATERFALL), {"into": "c1"}, True),
        ("split", (TARN,), {"g": "c1"}, True),
        ("assign", (TARN,), {"label": "span"}, True),
        ("comment", (TARN,), {"why": "hm"}, False),
        ("ignore", (SITE,), {}, False),
    ],
)
def test_what_is_done_is_what_the_preview_showed(
    served: Served, theirs: str, qids: tuple[str, ...], fields: dict[str, str], is_other: bool
) -> None:
    wanted = {**ALL, "g": "c1", "seen": "0"}
    answer = served.post("/preview", wanted)
    done(served.session, "bob", theirs, *qids, **fields)
    in_c1 = {
        qid for qid, one in state(served.session).items() if (one[0], one[2]) == ("open", "c1")
    }
    if is_other:
        answer = served.post("/act", {**wanted, "shown": agreed(answer.text)})
        assert (answer.status, served.session.line) == (409, 1)
    assert served.post("/act", {**wanted, "shown": agreed(answer.text)}).status == 200
    (change,) = served.session.events[-1].changes
    assert set(change.classes) == in_c1


def test_a_window_meets_no_conflict_with_itself_and_another_of_the_same_name_does(
    served: Served,
) -> None:
    for label in ("span", "cascade"):  # two clicks, the second before the answer to the first
        answer = served.act("assign", [LAKE], label=label, seen="0", window="1-2")
        assert answer.status == 200
    assert served.post("/undo", {"seen": "0", "window": "1-2"}).status == 200
    assert served.act("ignore", [LAKE], seen="0", window="1-2").status == 200
    assert served.act("assign", [LAKE], label="span", seen="2", window="3-4").status == 409


def test_who_had_a_group_open_that_went_elsewhere_is_taken_there_and_told(served: Served) -> None:
    done(served.session, "bob", "merge", g="c1", into="c3")
    for answer in (
        served.get("/bench?g=c1&at=c1"),
        served.act("accept", [SITE], g="c1", at="c1", go="stay"),
    ):
        assert shown(answer.text, "group") == "c3"
        assert "bob" in answer.text
    served.session.undo("bob")
    assert shown(served.get("/bench?g=c1").text, "group") == "c1"
    done(served.session, "bob", "split", LAKE, g="c1")
    group = state(served.session)[LAKE][2]
    served.session.undo("bob")
    assert shown(served.get(f"/bench?g={group}").text, "group") == "c1"
