"""The second opinion of a build in two lines, for a terminal."""

import math

from hgld.engine.workspace import Workspace
from hgld.pages.review.second.judging import unsettled
from hgld.pages.review.second.reporting import agreement_rows, judged_of
from hgld.pages.review.second.sampling import told_sample
from hgld.pages.review.wording import count_of
from hgld.review.log.decisions import read_log
from hgld.review.log.history import standing_of
from hgld.review.second_opinion import CohensKappa
from hgld.tables import PROPOSALS


def second_opinion_text(workspace: Workspace) -> str:
    """Tells how far the last second opinion is, and how far the two agree on super-categories.

    Args:
        workspace: a build whose `propose` has finished.

    Returns:
        Two lines; where nobody was asked, how to ask is the second.

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
            f"  open the page with {workspace.command('review')} and press O"
        )
    answers = standing.opinions.get(sample.reviewer, {})
    answered = [qid for qid in sample.queue if qid in answers]
    unsure = sum(answers[qid].change.effect == "unsure" for qid in answered)
    told = f" and could not tell {unsure} of them" if unsure else ""
    judged = judged_of(sample, standing_of(events, sample.number), standing, {}, landmarks)
    kappa = agreement_rows(judged)[0].kappa
    left = len(unsettled(events, standing, sample, landmarks))
    return (
        f"second opinion: {sample.reviewer} answered {len(answered)} of "
        f"{count_of(len(sample.queue), 'class', 'classes')} of {sample.of_reviewer}{told}\n"
        f"  {agreement_words(kappa)}; {count_of(left, 'difference')} to settle"
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
