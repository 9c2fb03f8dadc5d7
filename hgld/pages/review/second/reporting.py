"""The report of a sample: agreement, accuracy on known answers, and what differs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hgld.pages.review.second.judging import judged_blind, judged_first, judgement_now
from hgld.pages.review.second.sampling import BlindSample
from hgld.pages.review.second.views import AgreementRow, ConfusedPair, KnownRow, WrongAnswer
from hgld.review.log.history import Standing
from hgld.review.second_opinion import (
    Judgement,
    compare_reviewers,
    differences_between,
    score_known,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What both said of the classes of a sample."""

    sample: BlindSample
    first: Mapping[str, Judgement]
    """When the sample was drawn."""
    second: Mapping[str, Judgement]
    known: Mapping[str, str | None]
    """class_qid of the sample to the super-category that is known to be right."""
    landmarks: Mapping[str, int]
    """Of the classes of the build."""

    @property
    def compared(self) -> dict[str, Judgement]:
        """What the second said of the classes that were drawn; those that were hidden are not."""
        return {
            qid: one
            for qid, one in self.second.items()
            if qid in self.landmarks and qid not in self.sample.hidden
        }


def judged_of(
    sample: BlindSample,
    then: Standing,
    standing: Standing,
    known: Mapping[str, str | None],
    landmarks: Mapping[str, int],
) -> Judged:
    """Puts together what both said of a sample.

    Args:
        sample: the sample.
        then: what was decided at its line.
        standing: what is decided now, and answered.
        known: class_qid to the right super-category, as the taxonomy spells it.
        landmarks: class_qid to landmarks, of the classes of the build.
    """
    return Judged(
        sample=sample,
        first=judged_first(then, standing, sample),
        second=judged_blind(standing, sample),
        known={
            qid: judgement_now(standing, known[qid], None).hierarchical_label
            for qid in sample.queue
            if qid in known
        },
        landmarks=landmarks,
    )


def agreement_rows(judged: Judged) -> tuple[AgreementRow, ...]:
    """Returns how far they agree on super-categories, and on sides."""
    labels, sides = compare_reviewers(judged.first, judged.compared, judged.landmarks)
    return (AgreementRow("Super-category", *labels), AgreementRow("Side", *sides))


def known_rows(judged: Judged) -> tuple[KnownRow, ...]:
    """Returns how often each gave the known answer; nobody who has judged no such class."""
    sample = judged.sample
    rows = []
    for reviewer, said in ((sample.of_reviewer, judged.first), (sample.reviewer, judged.second)):
        labels = {qid: one.hierarchical_label for qid, one in said.items()}
        score = score_known(labels, judged.known)
        wrong = tuple(
            WrongAnswer(sample.queue[qid], labels[qid], judged.known[qid]) for qid in score.wrong
        )
        rows.append(KnownRow(reviewer, score, wrong))
    return tuple(row for row in rows if row.score.answered)


def confused_pairs(judged: Judged) -> tuple[ConfusedPair, ...]:
    """Returns the pairs of answers that differ, most landmarks first."""
    classes: Counter[tuple[Judgement, Judgement]] = Counter()
    landmarks: Counter[tuple[Judgement, Judgement]] = Counter()
    for one in differences_between(judged.first, judged.compared, judged.landmarks):
        classes[one.first, one.second] += 1
        landmarks[one.first, one.second] += one.landmarks
    pairs = [ConfusedPair(*pair, classes[pair], landmarks[pair]) for pair in classes]
    return tuple(sorted(pairs, key=lambda pair: (-pair.landmarks, -pair.classes)))
