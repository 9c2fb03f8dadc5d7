"""Methods that compare vectors: the nearest of the names, and prototypes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hgld.labels.proposing.calibration import Calibration, Softmax
from hgld.labels.proposing.methods.ballot import Opinion, Targets
from hgld.labels.proposing.methods.cosines import SAME, Scale, cosines, scale_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

VectorMethod = Literal["nearest", "prototypes"]

_BLOCK = 1024  # classes at a time: with 20,000 words 80 MB of cosines
_SHOWN = 3  # names that a reviewer is shown


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


@dataclass(frozen=True, slots=True)
class WordScores:
    """How near n classes are to the words of each target."""

    names: "NDArray[np.float64]"
    """(n, T): the greatest cosine to a name of the target; -inf where it has none."""
    words: "NDArray[np.float64]"
    """(n, T): the greatest cosine to any of its words."""
    scale: Scale
    """Of the encoder's cosines."""

    @property
    def by_method(self) -> "dict[str, NDArray[np.float64]]":
        """The scores of each method, in deviations above the mean.

        `nearest` takes the cosine to a super-category's own name; `prototypes` half of that and
        half of the cosine to the best of its words: what a name does not say (`sports venue`) its
        words do, and a word alone that is far from the name weighs half.
        """
        return {
            "nearest": self.scale.of(self.names),
            "prototypes": self.scale.of((self.names + self.words) / 2),
        }


def word_scores(vectors: "NDArray[np.float32]", phrases: Phrases, targets: Targets) -> WordScores:
    """Compares each class with every word.

    Args:
        vectors: (n, D) from `unit_grid`, as the words.
        phrases: the words; those of other targets are left out.
        targets: what can be proposed.
    """
    columns = _columns(phrases, targets)
    known, is_name = columns >= 0, (columns >= 0) & phrases.is_name
    return WordScores(
        names=_best(vectors, phrases.vectors[is_name], columns[is_name], targets),
        words=_best(
            vectors, phrases.vectors[known], columns[known], targets, phrases.is_alias[known]
        ),
        scale=scale_of(phrases.vectors[is_name]),
    )


def vector_opinion(
    method: VectorMethod,
    vectors: "NDArray[np.float32]",
    phrases: Phrases,
    targets: Targets,
    calibration: Calibration,
) -> Opinion:
    """Returns the opinion of a method that compares vectors.

    Args:
        method: which; `WordScores.by_method` has their formulas.
        vectors: (n, D) from `unit_grid`, as the words.
        phrases: the words; those of other targets are left out.
        targets: what can be proposed.
        calibration: has how cosines become shares.
    """
    scores, columns = word_scores(vectors, phrases, targets), _columns(phrases, targets)
    settings, prior = calibration.softmax[method], targets.prior(calibration.ignored)
    shares = softmax_shares(scores.by_method[method], settings, prior)

    def words(row: int, target: str) -> str:
        if target not in targets.names:
            return ""
        names = scores.names[row, :-1]
        order = (-names).argsort(kind="stable")[:_SHOWN]
        near = ", ".join(f"{targets.names[column].strip()} {names[column]:.2f}" for column in order)
        of_target = np.flatnonzero(columns == targets.number[target])
        if method == "nearest" or not len(of_target):
            return f"nearest names: {near}"
        alike = cosines(vectors[row : row + 1], phrases.vectors[of_target])[0]
        alike[(alike >= SAME) & phrases.is_alias[of_target]] = -1
        phrase = phrases.texts[of_target[alike.argmax()]]
        return f"like {phrase!r} {alike.max():.2f} (nearest names: {near})"

    return Opinion(
        method=method,
        log_ratio=np.log(shares / prior),
        unnamed=np.full(len(vectors), np.log(settings.floor)),
        ignores=np.zeros(len(vectors), dtype=np.bool_),
        doubts=np.zeros(len(vectors), dtype=np.bool_),
        doubts_outright=np.zeros(len(vectors), dtype=np.bool_),
        words=words,
    )


def _columns(phrases: Phrases, targets: Targets) -> "NDArray[np.int64]":
    """Returns the column of each word's target; -1 where it is none."""
    return np.array([targets.number.get(target, -1) for target in phrases.targets], dtype=np.int64)


def _best(
    vectors: "NDArray[np.float32]",
    words: "NDArray[np.float32]",
    columns: "NDArray[np.int64]",
    targets: Targets,
    is_alias: "NDArray[np.bool_] | None" = None,
) -> "NDArray[np.float64]":
    """Returns the greatest cosine of each class to any word of each target, -inf without a word.

    An alias that is the label itself is left out: `wording` says so already, and here it would hide
    what the other words are like.
    """
    best = np.full((len(vectors), len(targets.names) + 1), -np.inf)
    if not len(words):
        return best
    order = columns.argsort(kind="stable")
    there, starts = np.unique(columns[order], return_index=True)
    for start in range(0, len(vectors), _BLOCK):
        near = cosines(vectors[start : start + _BLOCK], words[order])
        if is_alias is not None:
            near[(near >= SAME) & is_alias[order]] = -np.inf
        best[start : start + _BLOCK, there] = np.maximum.reduceat(near, starts, axis=1)
    return best


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
