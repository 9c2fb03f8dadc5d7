"""A guess for each landmark from all evidence, with a measured confidence.

A landmark is a document: its name, the titles of its parents, the vote of its pictures. Its
features are TF-IDF of letters and words, and the taxonomy's meanings of the words; one logistic
regression per super-category scores them. The confidence of a guess is measured on held-out
labelled landmarks, for each combination of evidence.

A refusal only says that a landmark does not have one label; it may well have another. So it is a
negative example for that super-category only, and counts as a wrong guess when a held-out model
repeats it.
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
"""The label of landmarks known to have none."""
FEWEST = 60
"""Least number of held-out guesses to learn a confidence from."""
_FEWEST_TRUSTED = 30
"""Least number of held-out guesses above a threshold."""
_FEWEST_NONE = 20
"""Least number of landmarks without a label to learn from."""
_ALPHA, _EPOCHS = 3e-6, 20
"""Of the regression, whose weights are averaged over its steps. 72.8% of held-out names are right;
71.9 with alpha 1e-6, 72.1 with 1e-5, and 72.3 without the average."""
_TOKEN_WEIGHT = 0.5
"""Weight of a token beside TF-IDF of length 1; measured: 0.2, 0.3 and 0.5 gain 0.3 points each."""
_PRIOR_WEIGHT = 0.1
"""Weight of a taxonomy noun as an example name, which helps when few names are known."""
_UNLEARNED = -20.0
"""The score of a super-category without a known landmark."""
_PARTS = 5
_MOST_IN_ALL_PARTS = 20_000
"""Up to so many known landmarks, each is held out once; above, only one part of five is (4,000 or
more)."""
_ROWS_AT_ONCE = 20_000
_VOTE_STEPS = 4
_FEW_DOCUMENTS = 100
_WORD = r"(?u)\b\w+\b"
_NOTHING_KNOWN = ("landmark", NONE)
"""The example if the taxonomy has no noun of any label in use: without a word there are no
features."""

Floats = NDArray[np.float64]


class PictureVote(NamedTuple):
    """The vote of a landmark's pictures."""

    label: str
    confidence: float
    """Mean confidence of the pictures that vote for the label, from 0 to 1."""
    share: float
    """Share of the pictures that vote for the label."""
    evidence: str


class Document(NamedTuple):
    """All evidence about a landmark."""

    titles: tuple[str, ...]
    """The name of its category, then those of its parents, if any."""
    vote: PictureVote | None = None

    @property
    def method(self) -> str:
        """The kinds of evidence, joined by `+`."""
        parents, pictures = len(self.titles) > 1, self.vote is not None
        return "words" + "+parents" * parents + "+pictures" * pictures

    def tokens(self, lexicon: Lexicon) -> list[str]:
        """Returns tokens for the meanings of its words and its vote; more for a surer vote."""
        found = ["title", *(t for title in self.titles for t in lexicon.meaning(title).tokens)]
        if self.vote:
            steps = math.ceil(_VOTE_STEPS * self.vote.confidence * self.vote.share)
            found += [f"V{step}:{self.vote.label}" for step in range(steps)]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLandmarks:
    """The landmarks to learn from."""

    documents: Sequence[Document]
    truth: Sequence[str]
    """(n,), the label of each landmark; `NONE` if it is known to have none."""
    labels: Sequence[str]
    """(L,), all labels in use, sorted; some may have no landmark."""
    refused: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Row of a landmark about which only refusals are known, to the refused labels. Its truth is
    `NONE`, which then does not mean that it has no label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMethod:
    """A combination of kinds of evidence, and how often its guesses are right."""

    name: str
    """The kinds, joined as in FILLS."""
    held_out: int
    """Number of held-out guesses."""
    right: float = math.nan
    """Share of them that is right."""
    regression: Any = None
    """From the log-odds of a guess to a confidence; None for too few guesses."""
    threshold: float = math.inf
    """The least confidence at which guesses are right as often as required; infinity: none are."""

    def confidence(self, scores: Floats) -> Floats:
        """Returns how often guesses with such scores are right, from 0 to 1.

        Args:
            scores: (n, L + 1); the last column is for no label.
        """
        if not len(scores):
            return np.zeros(0)
        if self.regression is None:  # an unmeasured estimate
            estimate: Floats = _shares(scores).max(axis=1) / 2
            return estimate
        found: Floats = self.regression.predict_proba(_log_odds(scores))[:, 1]
        return found


class Check(NamedTuple):
    """A guess for a labelled landmark by models that did not see it."""

    row: int
    """Row of the known landmark."""
    method: str
    guess: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """The guesses for the landmarks asked about, in their order."""

    front: NDArray[np.int64]
    """(n,), index of the best label."""
    second: NDArray[np.int64]
    """(n,), index of the second best label."""
    confidence: Floats
    """(n,), from 0 to 1."""
    methods: Sequence[FillMethod]
    """(n,)"""
    checks: Sequence[Check]
    """Guesses of the measured methods for held-out landmarks: those with a label, and those whose
    guess was refused."""
    refused: frozenset[int] = frozenset()
    """Rows whose likeliest label a person refused: the confidence of the next is not measured."""


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
        known: the landmarks to learn from; if there are none, only the taxonomy's nouns count.
        asked: the landmarks to guess for.
        refused: row of `asked` to the labels that a person refused.
        lexicon: the meanings of words.
        precision: share of guesses above a method's threshold that must be right, from 0 to 1.

    Returns:
        A guess for each. Deterministic: the same landmarks give the same guesses.
    """
    if sum(each.vote is not None for each in known.documents) < FEWEST:
        # Too few votes to measure how often pictures are right.
        known = replace(known, documents=[each._replace(vote=None) for each in known.documents])
        asked = [each._replace(vote=None) for each in asked]
    corpus = _Corpus.of(known, lexicon)
    logger.info("fill: %s known landmarks, %s others", f"{len(known.truth):,}", f"{len(asked):,}")
    features = _features(lexicon, few=len(corpus.documents) <= _FEW_DOCUMENTS)
    learned = features.fit_transform(corpus.documents)
    held_out = _held_out(corpus, learned)
    methods = {
        name: _measured(name, corpus, held_out, precision)
        for name in sorted({"words", *(each.method for each in asked)}, key=len)
    }
    for name, (method, _) in methods.items():
        if method.regression is None:
            # Too few to measure: use the confidence of words only, which errs on the low side.
            methods[name] = replace(methods["words"][0], name=name), []
        else:
            told = (name, 100 * method.right, method.held_out, method.threshold)
            logger.info("fill: by %s: %.1f%% of %d held-out are right; trusted from %.2f", *told)
    logger.info("fill: learns from all known landmarks")
    model = _Model(corpus, learned, np.arange(len(corpus.documents)))
    scores = np.full((len(asked), len(known.labels) + 1), _UNLEARNED)
    for start in range(0, len(asked), _ROWS_AT_ONCE):  # all features at once take much memory
        some = slice(start, start + _ROWS_AT_ONCE)
        scores[some] = model.scores(features.transform(asked[some]))
    confidence = np.zeros(len(asked))
    for name, (method, _) in methods.items():
        rows = [row for row, each in enumerate(asked) if each.method == name]
        confidence[rows] = method.confidence(scores[rows])
    for row, labels in refused.items():
        # The confidence of the remaining labels is not measured: use the share before the refusal.
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
    """Documents to learn from: known landmarks, also by name only, and nouns of the taxonomy."""

    known: KnownLandmarks
    documents: list[Document]
    truth: NDArray[np.str_]
    weights: Floats
    owners: NDArray[np.int64]
    """Row of the known landmark of a document; -1: none."""
    parts: NDArray[np.int64]
    """The part in which a document is held out; -1: never."""

    @classmethod
    def of(cls, known: KnownLandmarks, lexicon: Lexicon) -> "_Corpus":
        """Makes the documents; a landmark with more evidence than its name gets a second one."""
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
    """Returns the part of five in which a landmark is held out, the same for equal names."""
    if row < 0:
        return -1
    digest = hashlib.sha256(known.documents[row].titles[0].encode()).digest()
    return int.from_bytes(digest[:4], "big") % _PARTS


def _features(lexicon: Lexicon, *, few: bool) -> "FeatureUnion":
    """Returns the vectorizer from documents to float32 (n, features): letters, words, tokens."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    of_text = {"preprocessor": _text_of, "sublinear_tf": True, "dtype": np.float32}
    fewest = 1 if few else 2  # documents that must have a letter group
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 6), min_df=fewest, **of_text)
    words = TfidfVectorizer(token_pattern=_WORD, ngram_range=(1, 2), **of_text)
    of_tokens = {"binary": True, "norm": None, "use_idf": False, "dtype": np.float32}
    tokens = TfidfVectorizer(analyzer=lambda document: document.tokens(lexicon), **of_tokens)
    parts = [("letters", letters), ("words", words), ("tokens", tokens)]
    return FeatureUnion(parts, transformer_weights={"tokens": _TOKEN_WEIGHT})


def _text_of(document: Document) -> str:
    return folded(" | ".join(document.titles))


class _Model:
    """One logistic regression for each label, and one for no label."""

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
            if is_label.all():  # nothing to tell it apart from
                self._biases[column] = 1.0
                continue
            steps = {"alpha": _ALPHA, "max_iter": _EPOCHS, "tol": None, "average": True}
            machine = SGDClassifier(loss="log_loss", random_state=0, **steps)
            machine.fit(features[learned], is_label, sample_weight=corpus.weights[learned])
            self._weights[:, column] = machine.coef_[0]
            self._biases[column] = machine.intercept_[0]

    def scores(self, features: "csr_matrix") -> Floats:
        """Returns the scores of documents, log-odds: (n, L + 1), the last for no label."""
        return np.asarray(features @ self._weights + self._biases, np.float64)


def _held_out(corpus: _Corpus, features: "csr_matrix") -> Floats:
    """Returns the scores of documents by models that did not see them; NaN if never held out."""
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
    """Measures how often a combination of evidence is right, on held-out landmarks that have it.

    Args:
        name: the combination.
        corpus: the documents.
        held_out: their scores by models that did not see them.
        precision: share of guesses above the threshold that must be right, from 0 to 1.

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
            # For a refused landmark it is unknown whether another guess is right.
            if known.truth[owner] != NONE or label in known.refused.get(owner, ()):
                rows.append(place)
                checks.append((owner, label))
    if len(rows) < FEWEST:
        return FillMethod(name=name, held_out=len(rows)), []
    scores = held_out[rows]
    is_right = np.array([known.truth[owner] == label for owner, label in checks])
    seen = _log_odds(scores)
    # One more right and one more wrong guess, in case all are right or all wrong. Fitting on the
    # same guesses that are measured is fine: two parameters, 60 guesses or more.
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

    share(l) = exp(score_l) / (1 + sum of exp(score) over all labels and no label). The 1 stands for
    anything else: if no regression says yes, no label has a large share.
    """
    odds = np.exp(scores)
    shares: Floats = odds[:, :-1] / (1 + odds.sum(axis=1, keepdims=True))
    return shares


def _log_odds(scores: Floats) -> Floats:
    """Returns the input of the confidence: the log-odds of the largest share, (n, 1)."""
    share = np.clip(_shares(scores).max(axis=1, keepdims=True), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(share / (1 - share)))


def trusted_from(confidence: Floats, is_right: NDArray[np.bool_], precision: float) -> float:
    """Returns the least confidence at which guesses are right often enough.

    Args:
        confidence: (n,), of held-out guesses.
        is_right: (n,), whether they are right.
        precision: share of the guesses at or above it that must be right, from 0 to 1.

    Returns:
        The lowest such confidence; infinity if no 30 guesses reach the precision.

    Example:
        >>> trusted_from(np.linspace(0, 1, 101), np.arange(101) >= 50, precision=0.95)
        0.48
    """
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    share = np.cumsum(is_right[order]) / counts
    fits = (share >= precision) & (counts >= _FEWEST_TRUSTED)
    # Equal confidences must be on the same side of the threshold.
    fits &= np.append(confidence[order][:-1] != confidence[order][1:], True)[: len(order)]
    return float(confidence[order][np.flatnonzero(fits)[-1]]) if fits.any() else math.inf
