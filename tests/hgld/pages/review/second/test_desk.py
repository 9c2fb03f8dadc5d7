"""Bob is asked about what ann has decided, and what they differ in is settled."""

from collections.abc import Mapping

import pytest
from sklearn.metrics import cohen_kappa_score

from hgld.engine.workspace import Workspace
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.second.desk import Reply, SecondDesk
from hgld.pages.review.second.summary import Report
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import OpenLog
from hgld.review.second_opinion import draw_sample
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, KNOWN, answer_all
from tests.hgld.pages.review.second.reviewed import decided as decision
from tests.hgld.pages.review.served import decided
from tests.worlds.commands.typed import invoke

pytestmark = pytest.mark.usefixtures("fixed_seed")

WRONG: Mapping[str, str | None] = {
    **dict.fromkeys(("Q302", "Q304", "Q327"), "span"),
    "Q309": None,
    "Q315": "dam",
    "Q316": "dam",
    "Q323": "cascade",
}
"""Where bob thinks otherwise."""


def thinks(qid: str) -> str | None:
    return WRONG.get(qid, ANSWERS[qid])


def report(desk: SecondDesk, who: str = "ann") -> Report:
    found = desk.report(who).report
    assert found is not None
    return found


def differing(desk: SecondDesk) -> list[str]:
    return [one.class_qid for one in report(desk).differences]


def test_what_the_seed_draws_is_asked_in_its_order_each_once_and_decides_nothing(
    desk: SecondDesk, session: ReviewSession, build: Workspace, opener: Opener
) -> None:
    before = decided(session)
    desk.start("bob", "ann", 20)
    sample, seed = desk.look("bob").sample, session.events[-1].changes[0].note
    assert sample is not None
    drawn = [qid for qid in sample.queue if qid not in sample.hidden]
    assert drawn == draw_sample(ANSWERS, {one[0]: one[2] for one in CLASSES}, 20, seed=seed)
    assert (len(sample.hidden), sample.hidden <= {*KNOWN}) == (1, True)
    first = answer_all(desk, most=7)
    again = SecondDesk(opener(build))  # a restart, or another process
    assert desk.look("bob") == again.look("bob")
    assert [*first, *answer_all(again, lambda _: "?")] == list(sample.queue)
    assert (report(desk).answered, report(desk).unsure) == (21, 14)
    assert decided(session) == before
    # What is drawn then is of other classes.
    desk.start("bob", "ann", 9)
    assert sorted([*sample.queue, *answer_all(desk)]) == sorted(ANSWERS)
    assert desk.look("bob").others == []


def test_what_cannot_be_drawn_or_answered_writes_nothing(
    desk: SecondDesk, session: ReviewSession
) -> None:
    line = session.line
    for who, of_reviewer, size, word in (
        *(("bob", "ann", 31, "31"), ("bob", "ann", 0, "got 0"), ("bob", "eve", 5, "eve")),
        *(("ann", "ann", 5, "ann"), ("", "ann", 5, "who")),
    ):
        with pytest.raises(RefusedError, match=word):
            desk.start(who, of_reviewer, size)
    assert session.line == line
    desk.start("bob", "ann", 20)
    with pytest.raises(RefusedError, match="answer"):
        desk.start("bob", "ann", 10)
    (first,) = answer_all(desk, most=1)
    assert desk.answer("bob", Reply(first, "ignore")).kind == "nothing"
    current = desk.look("bob").current
    assert current is not None
    with pytest.raises(RefusedError, match="first"):
        desk.answer("bob", Reply(current.class_qid, "first"))
    assert desk.answer("bob", Reply(current.class_qid, "name", "alp", "natural")).kind == "done"
    assert "alp" in {name.hierarchical_label for name in desk.look("bob").names}
    assert session.line == line + 3
    assert desk.report("bob").report is None  # until all is answered
    assert [session.undo("bob").kind for _ in range(4)] == [*["done"] * 3, "nothing"]
    assert desk.look("bob").sample is None


def test_agreement_is_what_scikit_learn_says_and_each_is_measured_on_known_answers(
    desk: SecondDesk, build: Workspace
) -> None:
    desk.start("bob", "ann", 20)
    asked = answer_all(desk, thinks)
    sample = desk.look("bob").sample
    assert sample is not None
    drawn = [qid for qid in asked if qid not in sample.hidden]
    columns = [[said(qid) or "ignored" for qid in drawn] for said in (ANSWERS.get, thinks)]
    found = report(desk)
    assert found.labels.kappa.kappa == pytest.approx(cohen_kappa_score(*columns), abs=1e-12)
    assert found.sides.kappa.cases < len(drawn) == found.labels.kappa.cases == 20
    known = [qid for qid in asked if qid in KNOWN]
    ann, bob = found.scores
    assert (ann.score.right, ann.score.answered, len(found.right)) == (len(known),) * 3
    assert list(bob.score.wrong) == [qid for qid in sorted(known) if qid in WRONG]
    assert bob.said.items() >= {qid: WRONG[qid] for qid in bob.score.wrong}.items()
    status = invoke("review", "--root", build.root, "--status").stdout
    assert "21 of 21" in status
    assert f"{found.labels.kappa.kappa:.2f}" in status


@pytest.mark.parametrize("kind", ["first", "second", "name", "ignore"])
def test_a_settled_difference_leaves_the_list_and_is_decided_so(
    desk: SecondDesk, session: ReviewSession, build: Workspace, kind: str
) -> None:
    desk.start("bob", "ann", 20)
    answer_all(desk, thinks)
    before = report(desk)
    qid, other = [qid for qid in differing(desk) if ANSWERS[qid] and WRONG[qid]][:2]
    label = "mere / tarn" if kind == "name" else ""
    view = desk.report("eve")
    assert view.sample is not None
    desk.settle("eve", view.sample.number, Reply(qid, kind, label, seen=view.line))
    expected = {"first": ANSWERS[qid], "second": WRONG[qid], "name": label, "ignore": "ignored"}
    assert decided(session)[qid] == expected[kind]
    for word in ("ann", ANSWERS[qid], "bob", WRONG[qid]):
        assert str(word) in session.events[-1].why
    after = report(desk)
    assert differing(desk) == [one.class_qid for one in before.differences if one.class_qid != qid]
    # What they thought alone is not changed by what they settled.
    alone = [(one.labels, one.scores, one.confusions) for one in (before, after)]
    assert alone[0] == alone[1]
    # What has just been decided by somebody else is looked at first.
    OpenLog(build).append(decision("cascade", [other], "carol"))
    late = desk.settle("eve", view.sample.number, Reply(other, kind, label, seen=view.line))
    assert (late.kind, "carol" in late.text) == ("nothing", True)
