"""What comes of a sample, told from its log alone."""

from hgld.pages.review.desks.report import Report, report_of
from hgld.pages.review.names import KnownName
from hgld.review.log.events import Change, Edit, Effect, Event
from hgld.review.log.history import standing_of
from tests.hgld.pages.review.desks.reviewed import WHEN, decided

LABELS = {f"Q30{number}": "x" for number in range(1, 6)}
LANDMARKS = dict.fromkeys(LABELS, 2) | {"Q302": 9, "Q303": 1}


def event(kind: Edit, qid: str, label: str = "", who: str = "bob", **more: str) -> Event:
    effect: Effect = "opinion" if kind == "opinion" else "assign" if label else "clear"
    change = Change(
        classes={qid: "x"},
        effect=effect,
        hierarchical_label=label or None,
        natural_or_human_made=more.get("side", "natural") if label else None,
        renamed_from=more.get("renamed_from", ""),
    )
    return Event(event=kind, decided_at=WHEN, reviewer=who, changes=(change,))


DRAWN = Change(classes=LABELS, effect="sample", of_reviewer="ann")
SAMPLE = Event(event="sample", decided_at=WHEN, reviewer="bob", changes=(DRAWN,))
BEFORE = [decided("cascade", ["Q301", "Q302"]), decided(None, ["Q303"]), SAMPLE]
LAKES = [event("opinion", qid, "mere / tarn") for qid in ("Q301", "Q302", "Q303", "Q304")]


def report(*events: Event, landmarks: dict[str, int] = LANDMARKS) -> Report:
    """Returns the report after more events."""
    log = [one.numbered(number) for number, one in enumerate([*BEFORE, *events], 1)]
    standing = standing_of(log)
    (sample,) = standing.samples
    return report_of(log, standing, standing_of(log, sample.event.number), sample, landmarks)


def to_settle(*events: Event) -> list[str]:
    return [one.class_qid for one in report(*events).differences]


def test_the_first_is_taken_by_what_they_had_decided_when_the_sample_was_drawn() -> None:
    late = decided("mere / tarn", ["Q301"]), decided("cascade", ["Q304"])
    for told in (report(*LAKES), report(*LAKES, *late)):
        assert told.agreement.cases == 3  # neither Q304 nor Q305 was decided
        assert told.agreement.observed == 0
        pairs = [(first.hierarchical_label, classes) for (first, _), classes in told.confusions]
        assert pairs == [("cascade", 2), ("", 1)]


def test_names_and_sides_are_those_of_now() -> None:
    answers = [event("opinion", "Q301", "cascade"), event("opinion", "Q302", "Cascade")]
    renamed = event("rename", "Q301", "waterfalls", who="ann", renamed_from="cascade")
    told = report(*answers, renamed)
    assert (told.agreement.observed, told.differences) == (1, [])
    flipped = event("side", "Q302", "cascade", "ann", side="human-made")
    (one,) = report(*answers, event("opinion", "Q302", "new"), flipped).differences
    assert (one.first, one.second) == (
        KnownName("cascade", "human-made"),
        KnownName("new", "natural"),
    )


def test_differences_are_with_what_is_decided_now_most_landmarks_first() -> None:
    assert to_settle(*LAKES) == ["Q302", "Q301", "Q303"]  # Q304 is open
    came_round, cleared = decided("mere / tarn", ["Q302"]), event("clear", "Q301", who="ann")
    assert to_settle(*LAKES, came_round, cleared) == ["Q303"]
    assert not report(*LAKES, landmarks={"Q305": 1}).differences  # what has left the build


def test_what_is_settled_stays_so_until_that_is_undone_or_the_second_answers_anew() -> None:
    answer, settled = LAKES[0], event("settle", "Q301", "cascade", who="ann")
    assert report(answer, settled).settled == 1
    assert to_settle(answer, settled) == []
    assert to_settle(answer, settled, decided("dam", ["Q301"], "eve")) == []
    assert to_settle(answer, settled, answer) == ["Q301"]
    undone = Event(event="revert", decided_at=WHEN, reviewer="ann", off=(5,))
    assert to_settle(answer, settled, undone) == ["Q301"]
