"""The opinion of one method on a class: how much likelier it makes each super-category.

All methods use the same unit. An opinion is a distribution over the super-categories and `ignore`,
as the logarithm of its ratio to the prior. So the opinions of independent methods are added
(`hgld.labels.proposing.learning`), and a method without an opinion adds 0. Opinions on n classes
are a float64 (n, T + 1): a column per target, and a last one for any super-category that the method
does not know.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.labels.proposing.calibration import Calibration

Floats = NDArray[np.float64]

IGNORE = ""
"""The target of a class that does not describe how a place looks; never the name of a label."""

DOUBT = "ask"
"""Prefix of tiers for which the taxonomy asks a person; the class may well be ignored."""

_DOUBT_OUTRIGHT = {"ask qid", "ask label", "ask exact"}


class Hint(NamedTuple):
    """A target that a method names for a class."""

    target: str
    """A super-category, or IGNORE."""
    tier: str
    """The kind of evidence: a row of the calibration."""
    words: str
    """The evidence, as a reviewer reads it."""

    @property
    def is_doubt(self) -> bool:
        """Whether the taxonomy asks a person to look at the class."""
        return self.target == IGNORE and self.tier.startswith(DOUBT)

    @property
    def is_outright_doubt(self) -> bool:
        """Whether it asks because of the class itself, or its whole label."""
        return self.tier in _DOUBT_OUTRIGHT

    @property
    def says_ignore(self) -> bool:
        """Whether it says to ignore the class, without doubt."""
        return self.target == IGNORE and not self.tier.startswith(DOUBT)


@dataclass(frozen=True)
class Targets:
    """What can be proposed: the taxonomy's super-categories, IGNORE, and added ones."""

    names: tuple[str, ...]
    """Super-categories of the taxonomy, in its order."""
    added: tuple[str, ...] = ()
    """Super-categories that a person added; neither the taxonomy nor the vectors know them."""

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """The target of each column."""
        return (*self.names, IGNORE, *self.added)

    @functools.cached_property
    def number(self) -> dict[str, int]:
        """Each target's column."""
        return {name: column for column, name in enumerate(self.columns)}

    def prior(self, ignored: float) -> Floats:
        """Returns the prior of a class about which nothing is known.

        Args:
            ignored: the share of classes that are ignored; the super-categories of the taxonomy
                share the rest equally, and an added one is as likely as one of them.

        Returns:
            float64 (T,), positive; the sum is 1 if nothing was added.
        """
        each = (1 - ignored) / max(len(self.names), 1)
        return np.array([ignored if target == IGNORE else each for target in self.columns])

    def widened(self, opinion: Floats, before: "Targets") -> Floats:
        """Returns opinions on the targets `before` as opinions on these.

        A new target gets the opinion on targets that the method does not know.
        """
        columns = [before.number.get(name, -1) for name in self.columns]
        return opinion.take([*columns, -1], axis=1)


def ranked_opinion(
    method: str, hints: Sequence[Sequence[Hint]], targets: Targets, calibration: Calibration
) -> Floats:
    """Makes an opinion from ranked hints.

    The first hint is right with the accuracy of its tier, a_1; if it is wrong, the second is right
    with a_2, and so on; the rest is spread as the prior:

        p(t) = sum_i [t_i = t] a_i prod_{j<i} (1 - a_j)  +  prior(t) prod_i (1 - a_i)

    Args:
        method: its name.
        hints: for each of n classes, the best first; empty if the method has no opinion.
        targets: what can be proposed; a hint at another target (a super-category that is in no
            decision any more) is ignored.
        calibration: has the accuracies.

    Returns:
        float64 (n, T + 1), log(p / prior); 0 if the method has no opinion.

    Example:
        One hint with an accuracy of 0.9, for two targets with a prior of 0.5 each:

        >>> from hgld.labels.proposing.calibration import Calibration
        >>> tiers = Calibration(accuracy={("wording", "name"): 0.9}, ignored=0.5)
        >>> said = [[Hint("lake", "name", "it is the name of lake")], []]
        >>> opinion = ranked_opinion("wording", said, Targets(("lake",)), tiers)
        >>> opinion.round(3).tolist()  # log(0.95 / 0.5), log(0.05 / 0.5), and of any other
        [[0.642, -2.303, -2.303], [0.0, 0.0, 0.0]]
    """
    prior = np.append(targets.prior(calibration.ignored), 1)
    named = np.zeros((len(hints), len(prior)))
    left = np.ones(len(hints))
    for row, ranked in enumerate(hints):
        for hint in ranked:
            column = targets.number.get(hint.target)
            if column is not None:
                accuracy = calibration.of(method, hint.tier)
                named[row, column] += left[row] * accuracy
                left[row] *= 1 - accuracy
    return np.asarray(np.log(named / prior + left[:, None]))


def has_qid(name: str) -> bool:
    """Says whether a name is a Q-id; classes of a plain list may have other names."""
    return name[:1] == "Q" and name[1:].isdecimal() and name.isascii()


def qid_age(name: str) -> tuple[bool, int, str]:
    """Returns a key that puts older Q-ids first, and other names after them.

    Example:
        >>> sorted(["row 1", "Q10", "Q9"], key=qid_age)
        ['Q9', 'Q10', 'row 1']
    """
    return (not has_qid(name), int(name[1:]) if has_qid(name) else 0, name)
