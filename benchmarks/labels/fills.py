"""How often fills are right, by landmarks that have a label and are held out, part by part of ten.

    python -m hgld.benchmarks.labels.fills --labelled FILE.csv --out fills.json

FILE has the columns of `hgld fill --labelled`. Beside the method: the plain one (TF-IDF of
characters and words with logistic regression, its own probability as the confidence). What is known
to have no label is left out of the figures.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.environment import describe_environment
from hgld.engine.dataset import read_csv
from hgld.labels.fills.guessing import NONE, Document, Floats, KnownLandmarks, guess, trusted_from
from hgld.labels.fills.lexicon import Lexicon, name_of_category, read_lexicon
from hgld.labels.scikit_learn import one_thread

_PARTS = 10
PRECISION = 0.95
_BINS = 10


class Names(NamedTuple):
    """Names of categories with what is known of them."""

    names: NDArray[np.str_]
    truth: NDArray[np.str_]
    """`NONE` of what is known to have none."""
    sides: Mapping[str, str]


class Guessed(NamedTuple):
    """Guesses for names, each by what did not see it."""

    guess: NDArray[np.str_]
    confidence: Floats


GuessingWay = Callable[[Names, NDArray[np.int64], NDArray[np.int64]], Guessed]
"""Learns from some rows and guesses others."""


def read_labelled_names(path: Path) -> Names:
    """Reads a CSV file with the columns category, hierarchical_label, natural_or_human_made."""
    columns = ("category", "hierarchical_label", "natural_or_human_made")
    table = read_csv(path, dict.fromkeys(columns, pa.string()))
    categories, labels, sides = (each.to_pylist() for each in table)
    return Names(
        names=np.array([name_of_category(category) for category in categories]),
        truth=np.array(labels),
        sides={label: side for label, side in zip(labels, sides, strict=True) if label},
    )


def figures(names: Names, found: Guessed) -> dict[str, float]:
    """Returns how often guesses for names that have a label are right.

    Returns:
        Percentages of all, of the surest 30 and 50%, of sides and of the surest 70% of these; the
        calibration error; and the share of guesses above the confidence from which on 95% are
        right.
    """
    rows = np.flatnonzero(names.truth != NONE)
    truth, guessed, confidence = names.truth[rows], found.guess[rows], found.confidence[rows]
    order = np.argsort(-confidence, kind="stable")
    is_right = guessed == truth
    pairs = zip(truth.tolist(), guessed.tolist(), strict=True)
    sides = np.array([names.sides[one] == names.sides[other] for one, other in pairs])
    threshold = trusted_from(confidence, is_right, PRECISION)
    told = {
        "all": is_right.mean(),
        "surest_30": is_right[order][: int(0.3 * len(rows))].mean(),
        "surest_50": is_right[order][: int(0.5 * len(rows))].mean(),
        "sides": sides.mean(),
        "sides_surest_70": sides[order][: int(0.7 * len(rows))].mean(),
        "covered_at_95": (confidence >= threshold).mean(),
    }
    return {name: round(100 * float(value), 1) for name, value in told.items()} | {
        "ece": round(expected_calibration_error(confidence, is_right), 4)
    }


def expected_calibration_error(confidence: Floats, is_right: NDArray[np.bool_]) -> float:
    """Returns how far confidences are from how often guesses are right: ECE over ten equal bins.

    Args:
        confidence: (n,), from 0 to 1.
        is_right: (n,).

    Returns:
        The mean over guesses of |mean confidence - share right| in their bin; NaN without guesses.

    Source:
        Naeini, Cooper, Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning,
        AAAI 2015.
    """
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(place, confidence - is_right, _BINS)
    return float(np.abs(gaps).sum() / len(confidence)) if len(confidence) else float("nan")


def held_out(names: Names, way: GuessingWay) -> Guessed:
    """Guesses every name by a way that learned from the other parts of ten."""
    draw = np.random.default_rng(0)
    part = draw.permutation(len(names.names)) % _PARTS
    found = Guessed(np.empty_like(names.truth), np.zeros(len(part)))
    for number in range(_PARTS):
        learned = draw.permutation(np.flatnonzero(part != number))
        asked = np.flatnonzero(part == number)
        found.guess[asked], found.confidence[asked] = way(names, learned, asked)
    return found


def by_fills(
    lexicon: Lexicon, names: Names, learned: NDArray[np.int64], asked: NDArray[np.int64]
) -> Guessed:
    """Guesses as `hgld fill` does."""
    labels = sorted(names.sides)
    seen, unseen = (
        [Document((n,)) for n in names.names[rows].tolist()] for rows in (learned, asked)
    )
    known = KnownLandmarks(documents=seen, truth=names.truth[learned].tolist(), labels=labels)
    found = guess(known, unseen, {}, lexicon=lexicon, precision=PRECISION)
    return Guessed(np.array(labels)[found.front], found.confidence)


def plainly(names: Names, learned: NDArray[np.int64], asked: NDArray[np.int64]) -> Guessed:
    """Guesses as scikit-learn's users would; a confidence is the regression's probability."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
    pipeline = make_pipeline(
        make_union(letters, TfidfVectorizer(sublinear_tf=True)),
        LogisticRegression(C=10, max_iter=200),
    )
    learned = learned[names.truth[learned] != NONE]
    pipeline.fit(names.names[learned], names.truth[learned])
    shares = pipeline.predict_proba(names.names[asked])
    return Guessed(pipeline.classes_[shares.argmax(axis=1)], shares.max(axis=1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--labelled", type=Path, required=True, help="CSV of labelled categories")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(arguments)
    names = read_labelled_names(options.labelled)
    ways: Mapping[str, GuessingWay] = {"fill": partial(by_fills, read_lexicon()), "plain": plainly}
    with one_thread("the benchmark of fills"):
        results = {name: figures(names, held_out(names, way)) for name, way in ways.items()}
    report = {
        "metadata": {
            **describe_environment(["scikit-learn", "scipy", "numpy"]),
            "names": len(names.names),
            "labelled": int((names.truth != NONE).sum()),
            "parts": _PARTS,
            "precision": PRECISION,
        },
        "results": results,
    }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
