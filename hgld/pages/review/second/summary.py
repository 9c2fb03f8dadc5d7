"""What comes of a second opinion: how far two reviewers agree, and what they are to settle."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hgld.engine.workspace import Workspace
from hgld.pages.review.second.samples import BlindSample, told_sample
from hgld.pages.review.wording import count_of
from hgld.review.log.decisions import read_log
from hgld.review.log.events import Change, Event, label_key
from hgld.review.log.history import Decision, Standing, standing_of
from hgld.review.second_opinion import (
    Agreement,
    CohensKappa,
    Difference,
    Judgement,
    KnownScore,
    compare_reviewers,
    differences_between,
    score_known,
)
from hgld.tables import PROPOSALS


class ReviewerScore(NamedTuple):
    """A reviewer on the classes with a known answer."""

    reviewer: str
    said: Mapping[str, str | None]
    """class_qid to super-category; None: ignored."""
    score: KnownScore


class Report(NamedTuple):
    """How far two reviewers agree on a sample, and how often each is right."""

    answered: int
    unsure: int
    """Answers that the second could not tell."""
    labels: Agreement
    """On super-categories, of the classes that were drawn; those that were hidden are left out."""
    sides: Agreement
    right: Mapping[str, str | None]
    """class_qid to the known answer, of the sample."""
    scores: Sequence[ReviewerScore]
    """Of each who has judged a class with a known answer."""
    confusions: Sequence[Sequence[Difference]]
    """Those whose two answers are the same pair, together; most landmarks first."""
    settled: int
    differences: Sequence[Difference]
    """What nobody has settled: where the second's answer is not what is decided now (`first`)."""


def report_of(
    events: Sequence[Event],
    standing: Standing,
    then: Standing,
    sample: BlindSample,
    landmarks: Mapping[str, int],
    known: Mapping[str, str | None],
) -> Report:
    """Compares what two reviewers said of a sample.

    The first is taken by what they had decided when the sample was drawn: what they changed since,
    perhaps at the sight of the second's answer, they did not judge alone. Super-categories are as
    they are called now, on the side that they have now.

    Args:
        events: of the whole log.
        standing: what they come to.
        then: what they came to when the sample was drawn.
        sample: the sample.
        landmarks: class_qid to landmarks, of the classes of the build.
        known: class_qid to the super-category that is known to be right; None: to be ignored.
    """
    answers = standing.opinions.get(sample.reviewer, {})
    effects = [answers[qid].change.effect for qid in sample.queue if qid in answers]
    first = {
        qid: one
        for qid, one in _decided(then, standing, sample).items()
        if then.rulings[qid].event.reviewer == sample.of_reviewer
    }
    second = _answered(standing, sample)
    drawn = {qid: second[qid] for qid in second if qid in landmarks and qid not in sample.hidden}
    labels, sides = compare_reviewers(first, drawn, landmarks)
    pairs: dict[tuple[Judgement, Judgement], list[Difference]] = defaultdict(list)
    for one in differences_between(first, drawn, landmarks):
        pairs[one.first, one.second].append(one)
    right = {qid: known[qid] for qid in sample.queue if qid in known}
    right = {qid: label and standing.current_name(label) for qid, label in right.items()}
    scores = []
    for reviewer, judged in ((sample.of_reviewer, first), (sample.reviewer, second)):
        said = {qid: one.hierarchical_label for qid, one in judged.items()}
        scores.append(ReviewerScore(reviewer, said, score_known(said, right)))
    return Report(
        answered=len(effects),
        unsure=effects.count("unsure"),
        labels=labels,
        sides=sides,
        right=right,
        scores=[one for one in scores if one.score.answered],
        confusions=sorted(pairs.values(), key=lambda ones: -sum(one.landmarks for one in ones)),
        settled=len(_settled(events, standing, sample)),
        differences=differences_of(events, standing, sample, landmarks),
    )


def differences_of(
    events: Sequence[Event],
    standing: Standing,
    sample: BlindSample,
    landmarks: Mapping[str, int],
) -> list[Difference]:
    """Returns the differences that nobody has settled, most landmarks first; see `Report`."""
    settled = _settled(events, standing, sample)
    second = _answered(standing, sample)
    open_ones = {qid: second[qid] for qid in second if qid in landmarks and qid not in settled}
    return differences_between(_decided(standing, standing, sample), open_ones, landmarks)


def _decided(then: Standing, standing: Standing, sample: BlindSample) -> dict[str, Judgement]:
    found = ((qid, then.decision(qid)) for qid in sample.queue)
    return {qid: _now(standing, one) for qid, one in found if one is not None}


def _answered(standing: Standing, sample: BlindSample) -> dict[str, Judgement]:
    """Returns what the second reviewer said; nothing of what they could not tell."""
    answers = standing.opinions.get(sample.reviewer, {})
    found = ((qid, answers[qid].change) for qid in sample.queue if qid in answers)
    return {qid: _now(standing, one) for qid, one in found if one.effect == "opinion"}


def _now(standing: Standing, said: Decision | Change) -> Judgement:
    """Returns a judgement as it is called now: a rename, or another side, is no difference."""
    label, side = said.hierarchical_label, said.natural_or_human_made
    if label is None:
        return Judgement(None, None)
    name = standing.current_name(label)
    return Judgement(name, standing.names.get(label_key(name), (name, side))[1])


def _settled(events: Sequence[Event], standing: Standing, sample: BlindSample) -> set[str]:
    """Returns the classes that were settled after the second's answer."""
    answers = standing.opinions.get(sample.reviewer, {})
    return {
        qid
        for event in events
        if event.event == "settle" and event.number in standing.active
        for qid in event.classes
        if qid in answers and event.number > answers[qid].event.number and qid in sample.queue
    }


def second_opinion_text(workspace: Workspace) -> str:
    """Tells how far the last second opinion is, and how far the two agree on super-categories.

    Args:
        workspace: a build whose `propose` has finished.

    Returns:
        Two lines; if nobody was asked, the second says how to ask.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log, or a table, is not as it was written.
    """
    table = workspace.read(PROPOSALS, ["class_qid", "landmarks"])
    landmarks = dict(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
    events = read_log(workspace).events
    standing = standing_of(events)
    sample = told_sample(standing)
    if sample is None:
        return (
            "second opinion: nobody was asked for one\n"
            f"  open the page with {workspace.command('review')} and choose Second opinion"
        )
    report = report_of(
        events, standing, standing_of(events, sample.number), sample, landmarks, known={}
    )
    told = f" and could not tell {report.unsure} of them" if report.unsure else ""
    return (
        f"second opinion: {sample.reviewer} answered {report.answered} of "
        f"{count_of(len(sample.queue), 'class', 'classes')} of {sample.of_reviewer}{told}\n"
        f"  {agreement_words(report.labels.kappa)}; "
        f"{count_of(len(report.differences), 'difference')} to settle"
    )


def agreement_words(found: CohensKappa) -> str:
    """Returns an agreement in words.

    Example:
        >>> from hgld.review.second_opinion import cohen_kappa
        >>> agreement_words(cohen_kappa(["lake"] * 5 + ["fort"] * 5, ["lake"] * 4 + ["fort"] * 6))
        'agreement 90% (60 to 98%), kappa 0.80 (0.44 to 1.00)'
        >>> agreement_words(cohen_kappa([], []))
        'no agreement: the two have no judged class in common'
    """
    if math.isnan(found.observed):
        return f"no agreement: {found.undefined}"
    shares = [round(100 * share) for share in (found.observed, found.observed_low)]
    words = f"agreement {shares[0]}% ({shares[1]} to {round(100 * found.observed_high)}%)"
    if found.undefined:
        return f"{words}, no kappa: {found.undefined}"
    kappa = [round(one, 2) + 0.0 for one in (found.kappa, found.low, found.high)]  # no -0.00
    return f"{words}, kappa {kappa[0]:.2f} ({kappa[1]:.2f} to {kappa[2]:.2f})"
