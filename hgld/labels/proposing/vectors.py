"""Cosines that are the same to the last bit on every machine, and the method that reads them.

Vectors are rounded to multiples of 2^-11. Products of two such numbers are multiples of 2^-22, and
sums of them for unit vectors stay below 2: float32 holds them without rounding. So it matters
neither in which order nor on how many threads they are summed, nor whether one row is asked for or
a thousand: what is proposed after a decision is what a new run proposes. The rounding moves a
cosine of 384 numbers by some 0.0002.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from hgld.labels.proposing.calibration import Calibration, Softmax
from hgld.labels.proposing.opinions import Opinion, Targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

Number = TypeVar("Number", float, "NDArray[np.float64]")

SAME = 0.995
"""The cosine from which two labels are one text."""
_STEP = 2.0**-11
_NOTHING = 1e-9  # a shorter vector has no direction
_FEW = 3  # names, of fewer there is no spread
_BLOCK = 1024  # classes at a time: with 20,000 words 80 MB of cosines
_SHOWN = 3  # names that a reviewer is shown


def unit_grid(vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Returns vectors at unit norm on the grid, float32 (n, D); one without a direction is zero."""
    wide = vectors.astype(np.float64)
    norms = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    unit = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > _NOTHING)
    return np.asarray((unit / _STEP).round() * _STEP, dtype=np.float32)


def cosines(left: "NDArray[np.float32]", right: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Returns the cosines of each row of the one with each of the other, float32 (n, m).

    Args:
        left: float32 (n, D) from `unit_grid`.
        right: float32 (m, D) from `unit_grid`.
    """
    return left @ right.T


class Scale(NamedTuple):
    """The unit in which cosines of one encoder are told, so that those of another mean the same.

    Text vectors of an encoder point roughly one way: any two of CLIP's have a cosine near 0.76, of
    MiniLM's near 0.3. How far a cosine lies above that, in standard deviations, can be compared.
    """

    mean: float
    deviation: float

    def of(self, cosine: "Number") -> "Number":
        """Returns cosines in the unit."""
        return (cosine - self.mean) / self.deviation


def scale_of(names: "NDArray[np.float32]") -> Scale:
    """Measures the cosines between different names.

    Args:
        names: float32 (m, D) from `unit_grid`.

    Returns:
        Their mean and standard deviation; where there are too few, cosines as they are.
    """
    if len(names) < _FEW:
        return Scale(0.0, 1.0)
    near = cosines(names, names)[np.triu_indices(len(names), 1)].astype(np.float64)
    return Scale(float(near.mean()), max(float(near.std()), _NOTHING))


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words of the taxonomy with their vectors."""

    texts: Sequence[str]
    """w phrases."""
    targets: Sequence[str]
    """What each is a word for: a super-category, or IGNORE."""
    is_name: "NDArray[np.bool_]"
    """(w,): whether it is the official name itself."""
    is_alias: "NDArray[np.bool_]"
    """(w,): whether it is of the taxonomy's own words, which the method `wording` reads."""
    vectors: "NDArray[np.float32]"
    """(w, D) from `unit_grid`."""

    @property
    def scale(self) -> Scale:
        """Of the encoder's cosines."""
        return scale_of(self.vectors[self.is_name])


class Prototypes:
    """The method `prototypes`: how near a class is to a super-category's name and its words.

    Its score is half the cosine to the name and half that to the best of the words: what a name
    does not say (`sports venue`) its words do, and a word that is far from the name weighs half.
    """

    def __init__(self, vectors: "NDArray[np.float32]", phrases: Phrases, targets: Targets) -> None:
        """Compares each class with every word.

        Args:
            vectors: (n, D) from `unit_grid`, as the words.
            phrases: the words; those of other targets are left out.
            targets: what can be proposed.
        """
        self._vectors, self._phrases, self._targets = vectors, phrases, targets
        numbers = [targets.number.get(target, -1) for target in phrases.targets]
        self._columns = np.array(numbers, dtype=np.int64)
        is_known = self._columns >= 0
        # An alias that is the label itself is left out: `wording` says so already, and here it
        # would hide what the other words are like.
        self._names = self._best(is_known & phrases.is_name, leave_out_same=False)
        words = self._best(is_known, leave_out_same=True)
        self.scores = phrases.scale.of((self._names + words) / 2)
        """(n, T), in deviations above the mean; -inf for a target without a word."""

    def _best(self, chosen: "NDArray[np.bool_]", *, leave_out_same: bool) -> "NDArray[np.float64]":
        """Returns the greatest cosine of each class to any chosen word of each target."""
        best = np.full((len(self._vectors), len(self._targets.columns)), -np.inf)
        rows = np.flatnonzero(chosen)
        rows = rows[self._columns[rows].argsort(kind="stable")]
        if not len(rows):
            return best
        there, starts = np.unique(self._columns[rows], return_index=True)
        for start in range(0, len(best), _BLOCK):
            near = cosines(self._vectors[start : start + _BLOCK], self._phrases.vectors[rows])
            if leave_out_same:
                near[(near >= SAME) & self._phrases.is_alias[rows]] = -np.inf
            best[start : start + _BLOCK, there] = np.maximum.reduceat(near, starts, axis=1)
        return best

    def opinion(self, calibration: Calibration) -> Opinion:
        """Returns what the method says of all classes."""
        settings = calibration.softmax["prototypes"]
        prior = self._targets.prior(calibration.ignored)
        shares = softmax_shares(self.scores, settings, prior)
        unnamed = np.full(len(shares), np.log(settings.floor))
        return Opinion(log_ratio=np.log(shares / prior), unnamed=unnamed)

    def words(self, row: int, target: str) -> str:
        """Returns the evidence of a class for a target; empty where the method cannot name it."""
        targets, phrases = self._targets, self._phrases
        if target not in targets.names:
            return ""
        names = self._names[row, : len(targets.names)]
        order = (-names).argsort(kind="stable")[:_SHOWN]
        near = ", ".join(f"{targets.names[column].strip()} {names[column]:.2f}" for column in order)
        of_target = np.flatnonzero(self._columns == targets.number[target])
        if not len(of_target):
            return f"nearest names: {near}"
        alike = cosines(self._vectors[row : row + 1], phrases.vectors[of_target])[0]
        alike[(alike >= SAME) & phrases.is_alias[of_target]] = -1
        phrase = phrases.texts[of_target[alike.argmax()]]
        return f"like {phrase!r} {alike.max():.2f} (nearest names: {near})"


def softmax_shares(
    scores: "NDArray[np.float64]", settings: Softmax, prior: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Returns p = (1 - floor) softmax(scores / temperature) + floor prior, float64 (n, T).

    Args:
        scores: float64 (n, T), IGNORE last; -inf where a target has no word.
        settings: of the method.
        prior: float64 (T,) of sum 1.
    """
    scores = scores.copy()
    scores[:, -1] = np.maximum(scores[:, -1], settings.ignore)
    heights = scores / settings.temperature
    shares = np.exp(heights - heights.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray((1 - settings.floor) * shares + settings.floor * prior)
