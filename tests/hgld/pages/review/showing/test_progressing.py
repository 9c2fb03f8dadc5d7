from collections.abc import Sequence
from dataclasses import replace

import pytest

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
    blind = [replace(event, event="opinion") for event in events_at(range(1000, 1100))]
    assert pace_of([*events, *events_at(range(100), "bob"), *blind], "ann") == (6.0, 7)
    for few in ([], range(5), range(0, 7000, 1000)):
        assert pace_of(events_at(few), "ann") is None


def test_progress_counts_settled_landmarks_as_status_does_and_tells_what_is_left(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(f"2026-01-01T00:00:{second:02}+00:00" for second in range(0, 60, 4))
    monkeypatch.setattr("hgld.pages.review.session._now", lambda: next(clock))
    # Landmark 1 is a waterfall and a tall waterfall.
    steps = ((("accept", WATERFALL), 8), (("accept", TALL), 9 + 4), (("clear", WATERFALL), 4))
    for (action, qid), settled in steps:
        done(session, "ann", action, qid)
        progress, status = look(session, "ann").progress, review_status(session.workspace).progress
        assert progress.settled == status.landmarks - status.landmarks_open == settled
        assert progress.landmarks == status.landmarks == 67
        assert progress.left_s is None
    for member in view_of(session, "c0").members:
        if member.state == "open":
            done(session, "ann", "accept", member.class_qid)
    progress = look(session, "ann").progress
    # 7 events settled a group of 4, 4 seconds each; 3 groups are left.
    assert (progress.groups_done, progress.groups) == (1, 4)
    assert progress.left_s == pytest.approx(4 * 7 * 3)
    assert look(session, "bob").progress.left_s is None
    done(session, "ann", "accept", all="1", g="")
    progress = look(session, "ann").progress
    assert (progress.settled, progress.groups_done, progress.groups_to_90) == (67, 4, None)
    assert session.look_back.progress_points()[-1][2] == 67
