from hgld.pages.review.second.sampling import drawn_changes, fresh_classes
from hgld.review.log.events import Change, Event
from hgld.review.log.history import Standing, standing_of
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, WHEN, decided

LABELS = {qid: (label, landmarks) for qid, label, landmarks, _ in CLASSES}


def drawn(size: int, known: tuple[str, ...], seed: str = "5") -> tuple[Change, ...]:
    half = {qid: ANSWERS[qid] for qid in list(ANSWERS)[:20]}
    return drawn_changes(half, known, LABELS, of_reviewer="ann", size=size, seed=seed)


def standing(*events: Event) -> Standing:
    return standing_of([event.numbered(number) for number, event in enumerate(events, 1)])


def test_known_ones_are_taken_from_what_both_judge_while_there_are_enough() -> None:
    undecided, by_both = "Q326", ("Q301", "Q302", "Q308")
    for seed in map(str, range(12)):
        sample, hidden = drawn(10, (undecided, *by_both), seed)
        if {*by_both} - (sample.classes.keys() - hidden.classes.keys()):
            assert undecided not in hidden.classes
    assert drawn(10, (undecided,))[1].classes.keys() == {undecided}


def test_nobody_is_asked_twice_nor_of_their_own_decisions() -> None:
    said = Change(classes={"Q301": "x"}, effect="opinion")
    unsure = Change(classes={"Q302": "x"}, effect="unsure")
    found = standing(
        decided("cascade", ["Q301", "Q302", "Q303"]),
        decided(None, ["Q326"], "bob"),
        decided(None, ["Q330"], "eve"),
        Event(event="opinion", decided_at=WHEN, reviewer="bob", changes=(said, unsure)),
    )
    there = LABELS.keys() - {"Q330"}
    assert fresh_classes(found, "bob", there) == {"ann": {"Q303": "cascade"}}
    assert fresh_classes(found, "zoë", there) == {
        "ann": dict.fromkeys(("Q301", "Q302", "Q303"), "cascade"),
        "bob": {"Q326": None},
    }
