import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import Proposal
from hgld.labels.proposing.stage import read_inputs
from hgld.pages.review.session import Happening, ReviewSession
from hgld.pages.review.state.classes import read_review_classes
from hgld.pages.review.state.scoring import Scored, Scorer
from hgld.review.log.decisions import read_decisions
from hgld.review.log.history import Decision
from hgld.tables import CLUSTERS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import decided, done, look, view_of
from tests.worlds.review.lists import small_settings

WATERFALL, TALL, HORSETAIL, LAKE, SALT, TARN = (
    *("Q34038", "Q1131316", "Q200001", "Q23397", "Q200004", "Q200005"),
)
Told = dict[str, tuple[str | None, str, float]]


def shown(session: ReviewSession) -> Told:
    """Returns what the page shows as proposed of each open class."""
    return {
        one.class_qid: (one.answer.hierarchical_label, one.answer.action, one.answer.confidence)
        for group in look(session, "x").groups
        for one in view_of(session, group.group).members
        if one.state == "open"
    }


def rulings_of(workspace: Workspace) -> dict[str, Ruling]:
    """Returns the decisions of the log as scoring takes them."""

    def ruling(one: Decision) -> Ruling:
        return Ruling(one.hierarchical_label or IGNORE, one.natural_or_human_made)

    return {qid: ruling(one) for qid, one in read_decisions(workspace).items()}


def proposed(workspace: Workspace) -> OpenProposals:
    """Returns the proposals of a build."""
    taxonomy = small_settings(workspace).taxonomy
    return OpenProposals(read_inputs(workspace, workspace.read(CLUSTERS), taxonomy))


def answers(proposals: list[Proposal]) -> Told:
    """Returns what is proposed of each open class."""
    return {
        one.class_qid: (one.proposed_label, one.proposed_action, one.confidence)
        for one in proposals
        if one.tier != "decided"
    }


def anew(workspace: Workspace) -> Told:
    """Returns what is proposed where proposals are made anew of all decisions."""
    proposals = proposed(workspace)
    proposals.decide(rulings_of(workspace))
    return answers(proposals.proposals())


def test_proposals_that_are_read_are_those_that_are_scored(build: Workspace) -> None:
    _, read = read_review_classes(build)
    scored = proposed(build).proposals()
    assert {one.class_qid: one for one in read} == {one.class_qid: one for one in scored}
    assert len({one.confidence for one in read}) > 1


def test_after_each_decision_proposals_are_those_of_all_decisions(
    session: ReviewSession, opener: Opener
) -> None:
    assert shown(session) == anew(session.workspace)
    steps: list[Callable[[], object]] = [
        lambda: done(session, "ann", "assign", SALT, label="lagoon", side="natural"),
        lambda: done(session, "ann", "accept", all="1", g="c0"),
        lambda: session.undo("ann"),
        lambda: done(session, "ann", "assign", LAKE, label="span"),
        lambda: session.undo("ann"),
        lambda: session.jump("ann", 2),
    ]
    for step in steps:
        step()
        assert session.settle()
        assert shown(session) == anew(session.workspace)
    assert shown(opener(session.workspace)) == shown(session)


def test_the_page_is_told_which_proposals_a_decision_has_changed(session: ReviewSession) -> None:
    told: list[Happening] = []
    session.listen(told.append)
    before = shown(session)
    done(session, "ann", "assign", SALT, label="mere / tarn")
    assert session.settle()
    after = shown(session)
    changed = {qid for qid, one in after.items() if one[:2] != before[qid][:2]}
    assert changed == {LAKE}
    bench = look(session, "ann")
    assert bench.rescored is not None
    (one,) = bench.rescored.changed
    assert one.class_qid == LAKE
    assert one.before.startswith("cascade")
    assert one.after.startswith("mere / tarn")
    assert [one.kind for one in told] == ["line", "scored"]
    assert (told[1].scored, told[1].changed) == (bench.scored, 1)
    done(session, "ann", "comment", "Q9259", why="no decision")
    assert not look(session, "ann").is_scoring


def test_accept_takes_what_the_page_showed_and_not_what_came_since(session: ReviewSession) -> None:
    first = look(session, "ann")
    before = shown(session)
    done(session, "bob", "assign", SALT, label="mere / tarn")
    assert session.settle()
    assert (before[LAKE][0], shown(session)[LAKE][0]) == ("cascade", "mere / tarn")
    done(session, "ann", "accept", LAKE, scored=str(first.scored), seen=str(first.line))
    assert decided(session)[LAKE] == "cascade"
    session.undo("ann")
    assert session.settle()
    done(session, "ann", "accept", LAKE, scored=str(look(session, "ann").scored))
    assert decided(session)[LAKE] == "mere / tarn"


class Heard:
    """What a scorer tells."""

    def __init__(self) -> None:
        self.scored: list[Scored] = []
        self._told = threading.Condition()

    def __call__(self, scored: Scored) -> None:
        with self._told:
            self.scored.append(scored)
            self._told.notify_all()

    def wait(self, version: int, count: int = 1) -> dict[str, Proposal]:
        """Returns the last proposals once those of a version were told so many times."""
        with self._told:
            assert self._told.wait_for(
                lambda: sum(each.version >= version for each in self.scored) >= count, 60
            )
            return {one.class_qid: one for each in self.scored for one in each.proposals}


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_process_of_its_own_outlives_ctrl_c_is_replaced_when_killed_and_proposes_the_same(
    session: ReviewSession, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.pages.review.state.scoring._PAUSE_S", 0.0)
    workspace = session.workspace
    scorer = Scorer(workspace.root, small_settings(workspace), heard)
    (child,) = multiprocessing.active_children()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)  # Ctrl-C reaches all processes of a terminal
    done(session, "ann", "accept", all="1", g="c0")
    scorer.start(rulings_of(workspace))
    first = heard.wait(0)
    _, read = read_review_classes(workspace)
    assert 0 < len(first) < len(read)  # what is as the table has it is not told
    done(session, "ann", "assign", SALT, TARN, label="lagoon", side="natural")
    version = scorer.decide(rulings_of(workspace))
    found = {one.class_qid: one for one in read} | heard.wait(version)
    assert answers(list(found.values())) == anew(workspace)
    os.kill(child.pid, signal.SIGKILL)
    heard.wait(version, 2)
    # All of them: the page has others by now than the table.
    assert {one.class_qid for one in heard.scored[-1].proposals} == found.keys()
    assert answers(heard.scored[-1].proposals) == anew(workspace)
    scorer.close()
    assert not multiprocessing.active_children()


def test_a_build_that_cannot_be_scored_any_more_says_so_once(tmp_path: Path, heard: Heard) -> None:
    workspace = Workspace(tmp_path / "empty")
    scorer = Scorer(workspace.root, small_settings(workspace), heard, is_apart=False)
    scorer.start({})
    heard.wait(0)
    assert "labels/clusters" in heard.scored[0].problem
    scorer.close()


def test_a_build_that_cannot_be_opened_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        ReviewSession(Workspace(tmp_path / "empty"))
    assert not multiprocessing.active_children()


def test_decisions_without_a_pause_are_scored_together(
    build: Workspace, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(build.root, small_settings(build), heard, is_apart=False)
    pauses = iter((60.0, 60.0, 0.0))  # each is waited for, until the next decision
    monkeypatch.setattr(scorer, "_pause_s", lambda: next(pauses))
    scorer.start({})
    heard.wait(0)
    rulings = {qid: Ruling("mere / tarn", "natural") for qid in (LAKE, SALT, TARN)}
    for qid, ruling in rulings.items():
        scorer.decide({qid: ruling})
    found = heard.wait(3)
    assert [each.version for each in heard.scored] == [0, 3]
    assert {found[qid].tier for qid in rulings} == {"decided"}
    scorer.close()
