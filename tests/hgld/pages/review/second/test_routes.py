import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import OpenLog
from hgld.review.log.events import Change, Event
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.bob import sample_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, WHEN, decided
from tests.hgld.pages.review.served import Served, open_page

pytestmark = pytest.mark.usefixtures("fixed_seed")

QID = re.compile(r'name="qid" value="([^"]+)"')


@pytest.fixture
def bob(served: Served) -> Served:
    """The page as bob has it, 19 classes and a hidden one drawn."""
    served.cookies["reviewer"] = "bob"
    assert served.post("/second/start", {"of": "ann", "size": "19"}).status == 200
    return served


def answer(served: Served, qid: str, said: str | None) -> str:
    kind = "ignore" if said is None else "name"
    done = served.post("/second/answer", {"qid": qid, "kind": kind, "label": said or ""})
    assert done.status == 200, done.text
    return done.text


def shown(served: Served) -> str:
    """Returns all that a second reviewer is sent before they answer."""
    served.session.sync()
    assert served.session.settle()
    return re.sub(r'name="review-token" content="[^"]+"', "", served.get("/second").text)


def asked(served: Served) -> Iterator[tuple[str, str]]:
    """Yields the class that is asked, and the page; goes on once that is answered."""
    while found := QID.search(text := shown(served)):
        yield found[1], text


def other(answer: str | None) -> str | None:
    return "dam" if answer != "dam" else "cascade"


def test_nothing_that_is_sent_tells_what_was_decided_or_proposed(
    bob: Served, build: Workspace
) -> None:
    qid, before = next(asked(bob))
    log = OpenLog(build)
    for said in (other(ANSWERS[qid]), None, "span"):
        log.append(decided(said, [qid]))
        assert shown(bob) == before
    with bob.session.reading() as board:
        assert board.decided[board.classes.row[qid]] == board.names.find("span")
        proposed = board.proposals[board.classes.row[qid]]
    change = Change(classes={qid: "x"}, effect="clear")
    log.append(Event(event="clear", decided_at=WHEN, reviewer="ann", changes=(change,)))
    alike = [one for one in ANSWERS if ANSWERS[one] == ANSWERS[qid] and one != qid]
    log.append(decided(other(ANSWERS[qid]), alike))
    assert shown(bob) == before
    with bob.session.reading() as board:
        assert board.proposals[board.classes.row[qid]] != proposed


def test_nothing_that_is_sent_tells_a_known_class_from_another(
    bob: Served, build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    """The same queue without a word of which are known is the same pages."""
    events = OpenLog(build).events
    (sample,) = [event for event in events if event.event == "sample"]
    assert [change.effect for change in sample.changes] == ["sample", "known"]
    plain = Event(event="sample", decided_at=WHEN, reviewer="bob", changes=sample.changes[:1])
    pages = walked(bob)
    assert [*pages] == list(sample_of(bob.session).queue)
    (build.root / "review/decisions.jsonl").unlink()
    (build.root / "review/decisions.backup.jsonl").unlink()
    log = OpenLog(build)
    for event in [*events[:-1], plain]:
        log.append(event)
    again = open_page(opener(build), tmp_path)
    again.cookies["reviewer"] = "bob"
    assert walked(again) == pages


def walked(served: Served) -> dict[str, str]:
    pages = {}
    for qid, text in asked(served):
        pages[qid] = text
        answer(served, qid, "span")
    return pages


def test_what_cannot_be_read_or_is_too_early_is_refused_and_nothing_is_written(bob: Served) -> None:
    (qid, _), line = next(asked(bob)), bob.session.line
    fields = {"qid": qid, "kind": "name", "label": "span", "side": "natural"}
    for name, value in (("label", "spam"), ("label", "x" * 201), ("kind", "praise")):
        assert bob.post("/second/answer", {**fields, name: value}).status == 422
    assert bob.post("/second/start", {"of": "ann", "size": "x"}).status == 422
    assert bob.get("/second/report?sample=99").status == 422
    # The report waits for who has yet to answer.
    assert "kappa" not in bob.get("/second/report").text
    assert "kappa" in bob.get("/second/report?sample=6&open=1").text
    assert bob.session.line == line
