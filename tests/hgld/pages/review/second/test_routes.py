import re
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.session import ReviewSession
from hgld.review.log.events import Event
from hgld.review.log.opened import OpenLog
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.bob import sample_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, SIDES, decided
from tests.hgld.pages.review.served import Served, serve_session

pytestmark = pytest.mark.usefixtures("fixed_seed")

QID = re.compile(r'name="qid" value="([^"]+)"')


@pytest.fixture
def bob(served: Served) -> Served:
    """The page as bob has it, 19 classes and a hidden one drawn."""
    served.cookies["reviewer"] = "bob"
    assert served.post("/second/start", {"of": "ann", "size": "19"}).status == 200
    return served


def asked(text: str) -> str:
    found = QID.search(text)
    assert found is not None
    return found[1]


def answer(served: Served, qid: str, said: str | None) -> str:
    kind = "ignore" if said is None else "name"
    done = served.post("/second/answer", {"qid": qid, "kind": kind, "label": said or ""})
    assert done.status == 200, done.text
    return done.text


def without_token(text: str) -> str:
    return re.sub(r'name="review-token" content="[^"]+"', "", text)


def test_the_page_says_what_a_second_opinion_is_and_who_can_be_looked_at(served: Served) -> None:
    served.cookies["reviewer"] = "bob"
    page = served.get("/second")
    assert page.status == 200
    assert "without seeing what they chose" in page.text
    assert '<option value="ann" data-most="30">ann (30 classes)</option>' in page.text
    assert 'max="30" value="30"' in page.text
    assert "one in twenty more is hidden whose right answer is known" in page.text
    served.cookies.clear()
    assert 'name="name"' in served.get("/second").text
    served.cookies["reviewer"] = "ann"
    assert "nobody else has decided a class" in served.get("/second").text


def test_classes_are_answered_one_by_one_to_the_end(bob: Served) -> None:
    text = bob.get("/second").text
    queue = list(sample_of(bob.session).queue)
    for place, qid in enumerate(queue, start=1):
        assert asked(text) == qid
        assert f"<b>{place}</b> of 20" in text
        text = answer(bob, qid, ANSWERS[qid])
    assert "You have answered 20 classes of ann" in text
    report = bob.get("/second/report").text
    assert "bob on the decisions of ann" in report
    assert "<b>100%</b>" in report
    assert "All is settled" not in report
    assert "what is decided is what bob answered" in report


def served_bytes(bob: Served) -> str:
    """Returns all that a second reviewer is sent before they answer."""
    bob.session.sync()
    assert bob.session.settle()
    return without_token(bob.get("/second").text)


def other(answer: str | None) -> str | None:
    return "dam" if answer != "dam" else "cascade"


def test_nothing_that_is_sent_tells_what_was_decided(bob: Served, build: Workspace) -> None:
    before = served_bytes(bob)
    qid = asked(before)
    log = OpenLog(build)
    for said in (other(ANSWERS[qid]), None, "span"):
        log.append(decided(said, [qid]))
        assert served_bytes(bob) == before
    with bob.session.reading() as board:
        assert board.decided[board.classes.row[qid]] == board.names.find("span")


def test_nothing_that_is_sent_tells_what_is_proposed(bob: Served, build: Workspace) -> None:
    """Other decisions change the proposals of the class that is asked, and nothing of the page."""
    before = served_bytes(bob)
    qid = asked(before)
    alike = [one for one in ANSWERS if ANSWERS[one] == ANSWERS[qid] and one != qid]
    log = OpenLog(build)
    with bob.session.reading() as board:
        proposed = board.proposals[board.classes.row[qid]]
    log.append(
        Event(
            event="clear",
            decided_at="2026-11-26T09:00:00+00:00",
            reviewer="ann",
            changes=(type(decided(None, [qid]).changes[0])(classes={qid: "x"}, effect="clear"),),
        )
    )
    log.append(decided(other(ANSWERS[qid]), alike))
    assert served_bytes(bob) == before
    with bob.session.reading() as board:
        assert board.proposals[board.classes.row[qid]] != proposed


def test_nothing_that_is_sent_tells_a_known_class_from_another(
    bob: Served, build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    """The same queue without a word of which are known is the same pages."""
    events = OpenLog(build).events
    (sample,) = [event for event in events if event.event == "sample"]
    assert [change.effect for change in sample.changes] == ["sample", "known"]
    plain = Event(
        event="sample",
        decided_at=sample.decided_at,
        reviewer="bob",
        changes=sample.changes[:1],
    )
    pages = dict(walked(bob))
    assert {*pages} == set(sample_of(bob.session).queue)
    (build.root / "review/decisions.jsonl").unlink()
    (build.root / "review/decisions.backup.jsonl").unlink()
    log = OpenLog(build)
    for event in [*events[:-1], plain]:
        log.append(event)
    with serve_session(opener(build), tmp_path) as again:
        again.cookies["reviewer"] = "bob"
        assert dict(walked(again)) == pages


def walked(served: Served) -> list[tuple[str, str]]:
    pages = []
    while QID.search(text := served_bytes(served)):
        pages.append((asked(text), text))
        answer(served, asked(text), "span")
    return pages


def test_names_stand_by_the_alphabet_whatever_the_class(bob: Served) -> None:
    text = bob.get("/second").text
    names = re.findall(r'<li data-label="([^"]+)" data-side="([^"]+)"></li>', text)
    assert names == sorted(SIDES.items())
    # No name stands elsewhere on the page but in the list of all.
    label = {qid: label for qid, label, _, _ in CLASSES}[asked(text)]
    body = text.split("<body")[1].split('<ul id="offered"')[0]
    body = re.sub(r"<[^>]+>", " ", body)
    for name in SIDES:
        assert name not in body.replace(label, "")
    for word in ("confiden", "propos", "evidence", "decided", "known", "%"):
        assert word not in body


def test_an_answer_that_cannot_be_is_refused_and_nothing_is_written(bob: Served) -> None:
    qid, line = asked(bob.get("/second").text), bob.session.line
    refused = bob.post(
        "/second/answer", {"qid": qid, "kind": "name", "label": "spam", "side": "natural"}
    )
    assert refused.status == 422
    assert "looks like a typo" in refused.text
    assert "Use span" in refused.text
    for name, value in (("label", "x" * 201), ("label", "a\x00b"), ("kind", "praise")):
        fields = {"qid": qid, "kind": "name", "label": "span", name: value}
        assert bob.post("/second/answer", fields).status == 422
    assert bob.post("/second/start", {"of": "ann", "size": "x"}).status == 422
    assert bob.session.line == line


def test_undo_and_redo_go_through_the_queue(bob: Served) -> None:
    first = asked(bob.get("/second").text)
    second = asked(answer(bob, first, None))
    assert asked(bob.post("/second/undo").text) == first
    assert asked(bob.post("/second/redo").text) == second
    bob.post("/second/undo")
    assert "whose decisions" in bob.post("/second/undo").text.lower()


def test_a_difference_is_settled_and_that_undone(bob: Served) -> None:
    while QID.search(text := bob.get("/second").text):
        qid = asked(text)
        answer(bob, qid, "mere / tarn" if ANSWERS[qid] == "cascade" else ANSWERS[qid])
    report = bob.get("/second/report").text
    found = re.findall(r'class="difference" data-qid="([^"]+)"', report)
    assert found
    assert {ANSWERS[qid] for qid in found} == {"cascade"}
    (number,) = re.findall(r'data-sample="(\d+)"', report)
    fields = {"sample": number, "qid": found[0], "kind": "second", "seen": str(bob.session.line)}
    settled = bob.post("/second/settle", fields)
    assert settled.status == 200
    assert f'data-qid="{found[0]}"' not in settled.text
    assert "1 settled" in settled.text
    assert f'data-qid="{found[0]}"' in bob.post("/second/unsettle", {"sample": number}).text
    assert f'data-qid="{found[0]}"' not in bob.post("/second/resettle", {"sample": number}).text


def test_the_report_waits_for_who_has_yet_to_answer(bob: Served) -> None:
    for _ in range(2):
        answer(bob, asked(bob.get("/second").text), None)
    waiting = bob.get("/second/report").text
    assert "You have yet to answer 18 classes" in waiting
    assert "kappa" not in waiting
    opened = bob.get("/second/report?sample=6&open=1").text
    assert "kappa" in opened
    assert "So few classes say little" in opened
    bob.cookies["reviewer"] = "ann"
    assert "kappa" in bob.get("/second/report").text


@pytest.mark.parametrize(
    ("is_drawn", "words"),
    [
        (False, "Nobody was asked for one"),
        (True, "Nothing can be said yet"),
    ],
)
def test_what_there_is_none_of_is_told_in_words(served: Served, is_drawn: bool, words: str) -> None:
    served.cookies["reviewer"] = "bob"
    if is_drawn:
        served.post("/second/start", {"of": "ann", "size": "3"})
    served.cookies["reviewer"] = "ann"
    assert words in served.get("/second/report").text


def test_an_unknown_sample_is_told(served: Served) -> None:
    assert served.get("/second/report?sample=99").status == 422


@pytest.mark.parametrize(
    "path", ["start", "answer", "undo", "redo", "settle", "unsettle", "resettle"]
)
def test_a_write_needs_the_token_and_the_pages_own_origin(bob: Served, path: str) -> None:
    line = bob.session.line
    assert bob.post(f"/second/{path}", None, X_Review_Token="wrong").status == 403  # noqa: S106
    assert bob.post(f"/second/{path}", Origin="http://elsewhere.example").status == 403
    assert bob.get(f"/second/{path}").status == 405
    assert bob.session.line == line


def test_read_only_shows_the_report_and_takes_nothing(
    build: Workspace, opener: Opener, tmp_path: Path, bob: Served
) -> None:
    answer(bob, asked(bob.get("/second").text), "span")
    session: ReviewSession = opener(build, read_only=True)
    with serve_session(session, tmp_path) as shown:
        shown.cookies["reviewer"] = "bob"
        page = shown.get("/second").text
        assert "read-only" in page
        assert "data-send" not in page
        report = shown.get("/second/report?sample=6&open=1").text
        assert "kappa" in report
        assert "data-send" not in report
        assert shown.post("/second/answer", {"qid": "Q301", "kind": "ignore"}).status == 403


def test_the_main_page_leads_there(served: Served) -> None:
    assert 'data-key="O" href="/second"' in served.get("/").text
