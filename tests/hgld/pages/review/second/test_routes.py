import re
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import OpenLog
from hgld.review.log.events import Event
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.bob import sample_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, SIDES, decided
from tests.hgld.pages.review.served import Served, open_page

pytestmark = pytest.mark.usefixtures("fixed_seed")

QID = re.compile(r'name="qid" value="([^"]+)"')
DIFFERENCE = re.compile(r'class="difference" data-qid="([^"]+)"')


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


def test_who_can_be_looked_at_is_offered_to_who_has_a_name(served: Served) -> None:
    served.cookies["reviewer"] = "bob"
    page = served.get("/second").text
    assert 'value="ann"' in page
    assert 'max="30"' in page
    served.cookies.clear()
    assert 'name="name"' in served.get("/second").text
    served.cookies["reviewer"] = "ann"
    assert "<option" not in served.get("/second").text
    assert 'href="/second"' in served.get("/").text


def test_classes_are_answered_one_by_one_to_the_end(bob: Served) -> None:
    text = bob.get("/second").text
    for qid in sample_of(bob.session).queue:
        assert asked(text) == qid
        text = answer(bob, qid, ANSWERS[qid])
    assert not QID.search(text)
    report = bob.get("/second/report").text
    assert "100%" in report
    assert not DIFFERENCE.search(report)


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
        event="sample", decided_at=sample.decided_at, reviewer="bob", changes=sample.changes[:1]
    )
    pages = dict(walked(bob))
    assert {*pages} == set(sample_of(bob.session).queue)
    (build.root / "review/decisions.jsonl").unlink()
    (build.root / "review/decisions.backup.jsonl").unlink()
    log = OpenLog(build)
    for event in [*events[:-1], plain]:
        log.append(event)
    again = open_page(opener(build), tmp_path)
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


def test_an_answer_that_cannot_be_is_refused_and_nothing_is_written(bob: Served) -> None:
    qid, line = asked(bob.get("/second").text), bob.session.line
    refused = bob.post(
        "/second/answer", {"qid": qid, "kind": "name", "label": "spam", "side": "natural"}
    )
    assert refused.status == 422
    assert "span" in refused.text
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


def test_a_difference_is_settled_and_that_undone(bob: Served) -> None:
    while QID.search(text := bob.get("/second").text):
        qid = asked(text)
        answer(bob, qid, "mere / tarn" if ANSWERS[qid] == "cascade" else ANSWERS[qid])
    report = bob.get("/second/report").text
    found = DIFFERENCE.findall(report)
    assert found
    assert {ANSWERS[qid] for qid in found} == {"cascade"}
    (number,) = re.findall(r'data-sample="(\d+)"', report)
    fields = {"sample": number, "qid": found[0], "kind": "second", "seen": str(bob.session.line)}
    settled = bob.post("/second/settle", fields)
    assert settled.status == 200
    assert DIFFERENCE.findall(settled.text) == found[1:]
    assert DIFFERENCE.findall(bob.post("/second/unsettle", {"sample": number}).text) == found
    assert DIFFERENCE.findall(bob.post("/second/resettle", {"sample": number}).text) == found[1:]


def test_the_report_waits_for_who_has_yet_to_answer(bob: Served) -> None:
    for _ in range(2):
        answer(bob, asked(bob.get("/second").text), None)
    assert "kappa" not in bob.get("/second/report").text
    assert "kappa" in bob.get("/second/report?sample=6&open=1").text
    bob.cookies["reviewer"] = "ann"
    assert "kappa" in bob.get("/second/report").text


def test_what_there_is_none_of_is_told(served: Served) -> None:
    assert served.get("/second/report").status == 200
    served.cookies["reviewer"] = "bob"
    served.post("/second/start", {"of": "ann", "size": "3"})
    served.cookies["reviewer"] = "ann"
    text = served.get("/second/report").text
    assert "bob" in text
    assert not re.search(r"\bnan\b|100%", text)
    assert served.get("/second/report?sample=99").status == 422


def test_read_only_shows_the_report_and_takes_nothing(
    build: Workspace, opener: Opener, tmp_path: Path, bob: Served
) -> None:
    answer(bob, asked(bob.get("/second").text), "span")
    shown = open_page(opener(build, read_only=True), tmp_path)
    shown.cookies["reviewer"] = "bob"
    assert "data-send" not in shown.get("/second").text
    report = shown.get("/second/report?sample=6&open=1").text
    assert "kappa" in report
    assert "data-send" not in report
    assert shown.post("/second/answer", {"qid": "Q301", "kind": "ignore"}).status == 403
