"""What one method says of a class: how much likelier each super-category becomes by it.

Every method answers in one unit. Its opinion of a class is a distribution over the super-categories
and `ignore`, told as the logarithm of its ratio to what is expected before anything is known. So
methods that know nothing of one another are added (`hgld.labels.proposing.learning`), and one that
is silent adds nothing.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgld.labels.proposing.calibration import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

IGNORE = ""
"""The target of a class that says nothing of looks; no super-category has an empty name."""

DOUBT = "ask"
"""How tiers start of what the taxonomy would have a person look at; it may well be ignored."""

_DOUBT_OUTRIGHT = {"ask qid", "ask label", "ask exact"}


class Hint(NamedTuple):
    """A super-category that a method names for a class."""

    target: str
    """A super-category, or IGNORE."""
    tier: str
    """The kind of evidence: a row of the calibration."""
    words: str
    """The evidence, as a reviewer reads it."""

    @property
    def is_doubt(self) -> bool:
        """Whether the taxonomy would have a person look at the class."""
        return self.target == IGNORE and self.tier.startswith(DOUBT)

    @property
    def is_outright_doubt(self) -> bool:
        """Whether it would so because of the class itself, or its whole label."""
        return self.tier in _DOUBT_OUTRIGHT

    @property
    def says_ignore(self) -> bool:
        """Whether the class is to be ignored, without doubt."""
        return self.target == IGNORE and not self.tier.startswith(DOUBT)


@dataclass(frozen=True)
class Targets:
    """What can be proposed: the super-categories in their order, IGNORE, and what was added."""

    names: tuple[str, ...]
    """Of the taxonomy."""
    added: tuple[str, ...] = ()
    """Super-categories that a person made; the taxonomy and the vectors know nothing of them."""

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


class Opinion(NamedTuple):
    """What one method says of n classes."""

    log_ratio: "NDArray[np.float64]"
    """(n, T): log of how much likelier the target is than before; 0 where the method is silent."""
    unnamed: "NDArray[np.float64]"
    """(n,): the same for a super-category that the method does not know."""

    @classmethod
    def silent(cls, classes: Sequence[str], targets: Targets) -> "Opinion":
        """Returns the opinion that says nothing of any class."""
        return cls(np.zeros((len(classes), len(targets.columns))), np.zeros(len(classes)))

    def over(self, old: Targets, new: Targets) -> "Opinion":
        """Returns the same over other targets: of one that is new, as of an unnamed one."""
        found = np.repeat(self.unnamed[:, None], len(new.columns), axis=1)
        kept = [name for name in new.columns if name in old.number]
        columns = [new.number[name] for name in kept], [old.number[name] for name in kept]
        found[:, columns[0]] = self.log_ratio[:, columns[1]]
        return Opinion(found, self.unnamed)

    def put(self, rows: Sequence[int], other: "Opinion") -> None:
        """Puts another opinion of some classes in the place of this one's."""
        places = np.array(rows, dtype=np.int64)
        self.log_ratio[places], self.unnamed[places] = other


def ranked_opinion(
    method: str,
    hints: Sequence[Sequence[Hint]],
    targets: Targets,
    calibration: Calibration,
) -> Opinion:
    """Makes an opinion of ranked hints.

    The first is right with the accuracy of its tier, a_1; if it is not, the second with a_2, and so
    on; what is left is spread as if nothing were known:

        p(t) = sum_i [t_i = t] a_i prod_{j<i} (1 - a_j)  +  prior(t) prod_i (1 - a_i)

    Args:
        method: its name.
        hints: of each of n classes, the best first; none where the method is silent.
        targets: what can be proposed; a hint at anything else (its super-category is in no decision
            any more) is left out.
        calibration: has the accuracies.

    Example:
        One hint with an accuracy of 0.9, before which 0.5 were expected of either of two:

        >>> from hgld.labels.proposing.calibration import Calibration
        >>> tiers = Calibration(accuracy={("wording", "name"): 0.9}, ignored=0.5)
        >>> said = [[Hint("lake", "name", "it is the name of lake")], []]
        >>> opinion = ranked_opinion("wording", said, Targets(("lake",)), tiers)
        >>> opinion.log_ratio.round(3).tolist()  # log(0.95 / 0.5), log(0.05 / 0.5)
        [[0.642, -2.303], [0.0, 0.0]]
    """
    prior = targets.prior(calibration.ignored)
    named = np.zeros((len(hints), len(prior)))
    left = np.ones(len(hints))
    for row, ranked in enumerate(hints):
        for hint in ranked:
            column = targets.number.get(hint.target)
            if column is not None:
                accuracy = calibration.of(method, hint.tier)
                named[row, column] += left[row] * accuracy
                left[row] *= 1 - accuracy
    # Added in this order, a target that is not named has the ratio of an unnamed one, bit for bit.
    return Opinion(log_ratio=np.log(named / prior + left[:, None]), unnamed=np.log(left))


def first_words(ranked: Sequence[Hint], target: str) -> str:
    """Returns the evidence of the first hint at the target; empty where none is."""
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
