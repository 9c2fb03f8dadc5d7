from collections.abc import Mapping

import pytest
from sklearn.metrics import cohen_kappa_score

from hgld.engine.workspace import Workspace
from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.material import Reply
from hgld.pages.review.second.settling import SecondReports
from hgld.pages.review.second.views import SecondReport
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import OpenLog
from hgld.review.second_opinion import share_interval
from tests.hgld.pages.review.second.bob import answer_all, sample_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, KNOWN, SIDES, decided
from tests.worlds.commands.typed import invoke

pytestmark = pytest.mark.usefixtures("fixed_seed")

LANDMARKS = {qid: landmarks for qid, _, landmarks, _ in CLASSES}
WRONG: Mapping[str, str | None] = {
    "Q302": "span",
    "Q304": "span",
    "Q309": None,
    "Q315": "dam",
    "Q316": "dam",
    "Q323": "cascade",
    "Q327": "span",
}
"""Where bob thinks otherwise."""


def thinks(qid: str) -> str | None:
    return WRONG.get(qid, ANSWERS[qid])


@pytest.fixture
def answered(desk: BlindDesk, reports: SecondReports) -> SecondReports:
    """Bob has answered 20 classes, and one that is hidden."""
    desk.start("bob", "ann", 20)
    answer_all(desk, thinks)
    return reports


def differing(report: SecondReport) -> list[str]:
    return [row.class_qid for row in report.differences]


def settle(reports: SecondReports, qid: str, kind: str, who: str = "ann", **more: str) -> str:
    report = reports.report(who)
    reply = Reply(qid=qid, kind=kind, seen=report.line, **more)  # type: ignore[arg-type]
    return reports.settle(who, report.number, reply).text


def test_agreement_equals_what_scikit_learn_says_and_sums_say(
    answered: SecondReports, session: ReviewSession
) -> None:
    sample = sample_of(session)
    drawn = [qid for qid in sample.queue if qid not in sample.hidden]
    first = [ANSWERS[qid] or "ignored" for qid in drawn]
    second = [thinks(qid) or "ignored" for qid in drawn]
    labels, sides = answered.report("ann").rows
    assert labels.kappa.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    same = [qid for qid in drawn if qid not in WRONG]
    assert len(same) < len(drawn) == labels.kappa.cases == 20
    assert labels.kappa.observed == pytest.approx(len(same) / 20)
    total = sum(LANDMARKS[qid] for qid in drawn)
    assert labels.by_landmarks == pytest.approx(sum(LANDMARKS[qid] for qid in same) / total)
    sided = [(ANSWERS[qid], thinks(qid)) for qid in drawn if ANSWERS[qid] and thinks(qid)]
    both = [[SIDES[one or ""] for one in column] for column in zip(*sided, strict=True)]
    assert sides.kappa.kappa == pytest.approx(cohen_kappa_score(*both), abs=1e-12)
    assert sides.kappa.cases == len(sided) < 20


def test_each_is_measured_on_the_known_answers(
    answered: SecondReports, session: ReviewSession
) -> None:
    known = [qid for qid in sample_of(session).queue if qid in KNOWN]
    right = sum(qid not in WRONG for qid in known)
    report = answered.report("ann")
    ann, bob = report.known
    assert (ann.reviewer, ann.score.right, ann.score.answered) == ("ann", len(known), len(known))
    assert (bob.reviewer, bob.score.right) == ("bob", right)
    assert (bob.score.low, bob.score.high) == share_interval(right, len(known))
    labels = {qid: label for qid, label, _, _ in CLASSES}
    assert {tuple(one) for one in bob.wrong} == {
        (labels[qid], WRONG[qid], ANSWERS[qid]) for qid in known if qid in WRONG
    }
    assert (report.known_classes, report.hidden) == (len(known), 1)


@pytest.mark.parametrize("kind", ["first", "second", "name", "ignore"])
def test_a_settled_difference_leaves_the_list_and_is_decided_so(
    answered: SecondReports, session: ReviewSession, kind: str
) -> None:
    before = answered.report("eve")
    qid = next(qid for qid in differing(before) if ANSWERS[qid] and WRONG[qid])
    more = {"label": "mere / tarn"} if kind == "name" else {}
    settle(answered, qid, kind, "eve", **more)
    expected = {"first": ANSWERS[qid], "second": WRONG[qid], "name": "mere / tarn", "ignore": None}
    event = session.events[-1]
    assert (event.event, event.reviewer) == ("settle", "eve")
    for word in ("ann", ANSWERS[qid], "bob", WRONG[qid]):
        assert str(word) in event.why
    with session.reading() as board:
        assert board.standing.decisions()[qid].hierarchical_label == expected[kind]
        assert board.standing.opinions["bob"][qid].change.hierarchical_label == WRONG[qid]
    after = answered.report("eve")
    assert differing(after) == [other for other in differing(before) if other != qid]
    assert after.settled == 1
    # What they thought alone is not changed by what they settled.
    assert (after.rows, after.known, after.pairs) == (before.rows, before.known, before.pairs)


def test_a_decision_that_came_since_the_page_was_shown_is_looked_at_first(
    answered: SecondReports, session: ReviewSession, build: Workspace
) -> None:
    report = answered.report("bob")
    qid = next(qid for qid in differing(report) if ANSWERS[qid] == "cascade")
    OpenLog(build).append(decided("dam", [qid], "eve"))
    said = answered.settle("bob", report.number, Reply(qid=qid, kind="first", seen=report.line))
    assert said.kind == "nothing"
    assert "eve" in said.text
    row = next(row for row in answered.report("bob").differences if row.class_qid == qid)
    assert (row.first.hierarchical_label, row.first_reviewer) == ("dam", "eve")
    assert session.events[-1].reviewer == "eve"


def test_the_status_tells_how_far_a_second_opinion_is_and_how_far_two_agree(
    answered: SecondReports, build: Workspace
) -> None:
    kappa = answered.report("ann").rows[0].kappa.kappa
    status = invoke("review", "--root", build.root, "--status").stdout
    for told in ("21 of 21", f"{kappa:.2f}"):
        assert told in status
