import threading
from collections.abc import Callable

from hgld.engine.workspace import Workspace
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.stage import read_inputs
from hgld.labels.taxonomy.rows import TaxonomyTables, load_taxonomy_tables
from hgld.pages.review.scoring import Scorer
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import read_decisions
from hgld.tables import CLUSTERS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import decided, done, look, view_of
from tests.worlds.review.lists import small_settings

LAKE, SALT = "Q23397", "Q200004"
Told = dict[str, tuple[str | None, bool, float]]


def shown(session: ReviewSession) -> Told:
    """Returns what the page shows as proposed of each open class."""
    return {
        one.class_qid: (one.answer.hierarchical_label, one.is_sure, one.confidence)
        for group in look(session, "x").groups
        for one in view_of(session, group.group).rows
        if one.state == "open"
    }


def taxonomy_of(workspace: Workspace) -> TaxonomyTables:
    return load_taxonomy_tables(small_settings(workspace).taxonomy)


def anew(workspace: Workspace) -> Told:
    """Returns what is proposed where proposals are made anew of all decisions."""
    inputs = read_inputs(workspace, workspace.read(CLUSTERS), taxonomy_of(workspace))
    proposals = OpenProposals(inputs)
    proposals.decide(
        {
            qid: Ruling(one.hierarchical_label or IGNORE, one.natural_or_human_made)
            for qid, one in read_decisions(workspace).items()
        }
    )
    return {
        one.class_qid: (one.proposed_label or "", one.proposed_action != "ask", one.confidence)
        for one in proposals.proposals()
        if one.tier != "decided"
    }


def test_after_each_decision_proposals_are_those_of_all_decisions(
    session: ReviewSession, opener: Opener
) -> None:
    assert shown(session) == anew(session.workspace)
    steps: list[Callable[[], object]] = [
        lambda: done(session, "ann", "name", SALT, label="lagoon", side="natural"),
        lambda: done(session, "ann", "accept_row", "Q34038", "Q1131316", "Q200002", g="c0"),
        lambda: session.undo("ann"),
        lambda: done(session, "ann", "name", LAKE, label="span"),
        lambda: session.revert("ann", 1),
    ]
    for step in steps:
        step()
        assert session.settle()
        assert shown(session) == anew(session.workspace)
    assert shown(opener(session.workspace)) == shown(session)


def test_the_page_is_told_which_proposals_a_decision_has_changed_and_accept_takes_what_it_showed(
    session: ReviewSession,
) -> None:
    renewed = session.renewed
    first, before = look(session, "ann"), shown(session)
    done(session, "bob", "name", SALT, label="mere / tarn")
    assert session.settle()
    after = shown(session)
    assert {qid for qid, one in after.items() if one[:2] != before[qid][:2]} == {LAKE}
    assert (before[LAKE][0], after[LAKE][0]) == ("cascade", "mere / tarn")
    now = look(session, "ann")
    assert session.renewed == renewed + 1
    for scored, label in ((first.scored, "cascade"), (now.scored, "mere / tarn")):
        done(session, "ann", "accept_row", LAKE, scored=str(scored), seen=str(first.line))
        assert decided(session)[LAKE] == label
        session.undo("ann")
        assert session.settle()


def test_what_is_scored_waits_for_the_answer_that_is_being_made(session: ReviewSession) -> None:
    answering, told = threading.Lock(), []
    scorer = Scorer(
        *(session.workspace, taxonomy_of(session.workspace), {}),
        *(lambda _, proposals: told.append(proposals), answering),
    )
    assert scorer.wait(60)
    with answering:
        scorer.decide({SALT: Ruling("mere / tarn", "natural")})
        assert not scorer.wait(0.5)
    assert scorer.wait(60)
    assert {one.class_qid for one in told[-1]} >= {SALT, LAKE}
    scorer.close()
