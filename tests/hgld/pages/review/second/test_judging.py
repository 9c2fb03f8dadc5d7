from hgld.pages.review.second.judging import (
    judged_blind,
    judged_first,
    judgement_now,
    settled_since,
    unsettled,
)
from hgld.pages.review.second.sampling import BlindSample, sample_in
from hgld.review.log.events import Change, Edit, Effect, Event
from hgld.review.log.history import Standing, standing_of
from hgld.review.log.undoing import revert
from hgld.review.second_opinion import Judgement
from tests.hgld.pages.review.second.reviewed import WHEN, decided

LABELS = {f"Q30{number}": "x" for number in range(1, 6)}
LANDMARKS = dict.fromkeys(LABELS, 2) | {"Q302": 9}
CASCADE = Judgement("cascade", "natural")
IGNORED = Judgement(None, None)


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


def log(*events: Event) -> list[Event]:
    return [one.numbered(number) for number, one in enumerate([*BEFORE, *events], 1)]


def read(events: list[Event]) -> tuple[Standing, BlindSample]:
    standing = standing_of(events)
    return standing, sample_in(standing.samples[-1])


def first(events: list[Event]) -> dict[str, Judgement]:
    standing, sample = read(events)
    return judged_first(standing_of(events, sample.number), standing, sample)


def to_settle(events: list[Event]) -> list[str]:
    return [one.class_qid for one in unsettled(events, *read(events), LANDMARKS)]


def test_the_first_is_taken_by_what_they_had_decided_when_the_sample_was_drawn() -> None:
    late = decided("mere / tarn", ["Q301"]), decided("cascade", ["Q304"])
    both = {"Q301": CASCADE, "Q302": CASCADE, "Q303": IGNORED}
    assert first(log()) == first(log(*late)) == both
    others = [decided("cascade", ["Q304"], "eve"), *BEFORE]
    assert first([one.numbered(number) for number, one in enumerate(others, 1)]) == both


def test_names_and_sides_are_those_of_now() -> None:
    answers = [event("opinion", "Q301", "cascade"), event("opinion", "Q302", "Cascade")]
    renamed = event("rename", "Q301", "waterfalls", who="ann", renamed_from="cascade")
    now = Judgement("waterfalls", "natural")
    events = log(*answers, renamed)
    assert first(events)["Q302"] == now
    assert judged_blind(*read(events)) == {"Q301": now, "Q302": now}
    assert to_settle(events) == []
    flipped = event("side", "Q302", "cascade", "ann", side="human-made")
    events = log(*answers, event("opinion", "Q302", "new", side="human-made"), flipped)
    standing, sample = read(events)
    assert judged_blind(standing, sample) == {
        "Q301": Judgement("cascade", "human-made"),
        "Q302": Judgement("new", "human-made"),
    }
    assert to_settle(events) == ["Q302"]
    assert judgement_now(standing, None, "natural") == IGNORED


def test_differences_are_with_what_is_decided_now_most_landmarks_first() -> None:
    answers = [event("opinion", qid, "mere / tarn") for qid in ("Q301", "Q302", "Q303", "Q304")]
    assert to_settle(log(*answers)) == ["Q302", "Q301", "Q303"]  # Q304 is open
    came_round = decided("mere / tarn", ["Q302"])
    cleared = event("clear", "Q301", who="ann")
    assert to_settle(log(*answers, came_round, cleared)) == ["Q303"]
    events = log(*answers)
    assert unsettled(events, *read(events), {"Q305": 1}) == []  # what has left the build


def test_what_is_settled_stays_so_until_that_is_undone_or_the_second_answers_anew() -> None:
    answer = event("opinion", "Q301", "mere / tarn")
    settled = event("settle", "Q301", "cascade", who="ann")
    later = decided("dam", ["Q301"], "eve")
    events = log(answer, settled)
    assert to_settle(events) == to_settle(log(answer, settled, later)) == []
    assert settled_since(events, *read(events)) == {"Q301"}
    assert to_settle(log(answer, settled, answer)) == ["Q301"]
    toggle = revert(events, len(events))
    undone = Event(event="revert", decided_at=WHEN, reviewer="ann", off=toggle.off)
    assert to_settle(log(answer, settled, undone)) == ["Q301"]
