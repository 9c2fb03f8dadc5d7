"""What one method says of every class: how much likelier each super-category becomes by it.

Every method answers in one unit. Its opinion of a class is a distribution over the super-categories
and `ignore`, told as the logarithm of its ratio to what is expected before anything is known. So
methods that know nothing of one another are added (`hgld.labels.proposing.pool`), and one that is
silent adds nothing.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgld.labels.proposing.calibration import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

IGNORE = ""
"""The target of a class that says nothing of looks; no super-category has an empty name."""

_OUTRIGHT = {"ask qid", "ask label", "ask exact"}

DOUBT = "ask"
"""How tiers start of what the taxonomy would have a person look at; it may well be ignored."""


class Hint(NamedTuple):
    """A super-category that a method names for a class."""

    target: str
    """A super-category, or IGNORE."""
    tier: str
    """What kind of evidence it rests on: a row of the calibration."""
    words: str
    """The evidence, as a reviewer reads it."""


@dataclass(frozen=True)
class Targets:
    """What can be proposed: the super-categories in their order, IGNORE, and what was added."""

    names: tuple[str, ...]
    """Of the taxonomy."""
    added: tuple[str, ...] = ()
    """Super-categories that a person made beside it; most methods know nothing of them."""

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """The target of each column."""
        return (*self.names, IGNORE, *self.added)

    @functools.cached_property
    def number(self) -> dict[str, int]:
        """Each target's column."""
        return {name: column for column, name in enumerate(self.columns)}

    def prior(self, ignored: float) -> "NDArray[np.float64]":
        """Returns what is expected of a class of which nothing is known.

        Args:
            ignored: the share of classes that are ignored; the super-categories of the taxonomy
                share the rest, and each that was added is as likely as one of them.

        Returns:
            float64 (T,), positive; the sum is 1 where nothing was added.
        """
        each = (1 - ignored) / max(len(self.names), 1)
        return np.array([ignored if target == IGNORE else each for target in self.columns])


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one method says of n classes."""

    method: str
    log_ratio: "NDArray[np.float64]"
    """(n, T): log of how much likelier the target is than before; 0 everywhere where it is silent.
    """
    unnamed: "NDArray[np.float64]"
    """(n,): the same for a super-category that the method does not know."""
    ignores: "NDArray[np.bool_]"
    """(n,): whether it says of a class that it is to be ignored."""
    doubts: "NDArray[np.bool_]"
    """(n,): whether it would have a person look at the class."""
    doubts_outright: "NDArray[np.bool_]"
    """(n,): whether it would so because of the class itself or its whole label, and says nothing
    before that."""
    words: Callable[[int, str], str]
    """Row and target to the evidence for that target; empty where the method does not name it."""


def ranked_opinion(
    method: str,
    candidates: Sequence[Sequence[Hint]],
    targets: Targets,
    calibration: Calibration,
) -> Opinion:
    """Makes an opinion of ranked candidates.

    The first is right with the accuracy of its tier, a_1; if it is not, the second with a_2, and so
    on; what is left is spread as if nothing were known:

        p(t) = sum_i [t_i = t] a_i prod_{j<i} (1 - a_j)  +  prior(t) prod_i (1 - a_i)

    Args:
        method: its name.
        candidates: of each of n classes, the best first; none where the method is silent.
        targets: what can be proposed; a candidate that is none of them (its super-category is in
            no decision any more) is left out.
        calibration: has the accuracies.

    Returns:
        The opinion.

    Example:
        One candidate with an accuracy of 0.9, before which 0.5 were expected of either of two:

        >>> from hgld.labels.proposing.calibration import Calibration
        >>> tiers = Calibration(accuracy={("wording", "name"): 0.9}, ignored=0.5)
        >>> said = [[Hint("lake", "name", "it is the name of lake")], []]
        >>> opinion = ranked_opinion("wording", said, Targets(("lake",)), tiers)
        >>> opinion.log_ratio.round(3).tolist()  # log(0.95 / 0.5), log(0.05 / 0.5)
        [[0.642, -2.303], [0.0, 0.0]]
    """
    number, prior = targets.number, targets.prior(calibration.ignored)
    rows, columns, mass = [], [], []
    left = [1.0] * len(candidates)
    ignores, doubts = np.zeros((2, len(candidates)), dtype=np.bool_)
    outright = [bool(ranked) and ranked[0].tier in _OUTRIGHT for ranked in candidates]
    for row, ranked in enumerate(candidates):
        for candidate in ranked:
            if candidate.target == IGNORE:
                (doubts if candidate.tier.startswith(DOUBT) else ignores)[row] = True
            column = number.get(candidate.target)
            if column is not None:
                accuracy = calibration.of(method, candidate.tier)
                rows.append(row)
                columns.append(column)
                mass.append(left[row] * accuracy)
                left[row] *= 1 - accuracy
    remainder = np.array(left)
    shares = remainder[:, None] * prior
    np.add.at(shares, (np.array(rows, dtype=int), np.array(columns, dtype=int)), mass)
    return Opinion(
        method=method,
        log_ratio=np.log(shares / prior),
        unnamed=np.log(remainder),
        ignores=ignores,
        doubts=doubts,
        doubts_outright=np.array(outright, dtype=np.bool_),
        words=lambda row, target: first_words(candidates[row], target),
    )


def says_ignore(ranked: Sequence[Hint]) -> bool:
    """Says whether a candidate is to ignore the class, without doubt."""
    return any(each.target == IGNORE and not each.tier.startswith(DOUBT) for each in ranked)


def first_words(ranked: Sequence[Hint], target: str) -> str:
    """Returns the evidence of the first candidate that is the target; empty where none is."""
    return next((each.words for each in ranked if each.target == target), "")


def has_qid(name: str) -> bool:
    """Says whether a name is a Q-id; the classes of a plain list may have other names."""
    return name[:1] == "Q" and name[1:].isdecimal() and name.isascii()


def qid_age(name: str) -> tuple[bool, int, str]:
    """Returns a key that puts older Q-ids first, and other names after them.

    Example:
        >>> sorted(["row 1", "Q10", "Q9"], key=qid_age)
        ['Q9', 'Q10', 'row 1']
    """
    return (not has_qid(name), int(name[1:]) if has_qid(name) else 0, name)
