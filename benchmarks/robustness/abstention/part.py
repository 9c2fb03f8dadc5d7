"""Abstention of retrieval: scores and learned heads, thresholds chosen on other landmarks.

The landmarks of some images are split: the images of one part fit the heads, each searching all
others of the part; those of another part choose the heads' settings, the temperature and the
thresholds. What is measured took no part.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hgld.benchmarks.robustness.abstention.lists import (
    best_by_landmark,
    landmark_margin,
    list_features,
    nearest_similarity,
    negative_landmark_entropy,
)
from hgld.benchmarks.robustness.data_sets.features import split_groups
from hgld.benchmarks.robustness.heads.choosing import HEAD_GRID, ChosenHead, choose_confidence_head
from hgld.benchmarks.robustness.heads.confidence_head import HeadSettings, predict_confidence
from hgld.benchmarks.robustness.measures import area_under_risk_coverage, risk_coverage_curve
from hgld.benchmarks.robustness.records import MeasuredUnit, PlotLine, RobustnessRecord, unit_key
from hgld.metrics import EvaluationSettings, evaluate

_Values = NDArray[np.float64]

ABSTENTION = "abstention"
"""Name of this part of the suite."""

ORACLE, RANDOM = "Oracle order", "Random order"
"""The bounds: queries in the order of their H-AP, and in any order."""
SIMPLE_SCORES = ("Nearest similarity", "Landmark margin", "Landmark entropy")
HEAD_ON_LIST, HEAD_ON_EMBEDDING = "Head on the list", "Head on the embedding"
"""Heads that predict the H-AP of a query: from its nearest similarities, and from its embedding."""
LEARNED_SCORES = (HEAD_ON_LIST, HEAD_ON_EMBEDDING)
ANSWERED_TARGETS = (0.8, 0.5)
"""Shares of the validation queries that a threshold lets be answered."""

_Score = Callable[["SearchedQueries"], _Values]

_PLOTTED = 50
_LEAST_LANDMARKS = 8
"""Of an index that heads and thresholds are learned on: half of them each, of several classes."""
_MEASURED = EvaluationSettings(recall_at=(), average_precision_at=(), mistake_severity_at=())


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstentionSettings:
    """How abstention is learned and measured."""

    temperatures: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    """Of the landmark entropy; the validation queries choose one."""
    depth: int = 10
    """Nearest images, and nearest landmarks, whose similarities a head has."""
    heads: tuple[HeadSettings, ...] = HEAD_GRID
    """Of which the validation queries choose one, for each head."""
    version: int = 3
    """Raised when the same settings give other records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedSet:
    """Queries and the index that they search, with labels in one encoding."""

    queries: NDArray[np.float32]
    """(Q, D) unit norm."""
    query_labels: NDArray[np.int64]
    """(Q, L), finest level first."""
    index: NDArray[np.float32]
    """(N, D)"""
    index_labels: NDArray[np.int64]
    """(N, L)"""
    is_own_index: bool = False
    """Whether the queries are the index, and each is left out of its own list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedQueries:
    """What is known of queries: the lists that they get, and how good these are."""

    embeddings: NDArray[np.float32]
    """(Q, D)"""
    landmarks: NDArray[np.int64]
    """(Q,)"""
    best: _Values
    """(Q, M), see `best_by_landmark`."""
    features: NDArray[np.float32]
    """(Q, F), see `list_features`."""
    h_ap: _Values
    """(Q,) in [0, 1]."""
    undefined: int
    """Queries with nothing relevant in the index, which are left out."""


@dataclass(frozen=True, slots=True)
class _FittedScore:
    """A score, and what was chosen for it."""

    score: _Score
    chosen: dict[str, float]


def own_index(embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> SearchedSet:
    """Returns images that each search all others."""
    return SearchedSet(
        queries=embeddings,
        query_labels=labels,
        index=embeddings,
        index_labels=labels,
        is_own_index=True,
    )


def planned_abstention(
    name: str,
    training: SearchedSet,
    test: SearchedSet,
    seeds: Sequence[int],
    settings: AbstentionSettings,
    *,
    has_seen_training: bool = False,
) -> Iterator[MeasuredUnit]:
    """Yields units: on the test queries, twice, and on training landmarks that are held out.

    On the test queries heads and thresholds are learned from the training images, or from the
    index images: these a trained model has not been trained on.

    Args:
        name: what the reader is told of the embeddings.
        training: the training images, each searching all others.
        test: the test queries and their index.
        seeds: of which landmarks are held out, and of the heads.
        settings: how.
        has_seen_training: whether the model was trained on the training images; of these no
            landmark is measured then.
    """
    learned = (training.queries, training.query_labels)
    tested = (test.queries, test.query_labels, test.index, test.index_labels)
    index = own_index(test.index, test.index_labels)
    plans: list[tuple[str, SearchedSet, SearchedSet | None, tuple[NDArray[Any], ...]]] = [
        (f"{name}: test queries", training, test, (*learned, *tested)),
    ]
    if not has_seen_training:
        plans.append((f"{name}: held-out landmarks", training, None, learned))
    if len(np.unique(test.index_labels[:, 0])) >= _LEAST_LANDMARKS:
        title = f"{name}: test queries, learned on the index"
        plans.insert(1, (title, index, test, tested))
    for title, source, other, keyed in plans:
        for seed in seeds:
            yield MeasuredUnit(
                part=ABSTENTION,
                data_set=title,
                seed=seed,
                key=unit_key([ABSTENTION, title, seed, asdict(settings)], *keyed),
                measure=partial(measure_abstention, title, source, other, seed, settings),
            )


def measure_abstention(
    title: str,
    training: SearchedSet,
    test: SearchedSet | None,
    seed: int,
    settings: AbstentionSettings,
) -> list[RobustnessRecord]:
    """Fits heads and thresholds on some landmarks, and measures every score on other queries.

    Args:
        title: of the data set, for the records.
        training: images to learn from, each searching all others.
        test: other queries; None holds a third of the landmarks out.
        seed: of the split and of the heads.
        settings: how.

    Returns:
        A record a score, the oracle and the random order. `area`: mean H-AP of the answered
        queries, over all shares answered. `share_of_oracle`: where that lies between random (0)
        and oracle (1). For a threshold at which 80% of the validation queries are answered,
        `answered_80`, `h_ap_answered_80` and `h_ap_refused_80` of the queries measured; the same
        for 50%. `h_ap` of all, `queries`, `undefined` ones, and `h_ap_seen`, of the queries that
        the heads learned from. The curve `h_ap_coverage`. `chosen`: temperature, or settings of a
        head.
    """
    landmarks = training.query_labels[:, 0]
    shares = (0.5, 0.5) if test is not None else (0.4, 0.3, 0.3)
    parts = split_groups(np.zeros_like(landmarks), landmarks, shares, np.random.default_rng(seed))
    found = [
        search(own_index(training.queries[part], training.query_labels[part]), settings.depth)
        for part in parts
    ]
    fitting, validation = found[:2]
    measured = found[2] if test is None else search(test, settings.depth)
    fitted = _fitted_scores(fitting, validation, seed, settings)
    scores = {name: (one.score(validation), one.score(measured)) for name, one in fitted.items()}
    scores[ORACLE] = (validation.h_ap, measured.h_ap)
    scores[RANDOM] = (np.zeros(len(validation.h_ap)), np.zeros(len(measured.h_ap)))
    seen = {"h_ap_seen": float(fitting.h_ap.mean()), "undefined": float(measured.undefined)}
    return [
        RobustnessRecord(
            part=ABSTENTION,
            data_set=title,
            method=name,
            seed=seed,
            measures={**abstention_measures(measured.h_ap, *pair), **seen},
            curves={"h_ap_coverage": _curve(measured.h_ap, pair[1])},
            chosen=fitted[name].chosen if name in fitted else {},
        )
        for name, pair in scores.items()
    ]


def search(searched: SearchedSet, depth: int) -> SearchedQueries:
    """Ranks the index for every query, and measures H-AP.

    Args:
        searched: queries and index.
        depth: of the features.

    Returns:
        The queries that have something relevant to find.

    Raises:
        ValueError: an index of fewer than two landmarks.
    """
    similarity = (searched.queries @ searched.index.T).astype(np.float64)
    ids = None
    if searched.is_own_index:
        np.fill_diagonal(similarity, -np.inf)
        ids = np.arange(len(similarity)).tolist()
    h_ap = (
        evaluate(
            torch.from_numpy(searched.queries),
            torch.from_numpy(searched.query_labels),
            torch.from_numpy(searched.index),
            torch.from_numpy(searched.index_labels),
            query_ids=ids,
            index_ids=ids,
            settings=_MEASURED,
        )
        .per_query["h_ap"]
        .numpy()
    )
    known = np.isfinite(h_ap)
    best = best_by_landmark(similarity, searched.index_labels[:, 0])[known]
    return SearchedQueries(
        embeddings=searched.queries[known],
        landmarks=searched.query_labels[known, 0],
        best=best,
        features=list_features(similarity[known], best, depth),
        # Rounding may leave a perfect list a hair above 1, which no sigmoid reaches.
        h_ap=h_ap[known].clip(0, 1),
        undefined=int((~known).sum()),
    )


def abstention_measures(h_ap: _Values, chosen_on: _Values, score: _Values) -> dict[str, float]:
    """How much better the answers are where the doubtful queries are refused.

    Args:
        h_ap: (Q,) of the queries.
        chosen_on: (V,) scores of the validation queries.
        score: (Q,) higher where a query is rather answered.

    Returns:
        See `measure_abstention`; NaN where no query is answered, or none is refused, where a mean
        of those is due, and of `share_of_oracle` where all queries are equally good.
    """
    loss = 1 - h_ap
    best = area_under_risk_coverage(loss, h_ap)
    area = area_under_risk_coverage(loss, score)
    room = float(loss.mean()) - best if len(loss) else np.nan
    measures = {
        "area": 1 - area,
        "share_of_oracle": (float(loss.mean()) - area) / room if room > 0 else np.nan,
        "h_ap": float(h_ap.mean()) if len(h_ap) else np.nan,
        "queries": float(len(h_ap)),
    }
    for target in ANSWERED_TARGETS:
        is_answered = score >= np.quantile(chosen_on, 1 - target)
        name = f"{target:.0%}".removesuffix("%")
        measures[f"answered_{name}"] = float(is_answered.mean())
        measures[f"h_ap_answered_{name}"] = _mean(h_ap[is_answered])
        measures[f"h_ap_refused_{name}"] = _mean(h_ap[~is_answered])
    return measures


def _fitted_scores(
    fitting: SearchedQueries,
    validation: SearchedQueries,
    seed: int,
    settings: AbstentionSettings,
) -> dict[str, _FittedScore]:
    """Returns every score, by name, fitted and chosen on the first two parts."""
    temperature = min(
        settings.temperatures,
        key=lambda one: area_under_risk_coverage(
            1 - validation.h_ap, negative_landmark_entropy(validation.best, one)
        ),
    )
    simple = (
        _FittedScore(lambda queries: nearest_similarity(queries.best), {}),
        _FittedScore(lambda queries: landmark_margin(queries.best), {}),
        _FittedScore(
            lambda queries: negative_landmark_entropy(queries.best, temperature),
            {"temperature": temperature},
        ),
    )
    learned = [
        _learned_score(inputs, fitting, validation, seed, settings.heads)
        for inputs in (lambda queries: queries.features, lambda queries: queries.embeddings)
    ]
    return dict(zip((*SIMPLE_SCORES, *LEARNED_SCORES), (*simple, *learned), strict=True))


def _learned_score(
    inputs: Callable[[SearchedQueries], NDArray[np.float32]],
    fitting: SearchedQueries,
    validation: SearchedQueries,
    seed: int,
    grid: Sequence[HeadSettings],
) -> _FittedScore:
    """Returns a head that predicts H-AP from some of what is known of a query."""
    best: ChosenHead = choose_confidence_head(
        inputs(fitting),
        fitting.h_ap,
        grid,
        seed,
        fitting.landmarks,
        (inputs(validation), validation.h_ap),
    )
    return _FittedScore(
        lambda queries: predict_confidence(best.head, inputs(queries)), best.described
    )


def _curve(h_ap: _Values, score: _Values) -> PlotLine:
    curve = risk_coverage_curve(1 - h_ap, score)
    shares = np.linspace(1 / _PLOTTED, 1, _PLOTTED)
    return PlotLine(
        x=shares.round(4).tolist(),
        y=(1 - np.interp(shares, curve.coverage, curve.risk)).round(6).tolist(),
    )


def _mean(values: _Values) -> float:
    return float(values.mean()) if len(values) else np.nan
