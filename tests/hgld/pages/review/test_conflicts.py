import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict, Outcome, Question
from hgld.review.log.decisions import read_log
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import asked, decided, done, look, state

LAKE, TARN, SITE, WATERFALL = "Q23397", "Q200005", "Q9259", "Q34038"
_QIDS = {"lake": LAKE, "tarn": TARN, "site": SITE, "waterfall": WATERFALL}


def acts(session: ReviewSession, words: str) -> Outcome | Conflict | Question:
    """Does what is said as `bob name lake tarn label=span`."""
    who, action, *rest = words.split()
    if action in {"undo", "redo"}:
        return session.undo(who) if action == "undo" else session.redo(who)
    fields = dict(word.split("=") for word in rest if "=" in word)
    qids = [_QIDS[word] for word in rest if "=" not in word]
    return session.act(who, asked(action, *qids, **fields))


def told(session: ReviewSession, words: str) -> Conflict:
    """Returns the conflict that somebody meets; nothing is written then."""
    line = session.line
    found = acts(session, words)
    assert isinstance(found, Conflict)
    assert session.line == line
    return found


@pytest.mark.parametrize(
    ("before", "words", "rows"),
    [
        (
            "ann name lake label=span; bob name lake label=cascade seen=1",
            "ann ignore lake site seen=1",
            ["lake: span (human-made), now cascade (natural) by bob; mine: ignored"],
        ),
        (
            "bob ignore waterfall tarn",
            "ann accept_row waterfall tarn lake seen=0",
            [
                "waterfall: open, now ignored by bob; mine: cascade (natural)",
                "tarn: open, now ignored by bob; mine: mere / tarn (natural)",
            ],
        ),
        (
            "bob name lake tarn label=span; bob undo",
            "ann ignore lake seen=1",
            ["lake: span (human-made), now open by bob; mine: ignored"],
        ),
        (
            "bob merge g=c0 into=c1",
            "ann split waterfall lake g=c0 seen=0",
            [
                (
                    "waterfall: in a group that is no more, now in the group of waterfall by bob; "
                    "mine: in a group of its own"
                )
            ],
        ),
        ("bob ignore lake", "ann ignore lake seen=0", []),  # the same
        ("bob ignore lake", "ann accept_row lake seen=1", []),  # to who saw it, it is decided
        ("bob ignore lake", "ann comment lake why=hm seen=0", []),
        ("bob ignore lake", "ann split lake g=c1 seen=0", []),
        ("bob merge g=c0 into=c1", "ann ignore waterfall seen=0", []),
    ],
)
def test_what_another_has_changed_unseen_is_shown_and_nothing_is_written(
    session: ReviewSession, before: str, words: str, rows: list[str]
) -> None:
    for step in before.split("; "):
        acts(session, step)
    line, found = session.line, acts(session, words)
    conflicts = found.rows if isinstance(found, Conflict) else ()
    assert isinstance(found, Outcome) or session.line == line
    assert rows == [
        f"{row.class_label}: {row.before}, now {row.theirs} by {row.their_reviewer}; "
        f"mine: {row.mine}"
        for row in conflicts
    ]


def test_mine_does_not_replace_what_a_third_has_decided_since_the_conflict_was_told(
    session: ReviewSession,
) -> None:
    acts(session, "bob name lake label=span")
    assert told(session, "ann ignore lake seen=0").line == 1
    acts(session, "carl name lake label=cascade seen=1")
    (row,) = told(session, "ann ignore lake seen=1").rows
    assert (row.their_reviewer, row.theirs) == ("carl", "cascade (natural)")
    assert isinstance(acts(session, "ann ignore lake seen=2"), Outcome)
    acts(session, "carl name lake label=cascade seen=3")
    told(session, "ann ignore lake site seen=3")
    acts(session, "ann ignore lake site seen=3 keep=theirs")
    assert decided(session) == {LAKE: "cascade", SITE: "ignored"}


def test_two_sessions_and_many_threads_lose_no_event(
    session: ReviewSession, opener: Opener
) -> None:
    other = opener(session.workspace)
    barrier = threading.Barrier(4)

    def work(where: ReviewSession, reviewer: str, qid: str) -> None:
        barrier.wait()
        for label in ("span", "cascade") * 2:
            done(where, reviewer, "name", qid, label=label)

    with ThreadPoolExecutor(4) as pool:
        people = ("ann", "bob", "carl", "dora")
        list(pool.map(work, (session, other) * 2, people, _QIDS.values()))
    events = read_log(session.workspace).events
    assert [event.number for event in events] == list(range(1, 17))
    assert decided(session) == dict.fromkeys(_QIDS.values(), "cascade")
    session.sync()
    other.sync()
    assert state(session) == state(other)
    assert look(session, "x").progress == look(other, "x").progress
