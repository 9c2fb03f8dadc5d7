"""A guess for each landmark from all that speaks of it, and how sure that is, as measured.

A landmark is a document: its name, the titles of its parents, the vote of its pictures. Its
features are TF-IDF of letters and words, and what the taxonomy knows of the words; one logistic
regression a super-category scores them. How often a guess is right is measured on labelled
landmarks that the model did not see, for each combination of evidence.

A refusal says what a landmark is not, and nothing else; the landmark may well have another label.
It teaches the one super-category what is not of it, and where a held-out model makes that guess all
the same, that is a guess that was wrong.
"""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.labels.fills.lexicon import Lexicon, folded

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.pipeline import FeatureUnion

logger = logging.getLogger(__name__)

NONE = ""
"""The label of what is known to have none."""
FEWEST = 60
"""Held-out guesses that a confidence needs to be learned from."""
_FEWEST_TRUSTED = 30
"""Held-out guesses above a threshold that show how often those are right."""
_FEWEST_NONE = 20
"""Landmarks without a label that show what such names are like."""
_ALPHA, _EPOCHS = 3e-6, 20
"""Of the regression, whose weights are averaged over its steps. Of held-out names 72.8% are right;
by an alpha of 1e-6 71.9, of 1e-5 72.1, and without the average 72.3."""
_TOKEN_WEIGHT = 0.5
"""Of a token beside TF-IDF of length 1; measured: 0.2, 0.3 and 0.5 rise by 0.3 points each."""
_PRIOR_WEIGHT = 0.1
"""Of a noun of the taxonomy as if it was a name: it helps where few names are known."""
_UNLEARNED = -20.0
"""The score of a super-category that nothing known is of."""
_PARTS = 5
_MOST_IN_ALL_PARTS = 20_000
"""Known landmarks of which each is held out once; of more one part of five is: 4,000 at least."""
_ROWS_AT_ONCE = 20_000
_VOTE_STEPS = 4
_FEW_DOCUMENTS = 100
_WORD = r"(?u)\b\w+\b"
_NOTHING_KNOWN = ("landmark", NONE)
"""The example where the taxonomy has no noun of any label that counts, and perhaps no name has a
word: without a word there are no features."""

Floats = NDArray[np.float64]


class PictureVote(NamedTuple):
    """What a landmark's pictures say together."""

    label: str
    confidence: float
    """How sure those are that say so, from 0 to 1."""
    share: float
    """Of its pictures that say so."""
    evidence: str


class Document(NamedTuple):
    """All that speaks of a landmark."""

    titles: tuple[str, ...]
    """The name of its category, then those of its parents, if any."""
    vote: PictureVote | None = None

    @property
    def method(self) -> str:
        """The kinds of evidence, joined."""
        parents, pictures = len(self.titles) > 1, self.vote is not None
        return "words" + "+parents" * parents + "+pictures" * pictures

    def tokens(self, lexicon: Lexicon) -> list[str]:
        """Returns what its words mean, and how its pictures vote: the surer, the more tokens."""
        found = ["title", *(t for title in self.titles for t in lexicon.meaning(title).tokens)]
        if self.vote:
            steps = math.ceil(_VOTE_STEPS * self.vote.confidence * self.vote.share)
            found += [f"V{step}:{self.vote.label}" for step in range(steps)]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLandmarks:
    """What is learned from."""

    documents: Sequence[Document]
    truth: Sequence[str]
    """(n,), the label of each landmark; `NONE` of one that is known to have none."""
    labels: Sequence[str]
    """(L,), all labels that count, sorted; of some there may be no landmark."""
    refused: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Place of a landmark of which only that is known which labels it does not have, to these. Its
    truth is `NONE`, and does not say that it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMethod:
    """A combination of kinds of evidence, and how its guesses are right."""

    name: str
    """The kinds joined, as FILLS has them."""
    held_out: int
    """Guesses that it was measured on."""
    right: float = math.nan
    """Share of them that is right."""
    regression: Any = None
    """From the log-odds of a guess to a confidence; None of too few guesses."""
    threshold: float = math.inf
    """The confidence from which on guesses are right as often as asked for; infinity: none are."""

    def confidence(self, scores: Floats) -> Floats:
        """Returns how often guesses of such scores are right, from 0 to 1.

        Args:
            scores: (n, L + 1), the last column that of having no label.
        """
        if not len(scores):
            return np.zeros(0)
        if self.regression is None:  # an estimate that nobody measured
            estimate: Floats = _shares(scores).max(axis=1) / 2
            return estimate
        found: Floats = self.regression.predict_proba(_log_odds(scores))[:, 1]
        return found


class Check(NamedTuple):
    """A guess for a labelled landmark by models that did not see it."""

    row: int
    """Among the known ones."""
    method: str
    guess: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """What was guessed of the landmarks that were asked about, in their order."""

    front: NDArray[np.int64]
    """(n,), the place of the guess among the labels."""
    second: NDArray[np.int64]
    """(n,), and of the next."""
    confidence: Floats
    """(n,), from 0 to 1."""
    methods: Sequence[FillMethod]
    """(n,)"""
    checks: Sequence[Check]
    """Of each method that could be measured, its guesses for held-out landmarks: those that have a
    label, and those of which the guess was refused."""
    refused: frozenset[int] = frozenset()
    """Rows whose guess is the next after one that a person refused: how often it is right, nobody
    has measured."""


def guess(
    known: KnownLandmarks,
    asked: Sequence[Document],
    refused: Mapping[int, frozenset[str]],
    *,
    lexicon: Lexicon,
    precision: float,
) -> Guesses:
    """Learns from known landmarks, and guesses the labels of others.

    Args:
        known: what is learned from; nothing is fine, then the taxonomy's nouns are all.
        asked: the landmarks to guess for.
        refused: place among these to the labels that a person refused.
        lexicon: what words mean.
        precision: how many guesses above a method's threshold have to be right, from 0 to 1.

    Returns:
        A guess for each. Deterministic: the same landmarks give the same.
    """
    if sum(each.vote is not None for each in known.documents) < FEWEST:
        # Nobody knows how often pictures are right.
        known = replace(known, documents=[each._replace(vote=None) for each in known.documents])
        asked = [each._replace(vote=None) for each in asked]
    corpus = _Corpus.of(known, lexicon)
    logger.info("fill: reads %d known and %d other landmarks", len(known.truth), len(asked))
    features = _features(lexicon, few=len(corpus.documents) <= _FEW_DOCUMENTS)
    learned = features.fit_transform(corpus.documents)
    held_out = _held_out(corpus, learned)
    methods = {
        name: _measured(name, corpus, held_out, precision)
        for name in sorted({"words", *(each.method for each in asked)}, key=len)
    }
    for name, (method, _) in methods.items():
        if method.regression is None:
            # Of too few with so much evidence: as sure as words are, which errs on the low side.
            methods[name] = replace(methods["words"][0], name=name), []
        else:
            told = (name, 100 * method.right, method.held_out, method.threshold)
            logger.info("fill: by %s: %.1f%% of %d held-out are right; trusted from %.2f", *told)
    logger.info("fill: learns from all of them")
    model = _Model(corpus, learned, np.arange(len(corpus.documents)))
    scores = np.full((len(asked), len(known.labels) + 1), _UNLEARNED)
    for start in range(0, len(asked), _ROWS_AT_ONCE):  # the features of all take much memory
        some = slice(start, start + _ROWS_AT_ONCE)
        scores[some] = model.scores(features.transform(asked[some]))
    confidence = np.zeros(len(asked))
    for name, (method, _) in methods.items():
        rows = [row for row, each in enumerate(asked) if each.method == name]
        confidence[rows] = method.confidence(scores[rows])
    for row, labels in refused.items():
        # How often what is left is right, nobody has measured: it has its share of before.
        shares = _shares(scores[row : row + 1])[0]
        scores[row, [place for place, one in enumerate(known.labels) if one in labels]] = -np.inf
        confidence[row] = shares[scores[row, :-1].argmax()]
    order = np.argsort(-scores[:, :-1], axis=1, kind="stable")
    return Guesses(
        front=order[:, 0],
        second=order[:, min(1, len(known.labels) - 1)],
        confidence=confidence,
        methods=[methods[each.method][0] for each in asked],
        checks=[check for _, checks in methods.values() for check in checks],
        refused=frozenset(refused),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Corpus:
    """Documents to learn from: known landmarks, once by their names, and nouns of the taxonomy."""

    known: KnownLandmarks
    documents: list[Document]
    truth: NDArray[np.str_]
    weights: Floats
    owners: NDArray[np.int64]
    """The known landmark that a document is of; -1: none."""
    parts: NDArray[np.int64]
    """With which part a document is held out; -1: with none."""

    @classmethod
    def of(cls, known: KnownLandmarks, lexicon: Lexicon) -> "_Corpus":
        """Makes the documents; a landmark with more than a name is a second one."""
        names = [Document(each.titles[:1]) for each in known.documents]
        more = [row for row, each in enumerate(known.documents) if each != names[row]]
        nouns = [(text, label) for text, label in lexicon.examples if label in {*known.labels}]
        nouns = nouns or [_NOTHING_KNOWN]
        owners = np.array([*range(len(names)), *more, *([-1] * len(nouns))], np.int64)
        labels = [known.truth[row] for row in owners[owners >= 0]]
        examples = [Document((text,)) for text, _ in nouns]
        return cls(
            known=known,
            documents=[*names, *(known.documents[row] for row in more), *examples],
            truth=np.array([*labels, *(label for _, label in nouns)], np.str_),
            weights=np.where(owners >= 0, 1.0, _PRIOR_WEIGHT),
            owners=owners,
            parts=np.array([_part_of(known, row) for row in owners.tolist()], np.int64),
        )


def _part_of(known: KnownLandmarks, row: int) -> int:
    """Returns with which part of five a landmark is held out: those of one name together."""
    if row < 0:
        return -1
    digest = hashlib.sha256(known.documents[row].titles[0].encode()).digest()
    return int.from_bytes(digest[:4], "big") % _PARTS


def _features(lexicon: Lexicon, *, few: bool) -> "FeatureUnion":
    """Returns the vectorizer of documents, to float32 (n, features): letters, words, tokens."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    of_text = {"preprocessor": _text_of, "sublinear_tf": True, "dtype": np.float32}
    fewest = 1 if few else 2  # that have a letter group
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 6), min_df=fewest, **of_text)
    words = TfidfVectorizer(token_pattern=_WORD, ngram_range=(1, 2), **of_text)
    of_tokens = {"binary": True, "norm": None, "use_idf": False, "dtype": np.float32}
    tokens = TfidfVectorizer(analyzer=lambda document: document.tokens(lexicon), **of_tokens)
    parts = [("letters", letters), ("words", words), ("tokens", tokens)]
    return FeatureUnion(parts, transformer_weights={"tokens": _TOKEN_WEIGHT})


def _text_of(document: Document) -> str:
    return folded(" | ".join(document.titles))


class _Model:
    """One logistic regression for each label, and for having none."""

    def __init__(self, corpus: _Corpus, features: "csr_matrix", rows: NDArray[np.int64]) -> None:
        from sklearn.linear_model import SGDClassifier

        known, truth = corpus.known, corpus.truth
        refused = {row: known.refused.get(int(corpus.owners[row])) for row in rows.tolist()}
        told = np.array([row for row, labels in refused.items() if not labels], np.int64)
        if np.sum(truth[told] == NONE) < _FEWEST_NONE:
            told = told[truth[told] != NONE]
        targets = [*known.labels, NONE]
        self._weights = np.zeros((features.shape[1], len(targets)), np.float32)
        self._biases = np.full(len(targets), _UNLEARNED)
        for column, label in enumerate(targets):
            others = [row for row, labels in refused.items() if labels and label in labels]
            learned = np.append(told, others).astype(np.int64)
            is_label = truth[learned] == label
            if not is_label.any():
                continue
            if is_label.all():  # of one label there is nothing to tell apart
                self._biases[column] = 1.0
                continue
            steps = {"alpha": _ALPHA, "max_iter": _EPOCHS, "tol": None, "average": True}
            machine = SGDClassifier(loss="log_loss", random_state=0, **steps)
            machine.fit(features[learned], is_label, sample_weight=corpus.weights[learned])
            self._weights[:, column] = machine.coef_[0]
            self._biases[column] = machine.intercept_[0]

    def scores(self, features: "csr_matrix") -> Floats:
        """Returns the scores of documents, log-odds: (n, L + 1), the last of having no label."""
        return np.asarray(features @ self._weights + self._biases, np.float64)


def _held_out(corpus: _Corpus, features: "csr_matrix") -> Floats:
    """Returns the scores of documents by models that did not see them; NaN where there is none."""
    scores = np.full((len(corpus.documents), len(corpus.known.labels) + 1), np.nan)
    for part in range(_PARTS if len(corpus.known.truth) <= _MOST_IN_ALL_PARTS else 1):
        held = np.flatnonzero(corpus.parts == part)
        if len(held):
            logger.info("fill: learns without part %d of %d", part + 1, _PARTS)
            model = _Model(corpus, features, np.flatnonzero(corpus.parts != part))
            scores[held] = model.scores(features[held])
    return scores


def _measured(
    name: str, corpus: _Corpus, held_out: Floats, precision: float
) -> tuple[FillMethod, list[Check]]:
    """Learns how often a combination of evidence is right, on held-out landmarks that have it.

    Args:
        name: the combination.
        corpus: what was learned from.
        held_out: scores of its documents.
        precision: how many guesses above the threshold have to be right, from 0 to 1.

    Returns:
        The method, and its guesses for the landmarks that it was measured on.
    """
    from sklearn.linear_model import LogisticRegression

    known, checks = corpus.known, []
    places = [place for place, each in enumerate(corpus.documents) if each.method == name]
    rows = []
    for place in places:
        owner = int(corpus.owners[place])
        if owner >= 0 and not np.isnan(held_out[place, 0]):
            label = known.labels[int(held_out[place, :-1].argmax())]
            # Of a refused landmark it is not known whether another guess is right.
            if known.truth[owner] != NONE or label in known.refused.get(owner, ()):
                rows.append(place)
                checks.append((owner, label))
    if len(rows) < FEWEST:
        return FillMethod(name=name, held_out=len(rows)), []
    scores = held_out[rows]
    is_right = np.array([known.truth[owner] == label for owner, label in checks])
    seen = _log_odds(scores)
    # One more right and one more wrong, where all are alike. That it is learned of the guesses
    # that it is measured on makes no difference to a slope and a constant of 60 guesses or more.
    middle = np.tile(seen.mean(axis=0), (2, 1))
    regression = LogisticRegression().fit(np.concatenate([seen, middle]), [*is_right, True, False])
    method = FillMethod(
        name=name, held_out=len(rows), right=float(is_right.mean()), regression=regression
    )
    sure = method.confidence(scores)
    told = [
        Check(owner, name, label, how)
        for (owner, label), how in zip(checks, sure.tolist(), strict=True)
    ]
    return replace(method, threshold=trusted_from(sure, is_right, precision)), told


def _shares(scores: Floats) -> Floats:
    """Returns the share of each label: (n, L).

    share(l) = exp(score_l) / (1 + sum of exp(score) over all labels and having none). The 1 is for
    none of these: where no regression says yes, no label has a large share.
    """
    odds = np.exp(scores)
    shares: Floats = odds[:, :-1] / (1 + odds.sum(axis=1, keepdims=True))
    return shares


def _log_odds(scores: Floats) -> Floats:
    """Returns what a confidence is read from: the log-odds of the front's share, (n, 1)."""
    share = np.clip(_shares(scores).max(axis=1, keepdims=True), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(share / (1 - share)))


def trusted_from(confidence: Floats, is_right: NDArray[np.bool_], precision: float) -> float:
    """Returns the least confidence above which guesses are right often enough.

    Args:
        confidence: (n,), of held-out guesses.
        is_right: (n,), whether they are right.
        precision: how many of those at or above it have to be right, from 0 to 1.

    Returns:
        The lowest such confidence; infinity where no 30 guesses are right so often.

    Example:
        >>> trusted_from(np.linspace(0, 1, 101), np.arange(101) >= 50, precision=0.95)
        0.48
    """
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    share = np.cumsum(is_right[order]) / counts
    fits = (share >= precision) & (counts >= _FEWEST_TRUSTED)
    # Of equal confidences all are above the threshold or none.
    fits &= np.append(confidence[order][:-1] != confidence[order][1:], True)[: len(order)]
    return float(confidence[order][np.flatnonzero(fits)[-1]]) if fits.any() else math.inf
