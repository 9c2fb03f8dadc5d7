import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.material import Ruling
from hgld.labels.proposing.rows import Proposal
from hgld.labels.proposing.stage import material_of_build
from hgld.pages.review.session import Happening, ReviewSession
from hgld.pages.review.state import scoring
from hgld.pages.review.state.classes import read_review_classes
from hgld.pages.review.state.scoring import Scored, Scorer
from hgld.tables import CLUSTERS
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done, look
from tests.worlds.review.lists import small_settings

WATERFALL, TALL, HORSETAIL, LAKE, SALT, TARN = (
    *("Q34038", "Q1131316", "Q200001", "Q23397", "Q200004", "Q200005"),
)


def shown(session: ReviewSession) -> dict[str, tuple[str | None, str, float]]:
    """Returns what is proposed of each open class."""
    found: dict[str, tuple[str | None, str, float]] = {}
    for group in look(session, "x").groups:
        view = look(session, "x", group.group).view
        assert view is not None
        for one in view.members:
            if one.state == "open":
                answer = one.answer
                found[one.class_qid] = (
                    *(answer.hierarchical_label, answer.action),
                    answer.confidence,
                )
    return found


def anew(session: ReviewSession) -> dict[str, tuple[str | None, str, float]]:
    """Returns the same from proposals that are made anew of all decisions."""
    settings = small_settings(session.workspace)
    material = material_of_build(
        session.workspace, session.workspace.read(CLUSTERS), settings.taxonomy
    )
    proposals = OpenProposals(material)
    proposals.decide(session._board.rulings())
    found: dict[str, tuple[str | None, str, float]] = {
        one.class_qid: (one.proposed_label, one.proposed_action, one.confidence)
        for one in proposals.proposals()
        if one.tier != "decided"
    }
    return found


def test_proposals_that_are_read_are_those_that_are_scored_so_that_no_line_is_written_anew(
    build: Workspace,
) -> None:
    _, read = read_review_classes(build)
    taxonomy = small_settings(build).taxonomy
    scored = OpenProposals(material_of_build(build, build.read(CLUSTERS), taxonomy)).proposals()
    assert {one.class_qid: one for one in read} == {one.class_qid: one for one in scored}
    assert len({one.confidence for one in read}) > 1


def test_a_line_of_the_list_is_the_same_where_only_confidences_are_others(
    session: ReviewSession,
) -> None:
    before = look(session, "ann").groups
    board = session._board
    board.put(1, [one._replace(confidence=one.confidence / 2) for one in board.proposals])
    assert look(session, "ann").groups == before


def test_after_each_decision_proposals_are_those_of_all_decisions(session: ReviewSession) -> None:
    assert shown(session) == anew(session)
    steps: list[Callable[[], object]] = [
        lambda: done(session, "ann", "assign", SALT, label="lagoon", side="natural"),
        lambda: done(session, "ann", "accept", all="1", g="c0"),
        lambda: session.undo("ann"),
        lambda: done(session, "ann", "assign", LAKE, label="span"),
        lambda: session.undo("ann"),
        lambda: session.undo("ann"),
        lambda: session.jump("ann", 2),
    ]
    for step in steps:
        step()
        assert session.settle()
        assert shown(session) == anew(session)
        assert session._board.version == session._rescoring._asked


def test_the_page_is_told_which_proposals_a_decision_has_changed(session: ReviewSession) -> None:
    told: list[Happening] = []
    session.listen(told.append)
    before = shown(session)
    done(session, "ann", "assign", WATERFALL, TARN, label="cascade")
    assert session.settle()
    after = shown(session)
    changed = {qid for qid, one in after.items() if one[:2] != before[qid][:2]}
    assert changed == {LAKE}
    bench = look(session, "ann")
    assert bench.rescored is not None
    assert {one.class_qid for one in bench.rescored.changed} == changed
    assert bench.rescored.changed_count == len(changed)
    (one,) = bench.rescored.changed
    assert one.before.startswith("cascade 5")
    assert one.after.startswith("mere / tarn ")
    assert [one.kind for one in told] == ["line", "scored"]
    assert (told[1].scored, told[1].changed) == (bench.scored, len(changed))
    done(session, "ann", "ignore", "Q9259")
    assert session.settle()
    done(session, "ann", "comment", "Q9259", why="no decision")
    assert not look(session, "ann").is_scoring


def test_accept_takes_what_the_page_showed_and_not_what_came_since(session: ReviewSession) -> None:
    first = look(session, "ann")
    before = shown(session)
    done(session, "bob", "assign", WATERFALL, TARN, label="cascade")
    assert session.settle()
    after = shown(session)
    assert (before[LAKE][0], after[LAKE][0]) == ("cascade", "mere / tarn")
    done(session, "ann", "accept", LAKE, scored=str(first.scored), seen=str(first.line))
    assert session._board.standing.decisions()[LAKE].hierarchical_label == "cascade"
    session.undo("ann")
    assert session.settle()
    done(session, "ann", "accept", LAKE, scored=str(look(session, "ann").scored))
    assert session._board.standing.decisions()[LAKE].hierarchical_label == "mere / tarn"


def test_a_session_starts_with_what_is_proposed_after_the_decisions_in_the_log(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "assign", SALT, TARN, label="lagoon", side="natural")
    assert session.settle()
    assert shown(opener(session.workspace)) == shown(session)


class Heard:
    """What a scorer tells."""

    def __init__(self) -> None:
        self.scored: list[Scored] = []

    def __call__(self, scored: Scored) -> None:
        self.scored.append(scored)

    def wait(self, version: int, count: int = 1) -> dict[str, Proposal]:
        """Returns the last proposals once those of a version were told so many times."""
        until = time.monotonic() + 60
        while sum(each.version >= version for each in self.scored) < count:
            assert time.monotonic() < until
            time.sleep(0.02)
        found = {}
        for each in tuple(self.scored):
            found.update({one.class_qid: one for one in each.proposals})
        return found


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_process_of_its_own_proposes_the_same_and_ends_with_the_scorer(
    session: ReviewSession, heard: Heard
) -> None:
    workspace = session.workspace
    done(session, "ann", "accept", all="1", g="c0")
    scorer = Scorer(workspace.root, small_settings(workspace), heard)
    scorer.start(session._board.rulings())
    others = set(heard.wait(0))
    done(session, "ann", "assign", SALT, TARN, label="lagoon", side="natural")
    version = scorer.decide({qid: session._board.rulings()[qid] for qid in (SALT, TARN)})
    _, read = read_review_classes(workspace)
    assert 0 < len(others) < len(read)
    found = {one.class_qid: one for one in read} | heard.wait(version)
    told = {
        qid: (one.proposed_label, one.proposed_action, one.confidence)
        for qid, one in found.items()
        if one.tier != "decided"
    }
    assert told == anew(session)
    assert multiprocessing.active_children()
    scorer.close()
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_is_replaced_and_knows_all_decisions(
    session: ReviewSession, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = session.workspace
    scorer = Scorer(workspace.root, small_settings(workspace), heard)
    scorer.start({})
    heard.wait(0)
    done(session, "ann", "accept", all="1", g="c0")
    version = scorer.decide(dict(session._board.rulings()))
    heard.wait(version)
    (child,) = multiprocessing.active_children()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    heard.wait(version, 2)
    # All of them: the page has others by now than the table.
    last = {one.class_qid: one for one in heard.scored[-1].proposals}
    assert set(last) == set(session._board.classes.qids)
    assert last[WATERFALL].tier == "decided"
    assert "ended; it is restarted" in caplog.text
    scorer.close()
    assert not multiprocessing.active_children()


def test_ctrl_c_does_not_reach_it_while_it_starts_nor_later(
    build: Workspace, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = Scorer(build.root, small_settings(build), heard)
    (child,) = multiprocessing.active_children()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    scorer.start({})
    heard.wait(0)
    os.kill(child.pid, signal.SIGINT)
    heard.wait(scorer.decide({LAKE: Ruling("lake", "natural")}))
    scorer.close()
    assert not caplog.text


def test_a_build_that_cannot_be_scored_any_more_says_so_once(tmp_path: Path, heard: Heard) -> None:
    workspace = Workspace(tmp_path / "empty")
    scorer = Scorer(workspace.root, small_settings(workspace), heard, is_apart=False)
    scorer.start({})
    heard.wait(0)
    assert "labels/clusters is not there yet" in heard.scored[0].problem
    scorer.close()


def test_where_nothing_is_decided_the_proposals_of_the_table_are_left_as_they_are(
    build: Workspace, heard: Heard
) -> None:
    scorer = Scorer(build.root, small_settings(build), heard, is_apart=False)
    scorer.start({})
    heard.wait(0)
    assert heard.scored == [Scored(0, [])]
    scorer.close()


def test_a_build_that_cannot_be_opened_leaves_no_process(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "empty")
    with pytest.raises(MissingInputError):
        ReviewSession(workspace)
    assert not multiprocessing.active_children()


def test_who_decides_without_a_pause_is_waited_for_longer(
    workspace: Workspace, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, jobs = Scorer(workspace.root, small_settings(workspace), heard), list[scoring._Job]()
    monkeypatch.setattr(scorer, "_send", jobs.append)
    monkeypatch.setattr(scoring, "_HURRY_S", 60.0)
    for qid in (LAKE, SALT, TARN):
        scorer.decide({qid: Ruling("lake", "natural")})
    monkeypatch.setattr(scoring, "_HURRY_S", 0.0)
    scorer.decide({LAKE: None})
    first, *hurried, last = (job.pause_s for job in jobs)
    assert 0 < first == last < min(hurried)
    assert len(hurried) == 2
    scorer.close()


def test_what_comes_in_that_time_is_scored_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = Pipe()
    lake, tarn = Ruling("lake", "natural"), Ruling("tarn", "natural")
    with here, there:
        here.send(scoring._Job(1, {LAKE: lake, TARN: lake}, 60.0))
        later = scoring._Job(2, {TARN: tarn, SALT: None})
        sender = threading.Timer(0.2, here.send, [later])
        sender.start()
        assert scoring._jobs(there) == (2, {LAKE: lake, TARN: tarn, SALT: None}, 0.0)
        sender.join()
        # Nobody is waited for without end; and who ends it is not waited for at all.
        monkeypatch.setattr(scoring, "_MOST_PAUSE_S", 0.1)
        here.send(scoring._Job(3, {}, 60.0))
        assert scoring._jobs(there) == (3, {}, 60.0)
        here.send(None)
        assert scoring._jobs(there) is None


def test_a_page_without_scoring_goes_on(
    session: ReviewSession, caplog: pytest.LogCaptureFixture
) -> None:
    session._rescoring._take_up(Scored(0, [], "no memory"))
    assert "scored no more: no memory" in caplog.text
    done(session, "ann", "accept", LAKE)
    assert not look(session, "ann").is_scoring
