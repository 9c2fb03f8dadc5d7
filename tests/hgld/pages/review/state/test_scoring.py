import multiprocessing
import os
import signal
from collections.abc import Callable

from hgld.engine.workspace import Workspace
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.stage import read_inputs
from hgld.pages.review.session import Happening, ReviewSession
from hgld.review.log.decisions import read_decisions
from hgld.tables import CLUSTERS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import decided, done, look, view_of
from tests.worlds.review.lists import small_settings

LAKE, SALT = "Q23397", "Q200004"
Told = dict[str, tuple[str | None, str, float]]


def shown(session: ReviewSession) -> Told:
    """Returns what the page shows as proposed of each open class."""
    return {
        one.class_qid: (one.answer.hierarchical_label, one.answer.action, one.answer.confidence)
        for group in look(session, "x").groups
        for one in view_of(session, group.group).members
        if one.state == "open"
    }


def anew(workspace: Workspace) -> Told:
    """Returns what is proposed where proposals are made anew of all decisions."""
    taxonomy = small_settings(workspace).taxonomy
    proposals = OpenProposals(read_inputs(workspace, workspace.read(CLUSTERS), taxonomy))
    proposals.decide(
        {
            qid: Ruling(one.hierarchical_label or IGNORE, one.natural_or_human_made)
            for qid, one in read_decisions(workspace).items()
        }
    )
    return {
        one.class_qid: (one.proposed_label, one.proposed_action, one.confidence)
        for one in proposals.proposals()
        if one.tier != "decided"
    }


def test_after_each_decision_proposals_are_those_of_all_decisions(
    session: ReviewSession, opener: Opener
) -> None:
    assert shown(session) == anew(session.workspace)
    steps: list[Callable[[], object]] = [
        lambda: done(session, "ann", "assign", SALT, label="lagoon", side="natural"),
        lambda: done(session, "ann", "accept", all="1", g="c0"),
        lambda: session.undo("ann"),
        lambda: done(session, "ann", "assign", LAKE, label="span"),
        lambda: session.jump("ann", 2),
    ]
    for step in steps:
        step()
        assert session.settle()
        assert shown(session) == anew(session.workspace)
    assert shown(opener(session.workspace)) == shown(session)


def test_the_page_is_told_which_proposals_a_decision_has_changed_and_accept_takes_what_it_showed(
    session: ReviewSession,
) -> None:
    told: list[Happening] = []
    session.listen(told.append)
    first, before = look(session, "ann"), shown(session)
    done(session, "bob", "assign", SALT, label="mere / tarn")
    assert session.settle()
    after = shown(session)
    assert {qid for qid, one in after.items() if one[:2] != before[qid][:2]} == {LAKE}
    assert (before[LAKE][0], after[LAKE][0]) == ("cascade", "mere / tarn")
    bench = look(session, "ann")
    assert bench.rescored is not None
    assert [(one.class_qid, one.before[:7], one.after[:4]) for one in bench.rescored.changed] == [
        (LAKE, "cascade", "mere")
    ]
    assert [(one.kind, one.changed) for one in told] == [("line", 0), ("scored", 1)]
    for scored, label in ((first.scored, "cascade"), (bench.scored, "mere / tarn")):
        done(session, "ann", "accept", LAKE, scored=str(scored), seen=str(first.line))
        assert decided(session)[LAKE] == label
        session.undo("ann")
        assert session.settle()


def test_a_process_of_its_own_outlives_ctrl_c_and_is_replaced_when_killed(
    build: Workspace, opener: Opener
) -> None:
    session = opener(build, scores_apart=True)
    for number, label in ((signal.SIGINT, "lagoon"), (signal.SIGKILL, "lake")):
        (child,) = multiprocessing.active_children()
        assert child.pid is not None
        os.kill(child.pid, number)  # Ctrl-C reaches all processes of a terminal
        if number == signal.SIGKILL:
            child.join()
        done(session, "ann", "assign", SALT, label=label, side="natural")
        assert session.settle()
        assert shown(session) == anew(build)
    session.close()
    assert not multiprocessing.active_children()
