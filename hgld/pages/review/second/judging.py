"""What two reviewers said of the classes of a sample, and what of it is to be settled."""

from collections.abc import Mapping, Sequence

from hgld.pages.review.second.sampling import BlindSample
from hgld.review.log.events import Event, label_key
from hgld.review.log.history import Standing
from hgld.review.second_opinion import Difference, Judgement, differences_between


def judgement_now(standing: Standing, label: str | None, side: str | None) -> Judgement:
    """Returns what somebody said once as it is called now, on the side that it has now.

    A super-category is on one side for all its classes, so that a change of it is no disagreement
    on any of them.
    """
    if label is None:
        return Judgement(None, None)
    name = standing.current_name(label)
    return Judgement(name, standing.names.get(label_key(name), (name, side))[1])


def judged_first(then: Standing, standing: Standing, sample: BlindSample) -> dict[str, Judgement]:
    """Returns what the first reviewer had decided when the sample was drawn, by class_qid.

    What was changed since, perhaps at the sight of the second's answer, was not judged alone.

    Args:
        then: what was decided at the line of the sample.
        standing: what is decided now.
        sample: the sample.
    """
    found = {}
    for qid in sample.queue:
        one = then.decision(qid)
        if one is not None and one.reviewer == sample.of_reviewer:
            found[qid] = judgement_now(standing, one.hierarchical_label, one.natural_or_human_made)
    return found


def judged_blind(standing: Standing, sample: BlindSample) -> dict[str, Judgement]:
    """Returns what the second reviewer answered, by class_qid; not where they could not tell."""
    answers = standing.opinions.get(sample.reviewer, {})
    return {
        qid: judgement_now(standing, said.hierarchical_label, said.natural_or_human_made)
        for qid in sample.queue
        if qid in answers and (said := answers[qid].change).effect == "opinion"
    }


def settled_since(events: Sequence[Event], standing: Standing, sample: BlindSample) -> set[str]:
    """Returns the classes of a sample that were settled after the second's answer."""
    answers = standing.opinions.get(sample.reviewer, {})
    return {
        qid
        for event in events
        if event.event == "settle" and event.number in standing.active
        for qid in event.classes
        if qid in answers and event.number > answers[qid].event.number and qid in sample.queue
    }


def unsettled(
    events: Sequence[Event],
    standing: Standing,
    sample: BlindSample,
    landmarks: Mapping[str, int],
) -> list[Difference]:
    """Returns where what is decided now is not what the second reviewer answered.

    Args:
        events: of the whole log.
        standing: what they come to.
        sample: the sample.
        landmarks: class_qid to the landmarks that have it; others have left the build.

    Returns:
        Those that nobody has settled, most landmarks first. `first` is what is decided.
    """
    settled = settled_since(events, standing, sample)
    second = {
        qid: one
        for qid, one in judged_blind(standing, sample).items()
        if qid in landmarks and qid not in settled
    }
    in_force = {}
    for qid in second:
        one = standing.decision(qid)
        if one is not None:
            in_force[qid] = judgement_now(
                standing, one.hierarchical_label, one.natural_or_human_made
            )
    return differences_between(in_force, second, landmarks)
