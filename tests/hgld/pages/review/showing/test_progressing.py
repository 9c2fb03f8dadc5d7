from collections.abc import Sequence
from dataclasses import replace

import pytest

from hgld.pages.review.acting.wording import percent_of
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.showing.progressing import pace_of
from hgld.review.log.events import Change, Event
from hgld.review.status import review_status
from tests.hgld.pages.review.served import done, look, view_of

WATERFALL, TALL = "Q34038", "Q1131316"


def events_at(seconds: Sequence[int], reviewer: str = "ann") -> list[Event]:
    """Returns an event of a reviewer at each second of a day."""
    change = Change(classes={"Q1": "lake"}, effect="ignore")
    return [
        Event(
            event="ignore",
            number=number,
            decided_at=f"2026-01-01T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}+00:00",
            reviewer=reviewer,
            changes=(change,),
        )
        for number, at in enumerate(seconds, 1)
    ]


def test_the_pace_is_the_median_of_the_seconds_between_ones_own_events() -> None:
    # Between: 2, 4, 6, a pause, 8, 10; the median of 2, 4, 6, 8, 10 is 6.
    events = events_at([0, 2, 6, 12, 12 + 301, 12 + 309, 12 + 319])
    assert pace_of(events, "ann") == (6.0, 7)
    others = events_at(range(0, 100, 1), "bob")
    assert pace_of([*events, *others], "ann") == (6.0, 7)
    blind = [replace(event, event="opinion") for event in events_at(range(1000, 1100, 1))]
    assert pace_of([*events, *blind], "ann") == (6.0, 7)


@pytest.mark.parametrize("seconds", [[], [0, 1, 2, 3, 4], [0, 1000, 2000, 3000, 4000, 5000, 6000]])
def test_of_too_little_there_is_no_pace(seconds: list[int]) -> None:
    assert pace_of(events_at(seconds), "ann") is None


def test_the_time_that_is_left_is_told_once_there_is_a_pace(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(f"2026-01-01T00:00:{second:02}+00:00" for second in range(0, 60, 4))
    monkeypatch.setattr("hgld.pages.review.session._now", lambda: next(clock))
    assert look(session, "ann").progress.left_s is None
    for member in view_of(session, "c0").members:
        done(session, "ann", "accept", member.class_qid)
    done(session, "ann", "comment", "Q9259", why="one more")
    progress = look(session, "ann").progress
    # 6 events settled a group of 4, 4 seconds each; 3 groups are left.
    assert (progress.groups_done, progress.groups) == (1, 4)
    assert progress.left_s == pytest.approx(4 * 6 * 3)
    assert look(session, "bob").progress.left_s is None


def test_a_landmark_is_settled_when_all_of_its_classes_are_as_status_tells_too(
    session: ReviewSession,
) -> None:
    assert look(session, "ann").progress.landmarks == 67
    # Landmark 1 is a waterfall and a tall waterfall.
    steps = ((("accept", WATERFALL), 8), (("accept", TALL), 9 + 4), (("clear", WATERFALL), 4))
    for (action, qid), settled in steps:
        done(session, "ann", action, qid)
        progress, status = look(session, "ann").progress, review_status(session.workspace).progress
        assert progress.settled == status.landmarks - status.landmarks_open == settled
        assert progress.landmarks == status.landmarks
    done(session, "ann", "accept", all="1", g="")
    progress = look(session, "ann").progress
    assert (progress.settled, progress.groups_done, progress.groups_to_90) == (67, 4, None)


def test_groups_to_90_counts_the_groups_in_order_that_settle_nine_tenths(
    session: ReviewSession,
) -> None:
    groups = look(session, "ann").groups
    assert sum(group.landmarks for group in groups) == 68  # one landmark is counted twice
    needed = look(session, "ann").progress.groups_to_90
    assert needed is not None
    for group in groups[: needed - 1]:
        done(session, "ann", "accept", all="1", g=group.group)
    before = look(session, "ann").progress
    assert before.settled < 0.9 * 67
    assert before.groups_to_90 == 1
    done(session, "ann", "accept", all="1", g=groups[needed - 1].group)
    assert look(session, "ann").progress.settled >= 0.9 * 67


def test_the_plot_tells_what_was_settled_after_each_of_the_last_events(
    session: ReviewSession,
) -> None:
    done(session, "ann", "ignore", "Q9259")
    done(session, "ann", "ignore", "Q23397", "Q200009")
    session.undo("ann")
    points = session.look_back.progress_points()
    assert [point[1:] for point in points] == [(1, 12), (3, 22), (1, 12)]
    for _ in range(40):
        session.redo("ann")
        session.undo("ann")
    points = session.look_back.progress_points()
    assert len(points) < 84
    assert points[-1][1:] == (1, 12)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.9499, "94%"), (0.95, "95%"), (0.29, "29%"), (0.999, "99%"), (1.0, "100%")],
)
def test_what_reads_95_percent_is_no_less(share: float, text: str) -> None:
    assert percent_of(share) == text
