"""What bob is sent while he is asked, 19 classes and a hidden one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import OpenLog
from hgld.review.log.events import Change, Event
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.reviewed import ANSWERS, WHEN, decided
from tests.hgld.pages.review.served import Served, open_page

pytestmark = pytest.mark.usefixtures("fixed_seed")

QID = re.compile(r"qid&#34;: &#34;(Q\d+)&#34;")


@pytest.fixture
def bob(served: Served) -> Served:
    served.cookies["reviewer"] = "bob"
    assert served.post("/second/start", {"of": "ann", "size": "19"}).status == 200
    return served


def shown(served: Served) -> str:
    """Returns all that a second reviewer is sent before they answer."""
    served.session.sync()
    assert served.session.settle()
    return re.sub(r'name="review-token" content="[^"]+"', "", served.get("/second").text)


def walked(served: Served) -> Iterator[tuple[str, str]]:
    """Yields each class that is asked, and its page, and answers it."""
    while found := QID.search(text := shown(served)):
        yield found[1], text
        answer = {"qid": found[1], "kind": "name", "label": "span"}
        assert served.post("/second/answer", answer).status == 200


def other(answer: str | None) -> str | None:
    return "dam" if answer != "dam" else "cascade"


def test_nothing_that_is_sent_tells_what_was_decided_or_proposed(
    bob: Served, build: Workspace
) -> None:
    qid, before = next(walked(bob))
    log = OpenLog(build)
    for said in (other(ANSWERS[qid]), None, "span"):
        log.append(decided(said, [qid]))
        assert shown(bob) == before
    with bob.session.reading() as board:
        row = board.classes.row[qid]
        assert board.decided[row] == board.names.find("span")
        proposed = board.proposals[row]
    change = Change(classes={qid: "x"}, effect="clear")
    log.append(Event(event="clear", decided_at=WHEN, reviewer="ann", changes=(change,)))
    alike = [one for one in ANSWERS if ANSWERS[one] == ANSWERS[qid] and one != qid]
    log.append(decided(other(ANSWERS[qid]), alike))
    assert shown(bob) == before
    with bob.session.reading() as board:
        assert board.proposals[row] != proposed


def test_nothing_that_is_sent_tells_a_known_class_from_another(
    bob: Served, build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    """The same queue without a word of which are known is the same pages."""
    *before, sample = OpenLog(build).events
    assert [change.effect for change in sample.changes] == ["sample", "known"]
    pages = dict(walked(bob))
    assert [*pages] == [*sample.changes[0].classes]
    for name in ("decisions", "decisions.backup"):
        (build.root / f"review/{name}.jsonl").unlink()
    log = OpenLog(build)
    plain = Event(event="sample", decided_at=WHEN, reviewer="bob", changes=sample.changes[:1])
    for event in (*before, plain):
        log.append(event)
    again = open_page(opener(build), tmp_path)
    again.cookies["reviewer"] = "bob"
    assert dict(walked(again)) == pages


def test_what_cannot_be_read_or_is_too_early_is_refused_and_nothing_is_written(bob: Served) -> None:
    (qid, _), line = next(walked(bob)), bob.session.line
    fields = {"qid": qid, "kind": "name", "label": "span", "side": "natural"}
    for name, value in (("label", "spam"), ("label", "x" * 201), ("kind", "praise")):
        assert bob.post("/second/answer", {**fields, name: value}).status == 422
    assert bob.post("/second/start", {"of": "ann", "size": "x"}).status == 422
    assert bob.get("/second/report?sample=99").status == 422
    assert "kappa" not in bob.get("/second/report").text  # it waits for who has yet to answer
    assert bob.session.line == line
    bob.cookies["reviewer"] = "ann"
    assert "kappa" in bob.get("/second/report").text
