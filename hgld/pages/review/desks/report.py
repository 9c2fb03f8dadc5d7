"""What comes of a second opinion: how far two reviewers agree, and what they are to settle."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hgld.pages.review.names import KnownName
from hgld.review.log.events import Change, Event, label_key
from hgld.review.log.history import Decision, Standing, Word, name_now
from hgld.review.second_opinion import CohensKappa, cohen_kappa


class Difference(NamedTuple):
    """A class on which a second reviewer differs from what is decided."""

    class_qid: str
    class_label: str
    landmarks: int
    first: KnownName
    """What is decided now."""
    decided: Event
    """That decided it."""
    second: KnownName


class Report(NamedTuple):
    """How far two reviewers agree on a sample; names are those of now."""

    answered: int
    unsure: int
    """Answers that the second could not tell."""
    agreement: CohensKappa
    """On super-categories, with ignored classes as one more.

    The first is taken by what they had decided when the sample was drawn: what they changed since,
    perhaps at the sight of the second's answer, they did not judge alone.
    """
    confusions: Sequence[tuple[tuple[KnownName, KnownName], int]]
    """What the two said where they differ, and of how many classes; most first."""
    settled: int
    differences: Sequence[Difference]
    """What nobody has settled, most landmarks first."""


def report_of(
    events: Sequence[Event],
    standing: Standing,
    then: Standing,
    sample: Word,
    landmarks: Mapping[str, int],
) -> Report:
    """Compares what two reviewers said of a sample.

    Args:
        events: of the whole log.
        standing: what they come to.
        then: what they came to when the sample was drawn.
        sample: the sample.
        landmarks: class_qid to landmarks, of the classes of the build.
    """
    labels, own = sample.change.classes, standing.opinions.get(sample.event.reviewer, {})
    answers = {qid: own[qid] for qid in labels if qid in own}
    second = {
        qid: _now(standing, word.change)
        for qid, word in answers.items()
        if word.change.effect == "opinion" and qid in landmarks
    }
    then_and_now = ((then.decision(qid), answer) for qid, answer in second.items())
    pairs = [(_now(standing, said), answer) for said, answer in then_and_now if said]
    settled = {
        qid
        for event in events
        if event.event == "settle" and event.number in standing.active
        for qid in event.classes
        if qid in second and event.number > answers[qid].event.number
    }
    differences = []
    for qid in second.keys() - settled:
        decision = standing.decision(qid)
        if decision and (first := _now(standing, decision)) != second[qid]:
            event = standing.rulings[qid].event
            found = (qid, labels[qid], landmarks[qid], first, event, second[qid])
            differences.append(Difference(*found))
    return Report(
        answered=len(answers),
        unsure=sum(word.change.effect == "unsure" for word in answers.values()),
        agreement=cohen_kappa([_key(one) for one, _ in pairs], [_key(one) for _, one in pairs]),
        confusions=Counter(pair for pair in pairs if pair[0] != pair[1]).most_common(),
        settled=len(settled),
        differences=sorted(differences, key=lambda one: (-one.landmarks, one.class_label)),
    )


def _now(standing: Standing, said: Decision | Change) -> KnownName:
    """Returns an answer as it is called now: a rename, or another side, is no difference."""
    label, side = said.hierarchical_label, said.natural_or_human_made
    return KnownName(*(name_now(standing, label, side or "") if label else ("", "")))


def _key(answer: KnownName) -> str:
    return label_key(answer.hierarchical_label)
