"""A log on the classes of a later scrape."""

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_event, read_log
from hgld.review.log.events import Change, Event
from hgld.review.log.undoing import undo
from hgld.review.status import Replayed, replay
from tests.worlds.review.sheets import ALL, CHURCH, IGNORE, apply_sheet, fill_in

NOW = {"Q10": "oratory", "Q23397": "lake"}
"""What a later scrape has: Q16970 and Q9 are gone, Q10 is called otherwise."""


def replayed(workspace: Workspace, labels: dict[str, str]) -> list[Replayed]:
    log = read_log(workspace)
    return replay(log.events, log.standing(), labels)


def states(workspace: Workspace, labels: dict[str, str]) -> list[tuple[int, str]]:
    return [(one.number, one.state) for one in replayed(workspace, labels)]


def test_each_edit_is_applied_gone_or_about_a_changed_class(clustered: Workspace) -> None:
    for qid in ("Q9", "Q10", "Q23397"):
        apply_sheet(clustered, fill_in(clustered, {qid: IGNORE}), "ann")
    assert states(clustered, NOW) == [(1, "gone"), (2, "changed"), (3, "applied")]
    gone, changed, applied = replayed(clustered, NOW)
    assert (gone.gone, gone.changed, gone.applied) == ({"Q9": "=HYPERLINK(1)"}, {}, 0)
    assert (changed.gone, changed.changed) == ({}, {"Q10": ("chapel", "oratory")})
    assert (applied.applied, applied.event, applied.reviewer) == (1, "sheet", "ann")


def test_an_edit_that_is_partly_gone_is_about_changed_classes(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    (one,) = replayed(clustered, NOW)
    assert (one.state, one.applied) == ("changed", 1)
    assert set(one.gone) == {"Q16970", "Q9"}
    assert set(one.changed) == {"Q10"}


def test_what_was_decided_again_is_left_to_the_later_edit(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "ann")
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "bob")
    assert states(clustered, NOW) == [(1, "applied"), (2, "changed")]


def test_what_was_taken_back_is_nothing_to_look_at(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "ann")
    apply_sheet(clustered, fill_in(clustered, {"Q10": {"action": "clear"}}), "ann")
    assert states(clustered, NOW) == [(1, "applied"), (2, "applied")]
    toggle = undo(read_log(clustered).events, "ann")
    assert toggle is not None
    append_event(clustered, toggle.signed("ann", "2026-11-26T09:00:00+00:00"))
    assert states(clustered, NOW) == [(1, "changed")]


def test_a_remark_on_a_gone_class_is_nothing_to_look_at(clustered: Workspace) -> None:
    change = Change(classes={"Q9": "x"}, effect="comment", note="look")
    append_event(
        clustered,
        Event(
            event="comment",
            decided_at="2026-11-26T09:00:00+00:00",
            reviewer="ann",
            changes=(change,),
        ),
    )
    assert states(clustered, NOW) == [(1, "applied")]


def test_on_the_same_classes_all_is_applied(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    labels = read_log(clustered).events[0].classes
    (one,) = replayed(clustered, labels)
    assert (one.state, one.applied) == ("applied", 4)
