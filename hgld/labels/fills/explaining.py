"""The reasons for a guess, in words that a reviewer can check."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hgld.labels.fills.guessing import NONE, Document, FillMethod, Guesses, KnownLandmarks
from hgld.labels.fills.lexicon import Lexicon, folded_words

_FEWEST_NAMES = 2
"""A word is a reason only if at least this many known names with the label have it,"""
_LEAST_SHARE = 0.3
"""and at least this share of all known names with the word."""
_LEAST_RUNNER_UP = 0.9
"""A less confident guess is shown with the second best."""
_MOST_PARENTS = 2
_DIGITS = 6  # a float32 has no more
_NOISE = 1e-9
"""Rounding error of a product of floats: 100 times 0.29 is slightly less than 29."""


class Explainer:
    """Finds the words and parents that support a label."""

    def __init__(self, lexicon: Lexicon, known: KnownLandmarks) -> None:
        """Counts the words of known names by label."""
        self._lexicon = lexicon
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for document, label in zip(known.documents, known.truth, strict=True):
            for word in {*folded_words(document.titles[0])} if label != NONE else ():
                self._counts[word][label] += 1

    def of_name(self, name: str, label: str) -> list[str]:
        """Returns how the words of a name support a label, the strongest reason first."""
        found = []
        words = [word for word in folded_words(name) if word in self._counts]
        if words:
            word = max(words, key=lambda word: (self._strength(word, label), word))
            count, total = self._counts[word][label], self._counts[word].total()
            if count >= max(_FEWEST_NAMES, _LEAST_SHARE * total):
                found.append(
                    f"{word!r} in the name, as in {total:,} known ones, of which {count:,} are "
                    f"{label.strip()}"
                )
        if meant := self._lexicon.meaning(name).said.get(label):
            found.append(f"{meant!r} means {label.strip()}")
        return found or [f"letters of the name, as in known names of {label.strip()}"]

    def _strength(self, word: str, label: str) -> float:
        return self._counts[word][label] ** 2 / self._counts[word].total()

    def of_parents(self, titles: Sequence[str], label: str) -> list[str]:
        """Returns the parents whose words support a label; if none does, the first parents."""
        telling = [title for title in titles if label in self._lexicon.meaning(title).said]
        chosen = telling or titles
        verb = "it is in" if telling else "parents"
        return [f"{verb} {', '.join(map(repr, chosen[:_MOST_PARENTS]))}"] if chosen else []


def why_unsure(confidence: float, method: FillMethod, precision: float) -> str:
    """Returns why a guess does not become a label; empty if it does."""
    if method.regression is None:
        few = f"too few labelled landmarks ({method.held_out})"
        return f"{few} to measure how often such guesses are right"
    if math.isinf(method.threshold):
        return f"no guesses by {method.name} are right {precision:.0%} of the time"
    if confidence < method.threshold:
        # Not rounded, because the two numbers could then look equal.
        least = math.ceil(100 * method.threshold - _NOISE)
        return f"{percent_sure(confidence) / 100:.2f} sure, and {least / 100:.2f} is asked for"
    return ""


def percent_sure(confidence: float) -> int:
    """Returns a confidence as a percentage, rounded down, as the review shows it.

    Example:
        >>> percent_sure(0.29), percent_sure(0.7399)
        (29, 73)
    """
    return int(100 * round(float(np.float32(confidence)), _DIGITS) + _NOISE)


def told_guesses(
    asked: Sequence[Document],
    known: KnownLandmarks,
    guesses: Guesses,
    lexicon: Lexicon,
    precision: float,
    near: Mapping[int, str],
) -> Iterator[dict[str, Any]]:
    """Yields the guess for each landmark, its confidence and evidence, and why it is not a label.

    Args:
        asked: the landmarks to guess for.
        known: the landmarks that were learned from.
        guesses: the guesses for `asked`, in the same order.
        lexicon: the meanings of words.
        precision: share of labels that must be right, from 0 to 1.
        near: row of `asked` to what stands near it, which is told and changes nothing else.

    Yields:
        best_guess, confidence, evidence, method and `unsure`: why it is not a label, or empty.
    """
    explainer = Explainer(lexicon, known)
    for row, (titles, vote) in enumerate(asked):
        label, second = (known.labels[each[row]] for each in (guesses.front, guesses.second))
        method, confidence = guesses.methods[row], float(guesses.confidence[row])
        said = explainer.of_name(titles[0], label) + explainer.of_parents(titles[1:], label)
        if vote:
            said.append(f"pictures: {vote.evidence}")
        if confidence < _LEAST_RUNNER_UP and second != label:
            said.append(f"then {second.strip()}")
        if row in near:
            said.append(near[row])
        unsure = why_unsure(confidence, method, precision)
        if row in guesses.refused:
            unsure = "what was likelier was refused, and how often the next is right is not known"
        yield {
            "best_guess": label,
            "confidence": confidence,
            "evidence": "; ".join([*said, *([unsure] if unsure else [])]),
            "method": method.name,
            "unsure": unsure,
        }
