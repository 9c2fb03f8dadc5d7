"""Which super-category titles speak of: letters, words and what the taxonomy knows of these.

A document is some titles: the name of a category, or all its parents. Its features are TF-IDF of
character n-grams and of words, and tokens of the lexicon; a linear support vector machine, one
super-category against the rest, scores them. Measured on 5,749 names with an official label, five
folds: right for 66.0% without the lexicon's tokens and for 72.7% with them, of the surest half
90.5% and 93.8%.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hgld.labels.fills.guessing.lexicon import Lexicon
from hgld.labels.fills.guessing.subjects import NONE
from hgld.labels.fills.guessing.titles import folded

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LabelScores = NDArray[np.float32]
"""(n, L): the higher, the more a document is of a super-category; about 1 where it surely is."""

_UNLEARNED = -2.0
"""The score of a super-category that nothing known is of."""

_WORD = r"(?u)\b\w+\b"
_COST = 0.3
"""C of the support vectors; 0.1 and 0.3 are right for 64.6 and 66.0% without the lexicon's tokens,
0.3 and 1 for 72.5 and 72.2% with them."""
_TOKEN_WEIGHT = 0.5
"""Of a token beside TF-IDF of length 1; 0.2, 0.3 and 0.5: 72.0, 72.5 and 72.7% are right."""
PRIOR_WEIGHT = 0.1
"""Of a noun of the taxonomy as if it was a name. On 200 known names it takes 50.2% right to 67.9,
on 1,500 69.4 to 70.9; on 4,600 it changes nothing."""
_FEWEST_NONE = 20
_LEAST_LEAD = 1e-3


def _as_they_are(tokens: Sequence[str]) -> Sequence[str]:
    return tokens


@dataclass(slots=True)
class TitleFeatures:
    """The features of documents, with the words and letters of those that are known."""

    lexicon: Lexicon
    _vectorizers: list[Any] = field(default_factory=list)

    def learn(self, documents: Sequence[Sequence[str]]) -> "csr_matrix":
        """Learns which words and letters there are; returns the features of the documents."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizers = [
            TfidfVectorizer(
                analyzer="char_wb",
                ngram_range=(2, 6),
                sublinear_tf=True,
                min_df=2,
                dtype=np.float32,
            ),
            TfidfVectorizer(
                token_pattern=_WORD,
                ngram_range=(1, 2),
                sublinear_tf=True,
                dtype=np.float32,
            ),
            TfidfVectorizer(
                analyzer=_as_they_are,
                binary=True,
                norm=None,
                use_idf=False,
                min_df=2,
                dtype=np.float32,
            ),
        ]
        return self._matrix(documents, learn=True)

    def of(self, documents: Sequence[Sequence[str]]) -> "csr_matrix":
        """Returns the features of documents, float32 (n, features)."""
        return self._matrix(documents, learn=False)

    def _matrix(self, documents: Sequence[Sequence[str]], *, learn: bool) -> "csr_matrix":
        from scipy.sparse import hstack

        texts = [folded(" | ".join(titles)) for titles in documents]
        tokens = [
            [token for title in titles for token in self.lexicon.meaning(title).tokens]
            for titles in documents
        ]
        letters, words, known = self._vectorizers
        parts = [
            one.fit_transform(given) if learn else one.transform(given)
            for one, given in ((letters, texts), (words, texts), (known, tokens))
        ]
        parts[2] = parts[2] * np.float32(_TOKEN_WEIGHT)
        return hstack(parts, format="csr", dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleModel:
    """What was learned of known documents."""

    labels: Sequence[str]
    columns: NDArray[np.int64]
    """Of the classes of the machine among the labels and, as the last column, none."""
    machine: Any
    of_refused: Mapping[int, Any] = field(default_factory=dict)
    """Column of a label that was refused of some document, to a machine that learned from that."""

    def scores(self, features: "csr_matrix") -> LabelScores:
        """Returns the scores of documents: (n, L + 1), the last column that of having no label."""
        found = unscored(features.shape[0], self.labels)
        if self.machine is None:  # of one label there is nothing to tell apart
            found[:, self.columns] = 1
        else:
            decided = np.asarray(self.machine.decision_function(features), np.float32)
            both = np.column_stack([-decided, decided]) if decided.ndim == 1 else decided
            found[:, self.columns] = both
        before = found.copy()
        for column, machine in self.of_refused.items():
            # A refusal takes from what sets a label apart. It puts no other in front, which nobody
            # has looked at: what leads still leads, by nothing.
            rivals = np.delete(before[:, :-1], column, axis=1).max(axis=1, initial=-np.inf)
            least = np.where(before[:, column] > rivals, rivals + _LEAST_LEAD, -np.inf)
            told = np.maximum(machine.decision_function(features), least)
            found[:, column] = np.minimum(before[:, column], told)
        return found


def learn_titles(
    features: "csr_matrix",
    truth: NDArray[np.str_],
    labels: Sequence[str],
    weights: LabelScores,
    refused: Mapping[int, frozenset[str]],
) -> TitleModel:
    """Learns which super-category documents speak of.

    Args:
        features: of the documents, (n, features).
        truth: (n,), the label of each, or `NONE` of what is known to have none.
        labels: (L,), all labels that count; those of no document stay unlearned.
        weights: (n,), of each document.
        refused: place of a document of which only that is known which labels it does not have, to
            these; it teaches those labels, and no other.
    """
    is_told = np.ones(len(truth), bool)
    is_told[list(refused)] = False
    if np.sum(truth[is_told] == NONE) < _FEWEST_NONE:  # too few to say what such names are like
        is_told &= truth != NONE
    told = np.flatnonzero(is_told)
    classes = np.unique(truth[told])
    places = {label: place for place, label in enumerate([*labels, NONE])}
    machine = None
    if len(classes) > 1:
        machine = _machine().fit(features[told], truth[told], sample_weight=weights[told])
    of_refused = {}
    for label in sorted(frozenset[str]().union(*refused.values()) & {*classes.tolist()}):
        others = [row for row, not_these in refused.items() if label in not_these]
        rows = np.append(told, others).astype(np.int64)
        of_refused[places[label]] = _machine().fit(
            features[rows], truth[rows] == label, sample_weight=weights[rows]
        )
    columns = np.array([places[label] for label in classes.tolist()], np.int64)
    return TitleModel(labels=labels, columns=columns, machine=machine, of_refused=of_refused)


def _machine() -> Any:  # noqa: ANN401 - scikit-learn's, which has no types
    from sklearn.svm import LinearSVC

    return LinearSVC(C=_COST, dual=True, random_state=0)


def prior_documents(lexicon: Lexicon, labels: Iterable[str]) -> tuple[list[list[str]], list[str]]:
    """Returns the taxonomy's nouns of these labels as documents, and the label of each."""
    known = set(labels)
    chosen = [(text, label) for text, label in lexicon.examples if label in known]
    return [[text] for text, _ in chosen], [label for _, label in chosen]


def unscored(rows: int, labels: Sequence[str]) -> LabelScores:
    """Returns the scores of landmarks of which nothing is known: (rows, L + 1)."""
    return np.full((rows, len(labels) + 1), _UNLEARNED, np.float32)
