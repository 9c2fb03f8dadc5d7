"""Whether proposals learn: the silver set reviewed step by step, and the open ones scored."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hgld.benchmarks.labels.proposals.silver import (
    SilverClass,
    SilverSource,
    inputs_of,
    silver_classes,
    withheld,
)
from hgld.labels.proposing.calibration import Calibration
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import CHANGING, ProposalMethod

DECISIONS_GIVEN = (0, 10, 30, 100, 200, 400, 600)


def learning_curve(
    source: SilverSource, calibration: Calibration, seed: int = 0
) -> list[dict[str, float | int]]:
    """Decides classes in a random order, and scores those that are always open.

    A third of the silver set is never decided. The taxonomy is empty: the words and classes of its
    author would answer before anything could be learned, and a taxonomy of one's own may be as
    poor. What is left are the names of the super-categories, and decisions.

    Args:
        source: the shipped taxonomy.
        calibration: what evidence is worth.
        seed: of the order and the third.

    Returns:
        For each number of decisions the share of open classes with the right super-category, and of
        those that are ignored or have the right one.
    """
    classes = silver_classes(source.tables)
    random = np.random.default_rng(seed)
    order = [classes[place] for place in random.permutation(len(classes))]
    held, decided = order[: len(order) // 3], order[len(order) // 3 :]
    poor = withheld(source, classes, words=True)
    names = poor.words.filter([kind == "name" for kind in poor.words["kind"].to_pylist()])
    poor = replace(poor, tables=replace(poor.tables, aliases=(), unspecific=()), words=names)
    methods: list[ProposalMethod] = ["prototypes", *CHANGING]
    proposals = OpenProposals(inputs_of(poor, order, calibration), methods)
    curve: list[dict[str, float | int]] = []
    for before, step in zip((0, *DECISIONS_GIVEN), DECISIONS_GIVEN, strict=False):
        proposals.decide({each.qid: Ruling(each.target) for each in decided[before:step]})
        curve.append({"decisions": min(step, len(decided)), **_shares(proposals, held)})
    return curve


def _shares(proposals: OpenProposals, held: Sequence[SilverClass]) -> dict[str, float]:
    best = dict(zip((each.qid for each in held), proposals.best_targets(), strict=False))
    labelled = [each for each in held if each.target != IGNORE]
    return {
        "right": round(sum(best[each.qid] == each.target for each in held) / len(held), 4),
        "labelled_right": round(
            sum(best[each.qid] == each.target for each in labelled) / len(labelled), 4
        ),
    }
