"""Scores of every landmark by each kind of evidence, of the known ones by what did not see them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from hgld.labels.fills.guessing.lexicon import Lexicon
from hgld.labels.fills.guessing.model import (
    PRIOR_WEIGHT,
    LabelScores,
    TitleFeatures,
    TitleModel,
    learn_titles,
    prior_documents,
    unscored,
)
from hgld.labels.fills.guessing.subjects import KnownLandmarks, PictureVote, Subjects

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Say = Callable[[str], None]

_PARTS = 5
_MOST_IN_ALL_PARTS = 20_000
"""Known landmarks of which each is held out once; of more one part of five is: 4,000 at least."""
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceScores:
    """What one kind of evidence says of known landmarks, and of those that are asked about."""

    known: LabelScores
    """(n, L + 1), by models that did not see the landmark."""
    has: NDArray[np.bool_]
    """(n,), whether there is such a score: the landmark has this evidence, and was held out."""
    asked: LabelScores
    """(m, L + 1)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Corpus:
    """Documents to learn from: those of known landmarks, and nouns of the taxonomy."""

    documents: list[list[str]]
    truth: NDArray[np.str_]
    weights: LabelScores
    parts: NDArray[np.int64]
    """With which part a document is held out; -1: with none."""
    owners: NDArray[np.int64]
    """The known landmark that a document scores; -1: none."""
    refused: Mapping[int, frozenset[str]]
    """Document to the labels that it does not have, where no more is known of it."""


def score_titles(
    kind: Literal["words", "parents"],
    known: KnownLandmarks,
    asked: Subjects,
    lexicon: Lexicon,
    say: Say,
) -> EvidenceScores:
    """Learns from titles, and scores titles.

    Args:
        kind: words: of names, by names. parents: of parents, by parents and names.
        known: what is learned from.
        asked: the landmarks that are asked about.
        lexicon: what words mean.
        say: is told of the progress.
    """
    corpus, labels = _corpus(kind, known, lexicon), known.labels
    say(f"reads {kind} of {len(known.subjects):,} known and {len(asked):,} other landmarks")
    features = TitleFeatures(lexicon)
    matrix = features.learn(corpus.documents)
    count = len(known.subjects)
    scores, has = unscored(count, labels), np.zeros(count, bool)
    for part in range(_PARTS if count <= _MOST_IN_ALL_PARTS else 1):
        held = np.flatnonzero((corpus.parts == part) & (corpus.owners >= 0))
        if len(held):
            say(f"learns {kind} without part {part + 1} of {_PARTS}")
            model = _learned(corpus, matrix, labels, np.flatnonzero(corpus.parts != part))
            scores[corpus.owners[held]] = model.scores(matrix[held])
            has[corpus.owners[held]] = True
    say(f"learns {kind}")
    model = _learned(corpus, matrix, labels, np.arange(len(corpus.documents)))
    return EvidenceScores(
        known=scores, has=has, asked=_asked(model, features, asked.documents(kind), labels, say)
    )


def score_pictures(
    known: Sequence[PictureVote | None],
    asked: Sequence[PictureVote | None],
    labels: Sequence[str],
    held: NDArray[np.bool_],
) -> EvidenceScores:
    """Scores votes: 1 for the label in front where all pictures are sure of it, -1 for the others.

    Args:
        known: of known landmarks, none of which the model of the pictures saw.
        asked: of those that are asked about.
        labels: (L,), all that count.
        held: (n,), the known landmarks that the other kinds of evidence hold out.
    """
    has = held & np.array([vote is not None for vote in known], bool)
    return EvidenceScores(known=_voted(known, labels), has=has, asked=_voted(asked, labels))


def parts_of_names(names: Sequence[str]) -> NDArray[np.int64]:
    """Returns with which of five parts each name is held out, the same wherever it stands."""
    digests = (hashlib.sha256(name.encode()).digest() for name in names)
    return np.array([int.from_bytes(digest[:4], "big") % _PARTS for digest in digests], np.int64)


def _corpus(
    kind: Literal["words", "parents"],
    known: KnownLandmarks,
    lexicon: Lexicon,
) -> _Corpus:
    examples, meant = prior_documents(lexicon, known.labels)
    subjects, truth = known.subjects, known.truths()
    names, parts, rows = (
        subjects.documents("words"),
        parts_of_names(subjects.names),
        np.arange(len(subjects)),
    )
    landmarks = [rows, nobody := np.full(len(examples), -1)]
    documents = [*names, *examples]
    of_documents = [truth, np.array(meant, np.str_)]
    owners = [rows if kind == "words" else np.full(len(subjects), -1), nobody]
    all_parts = [parts, nobody]
    weights = [np.ones(len(names)), np.full(len(examples), PRIOR_WEIGHT)]
    if kind == "parents":
        parents = subjects.documents("parents")
        some = np.flatnonzero([bool(titles) for titles in parents])
        documents += [parents[row] for row in some]
        of_documents.append(truth[some])
        owners.append(rows[some])
        landmarks.append(some)
        all_parts.append(parts[some])
        weights.append(np.ones(len(some)))
    return _Corpus(
        documents=documents,
        truth=np.concatenate(of_documents),
        weights=np.concatenate(weights).astype(np.float32),
        parts=np.concatenate(all_parts),
        owners=np.concatenate(owners),
        refused={
            document: known.refused[row]
            for document, row in enumerate(np.concatenate(landmarks).tolist())
            if row in known.refused
        },
    )


def _learned(
    corpus: _Corpus, matrix: "csr_matrix", labels: Sequence[str], rows: NDArray[np.int64]
) -> TitleModel:
    refused = {
        place: corpus.refused[document]
        for place, document in enumerate(rows.tolist())
        if document in corpus.refused
    }
    return learn_titles(matrix[rows], corpus.truth[rows], labels, corpus.weights[rows], refused)


def _asked(
    model: TitleModel,
    features: TitleFeatures,
    documents: Sequence[Sequence[str]],
    labels: Sequence[str],
    say: Say,
) -> LabelScores:
    """Scores documents, some at once, so that the features of all are never in memory."""
    scores = unscored(len(documents), labels)
    some = np.flatnonzero([bool(titles) for titles in documents])
    for start in range(0, len(some), _ROWS_AT_ONCE):
        rows = some[start : start + _ROWS_AT_ONCE]
        scores[rows] = model.scores(features.of([documents[row] for row in rows]))
        say(f"guesses: {start + len(rows):,} of {len(some):,}")
    return scores


def _voted(votes: Sequence[PictureVote | None], labels: Sequence[str]) -> LabelScores:
    places = {label: place for place, label in enumerate(labels)}
    scores = np.full((len(votes), len(labels) + 1), -1.0, np.float32)
    for row, vote in enumerate(votes):
        if vote is not None and vote.label in places:
            scores[row, places[vote.label]] = 2 * vote.confidence * vote.share - 1
    return scores
