"""Why a guess is what it is, in words that a reviewer can check."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hgld.labels.fills.guessing.combining import FillMethod
from hgld.labels.fills.guessing.lexicon import Lexicon
from hgld.labels.fills.guessing.subjects import NONE, KnownLandmarks, PictureVote
from hgld.labels.fills.guessing.titles import folded, folded_words

_FEWEST_NAMES = 2
"""Known names that a word must be in to be told of."""
_LEAST_SHARE = 0.3
"""Of those, that must have the label."""
_MOST_PARENTS = 2
_DIGITS = 6  # a float32 has no more
_NOISE = 1e-9
"""Of a product of floats: 100 times 0.29 is a little less than 29."""


@dataclass(slots=True)
class Explainer:
    """Tells which words, parents and pictures speak for a label."""

    lexicon: Lexicon
    known: KnownLandmarks
    _counts: dict[str, Counter[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Counts the words of known names by label."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name, label in zip(self.known.subjects.names, self.known.truth, strict=True):
            if label != NONE:
                for word in {*folded_words(folded(name))}:
                    counts[word][label] += 1
        self._counts = dict(counts)

    def of_name(self, name: str, label: str) -> list[str]:
        """Returns what the words of a name say for a label, the strongest first."""
        found = []
        best = max(
            (
                (word, self._counts[word])
                for word in folded_words(folded(name))
                if word in self._counts
            ),
            key=lambda each: (each[1][label] ** 2 / each[1].total(), each[0]),
            default=None,
        )
        if best and best[1][label] >= max(_FEWEST_NAMES, _LEAST_SHARE * best[1].total()):
            word, counts = best
            found.append(
                f"{word!r} in the name, as in {counts.total():,} known ones, of which "
                f"{counts[label]:,} are {label.strip()}"
            )
        if meant := self.lexicon.meaning(name).said.get(label):
            found.append(f"{meant!r} means {label.strip()}")
        return found or [f"letters of the name, as in known names of {label.strip()}"]

    def of_parents(self, titles: Sequence[str], label: str) -> list[str]:
        """Returns which parents speak for a label; where none does by its words, some of all."""
        telling = [title for title in titles if label in self.lexicon.meaning(title).said]
        chosen = telling or titles
        verb = "it is in" if telling else "parents"
        return [f"{verb} {', '.join(map(repr, chosen[:_MOST_PARENTS]))}"] if chosen else []

    def of_pictures(self, vote: PictureVote | None) -> list[str]:
        """Returns what the pictures say, whatever that is."""
        return [f"pictures: {vote.evidence}"] if vote else []


def why_unsure(confidence: float, method: FillMethod, precision: float) -> str:
    """Returns why a guess is no label, or nothing where it is one."""
    if not method.calibrator.is_measured:
        return (
            f"too few labelled landmarks ({method.calibrator.held_out}) to measure how often such "
            f"guesses are right"
        )
    if method.threshold == float("inf"):
        return f"no guesses by {method.name} are right {precision:.0%} of the time"
    if confidence < method.threshold:
        # Cut and not rounded, lest the two look alike.
        least = math.ceil(100 * method.threshold - _NOISE)
        return f"{percent_sure(confidence) / 100:.2f} sure, and {least / 100:.2f} is asked for"
    return ""


def percent_sure(confidence: float) -> int:
    """Returns a confidence as a percentage, cut: as the table has it and the review shows it.

    Example:
        >>> percent_sure(0.29), percent_sure(0.7399)
        (29, 73)
    """
    return int(100 * round(float(np.float32(confidence)), _DIGITS) + _NOISE)
