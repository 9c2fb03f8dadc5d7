from collections.abc import Collection

from hgld.pages.review.second.sampling import drawn_changes, fresh_classes, last_sample, sample_in
from hgld.review.log.events import Change, Event
from hgld.review.log.history import Standing, standing_of
from hgld.review.second_opinion import draw_sample
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, KNOWN, WHEN, decided

LABELS = {qid: (label, landmarks) for qid, label, landmarks, _ in CLASSES}
LANDMARKS = {qid: landmarks for qid, _, landmarks, _ in CLASSES}


def drawn(size: int, known: Collection[str], seed: str = "5") -> tuple[Change, ...]:
    half = {qid: ANSWERS[qid] for qid in list(ANSWERS)[:20]}
    return drawn_changes(half, known, LABELS, of_reviewer="ann", size=size, seed=seed)


def standing(*events: Event) -> Standing:
    return standing_of([event.numbered(number) for number, event in enumerate(events, 1)])


def asks(changes: tuple[Change, ...], who: str = "bob") -> Event:
    return Event(event="sample", decided_at=WHEN, reviewer=who, changes=changes)


def test_the_queue_follows_from_the_seed_and_is_kept_with_it() -> None:
    (sample,) = drawn(8, ())
    assert (sample.effect, sample.of_reviewer, sample.note) == ("sample", "ann", "5")
    half = {qid: ANSWERS[qid] for qid in list(ANSWERS)[:20]}
    assert list(sample.classes) == draw_sample(half, LANDMARKS, 8, seed="5")
    assert sample.classes == {qid: LABELS[qid][0] for qid in sample.classes}
    assert drawn(8, ()) == drawn(8, ())
    assert list(drawn(8, (), seed="6")[0].classes) != list(sample.classes)


def test_one_in_twenty_is_known_and_stands_among_the_others() -> None:
    sample, hidden = drawn(19, KNOWN)
    assert len(sample.classes) == 20
    assert len(hidden.classes) == 1
    assert hidden.classes.keys() <= {*KNOWN} & sample.classes.keys()
    places = {
        list(drawn(19, KNOWN, str(seed))[0].classes).index(qid)
        for seed in range(20)
        for change in drawn(19, KNOWN, str(seed))[1:]
        for qid in change.classes
    }
    assert len(places) > 5


def test_known_ones_are_taken_from_what_both_judge_while_there_are_enough() -> None:
    undecided, by_both = "Q326", ("Q301", "Q302", "Q308")
    for seed in map(str, range(12)):
        sample = sample_in_event(drawn(10, (undecided, *by_both), seed))
        if {*by_both} - set(sample[0]):
            assert undecided not in sample[1]
    assert sample_in_event(drawn(10, (undecided,)))[1] == {undecided}


def sample_in_event(changes: tuple[Change, ...]) -> tuple[list[str], set[str]]:
    hidden = set(changes[1].classes) if len(changes) > 1 else set[str]()
    return [qid for qid in changes[0].classes if qid not in hidden], hidden


def test_a_sample_is_read_back_from_the_log_the_last_of_a_reviewer_or_of_anybody() -> None:
    of_bob, of_zoe = drawn(19, KNOWN), drawn(3, ())
    found = standing(asks(of_bob), asks(of_zoe, "zoë"), asks(of_zoe))
    sample = sample_in(found.samples[0])
    assert (sample.number, sample.reviewer, sample.of_reviewer) == (1, "bob", "ann")
    assert sample.queue == of_bob[0].classes
    assert sample.hidden == set(of_bob[1].classes)
    numbers = [last_sample(found, who) for who in ("", "bob", "zoë", "eve")]
    assert [one and one.number for one in numbers] == [3, 3, 2, None]


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
