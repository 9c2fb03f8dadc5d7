import threading

from hgld.pages.review.acting.weighing import Conflict
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Said
from hgld.review.log.decisions import read_log
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import asked, decided, done, look, state

LAKE, TARN, SITE, WATERFALL = "Q23397", "Q200005", "Q9259", "Q34038"


def told(session: ReviewSession, action: str, *qids: str, **fields: str) -> Conflict:
    """Returns the conflict that ann meets; nothing is written then."""
    line = session.line
    found = session.act("ann", asked(action, *qids, **fields))
    assert isinstance(found, Conflict)
    assert session.line == line
    return found


def test_the_second_to_change_a_class_is_shown_the_difference_and_nothing_is_written(
    session: ReviewSession,
) -> None:
    done(session, "ann", "assign", LAKE, label="span")
    done(session, "bob", "assign", LAKE, label="mere / tarn", seen="1")
    found = told(session, "ignore", LAKE, SITE, seen="1")
    assert (found.line, found.rest) == (2, 1)
    (row,) = found.rows
    assert (row.class_label, row.before, row.theirs, row.mine) == (
        *("lake", "span (human-made)"),
        *("mere / tarn (natural)", "ignored"),
    )
    assert (row.their_reviewer, row.their_number) == ("bob", 2)
    assert session.line == 2


def test_mine_replaces_theirs_and_both_events_are_kept(session: ReviewSession) -> None:
    done(session, "bob", "assign", LAKE, label="span", seen="0")
    done(session, "ann", "ignore", LAKE, SITE, seen="0", prefer="mine", told="1")
    assert decided(session) == {LAKE: "ignored", SITE: "ignored"}
    events = read_log(session.workspace).events
    assert [(event.reviewer, event.seen) for event in events] == [("bob", 0), ("ann", 1)]


def test_theirs_stays_and_the_rest_is_done(session: ReviewSession) -> None:
    done(session, "bob", "assign", LAKE, label="span", seen="0")
    done(session, "ann", "ignore", LAKE, SITE, seen="0", prefer="theirs")
    assert decided(session) == {LAKE: "span", SITE: "ignored"}
    assert done(session, "ann", "ignore", LAKE, seen="0", prefer="theirs").kind == "nothing"


def test_accepting_what_somebody_else_has_decided_otherwise_meanwhile_is_a_conflict(
    session: ReviewSession,
) -> None:
    done(session, "bob", "ignore", WATERFALL, TARN, seen="0")
    found = told(session, "accept", WATERFALL, TARN, LAKE, seen="0")
    assert {row.class_qid: row.mine for row in found.rows} == {
        WATERFALL: "cascade (natural)",
        TARN: "mere / tarn (natural)",
    }
    done(session, "ann", "accept", TARN, seen="0", prefer="mine", told=str(found.line))
    assert decided(session)[TARN] == "mere / tarn"
    # To who saw it, it is decided, and stays.
    assert done(session, "ann", "accept", WATERFALL, seen="1").kind == "nothing"


def test_the_same_content_ones_own_changes_and_remarks_are_no_conflicts(
    session: ReviewSession,
) -> None:
    done(session, "bob", "ignore", LAKE, seen="0")
    assert done(session, "ann", "ignore", LAKE, seen="0").kind == "nothing"
    done(session, "bob", "assign", LAKE, label="span", seen="1")
    done(session, "ann", "comment", LAKE, why="hm", seen="0")
    done(session, "ann", "split", LAKE, g="c1", seen="0")
    assert decided(session) == {LAKE: "span"}


def test_what_somebody_else_opened_again_is_a_conflict(session: ReviewSession) -> None:
    done(session, "ann", "ignore", LAKE)
    done(session, "bob", "clear", LAKE, seen="1")
    found = told(session, "assign", LAKE, label="span", seen="1")
    assert [(row.before, row.theirs, row.mine) for row in found.rows] == [
        ("ignored", "open", "span (human-made)")
    ]


def test_what_somebody_elses_undo_has_changed_is_a_conflict_and_what_it_has_not_is_none(
    session: ReviewSession,
) -> None:
    done(session, "bob", "assign", LAKE, TARN, label="mere / tarn", seen="0")
    done(session, "ann", "ignore", TARN, seen="1")
    session.undo("bob")
    assert done(session, "ann", "assign", TARN, label="mere / tarn", seen="2").kind == "done"
    found = told(session, "ignore", LAKE, seen="2")
    assert [(row.before, row.theirs, row.their_number) for row in found.rows] == [
        ("mere / tarn (natural)", "open", 3)
    ]
    assert done(session, "ann", "ignore", LAKE, seen="3").kind == "done"


def test_two_sessions_and_many_threads_lose_no_event(
    session: ReviewSession, opener: Opener
) -> None:
    other = opener(session.workspace)
    barrier = threading.Barrier(4)
    problems: list[BaseException] = []

    def work(where: ReviewSession, reviewer: str, qid: str) -> None:
        try:
            barrier.wait()
            for turn in range(4):
                label = ("span", "cascade")[turn % 2]
                done(where, reviewer, "assign", qid, label=label)
        except BaseException as error:  # noqa: BLE001 - told by the test
            problems.append(error)

    people = [
        (session, "ann", LAKE),
        (session, "bob", TARN),
        (other, "carl", SITE),
        (other, "dora", WATERFALL),
    ]
    threads = [threading.Thread(target=work, args=each) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    events = read_log(session.workspace).events
    assert [event.number for event in events] == list(range(1, 17))
    assert decided(session) == dict.fromkeys((LAKE, TARN, SITE, WATERFALL), "cascade")
    session.sync()
    other.sync()
    assert look(session, "x").progress == look(other, "x").progress


def test_mine_does_not_replace_what_a_third_has_decided_since_the_conflict_was_told(
    session: ReviewSession,
) -> None:
    done(session, "bob", "assign", LAKE, label="span", seen="0")
    assert told(session, "ignore", LAKE, seen="0").line == 1
    done(session, "carl", "assign", LAKE, label="cascade", seen="1")
    (row,) = told(session, "ignore", LAKE, seen="0", prefer="mine", told="1").rows
    assert (row.their_reviewer, row.theirs) == ("carl", "cascade (natural)")
    assert done(session, "ann", "ignore", LAKE, seen="0", prefer="mine", told="2").kind == "done"
    # Who never was told of anything prefers nothing.
    done(session, "carl", "assign", LAKE, label="cascade", seen="3")
    told(session, "ignore", LAKE, SITE, seen="0", prefer="mine")


def test_what_another_put_elsewhere_is_a_conflict_for_who_splits_or_merges_it(
    session: ReviewSession,
) -> None:
    done(session, "bob", "merge", WATERFALL, into="c1", seen="0")
    (row,) = told(session, "split", WATERFALL, "Q15324", g="c0", seen="0").rows
    assert (row.class_qid, row.before[-2:], row.theirs[-2:]) == (WATERFALL, "c0", "c1")
    done(session, "ann", "split", WATERFALL, "Q15324", g="c0", seen="0", prefer="theirs")
    groups = {qid: group for qid, (_, _, group) in state(session).items()}
    assert groups[WATERFALL] == "c1"
    assert groups["Q15324"].startswith("g-")
    # To decide on it, or to put it where it is, is none.
    assert done(session, "ann", "ignore", WATERFALL, seen="0").kind == "done"
    assert done(session, "ann", "merge", WATERFALL, into="c1", seen="0").kind == "nothing"


def test_another_window_of_the_same_name_meets_a_conflict_and_the_same_window_none(
    session: ReviewSession,
) -> None:
    done(session, "ann", "assign", LAKE, label="span", seen="0")
    (row,) = told(session, "ignore", LAKE, seen="0").rows
    assert row.their_reviewer.startswith("ann ")
    said = session.act("ann", asked("ignore", LAKE, seen="0"), own={1})
    assert isinstance(said, Said)
    assert said.kind == "done"
    # One's own later edit hides what another did before it.
    done(session, "bob", "assign", TARN, label="span", seen="0")
    done(session, "ann", "assign", TARN, label="cascade", seen="3")
    assert isinstance(session.act("ann", asked("ignore", TARN, seen="0"), own={4}), Said)


def test_what_another_redid_is_a_conflict_for_who_accepts_it(session: ReviewSession) -> None:
    done(session, "bob", "ignore", WATERFALL, LAKE, seen="0")
    session.undo("bob")
    session.redo("bob")
    (row,) = told(session, "accept", WATERFALL, seen="2").rows
    assert (row.before, row.theirs, row.their_number) == ("open", "ignored", 3)
    assert done(session, "ann", "accept", WATERFALL, seen="3").kind == "nothing"
