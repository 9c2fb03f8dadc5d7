"""Which rows are of no class that was trained on? HEAT, and the scores it has to beat.

Classes are held out of the training rows: some are near rows from outside, to measure on, others
are rows from outside by which every method's settings are chosen. Far rows are those of a table's
far sets; none chooses anything.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, softmax
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import NearestNeighbors

from hgld.benchmarks.robustness import heat
from hgld.benchmarks.robustness.measures import area_under_roc, detection_measures
from hgld.benchmarks.robustness.networks import Values, own_classifier
from hgld.benchmarks.robustness.results import Measured, Part
from hgld.benchmarks.robustness.rows import LEAST_ROWS, Numbers, Rows, RowTable, UnfitRowsError

NEAR = "held-out classes"
SIMPLE_METHODS = ("MSP", "Max logit", "Energy", "Mahalanobis", "kNN", "ViM")
HEAT_METHODS = HEAT, HEAT_WITHOUT_STD = ("HEAT", "HEAT without std")
"""Without the std of feature maps HEAT sees what its rivals see."""

_COMPONENTS = 128
_HELD_OUT = 0.2
_NEIGHBOURS = (1, 5, 10, 20, 50)
_DIMENSIONS = (16, 32, 64, 96, 128)
_STRENGTHS = (0.1, 1.0, 10.0)


class Reduced(NamedTuple):
    """Rows as the methods take them."""

    unit: Values
    """(N, P) the first principal components of features scaled to unit length."""
    logits: Values
    """(N, K) of the classes trained on."""
    spreads: Values | None
    """(N, S) the same of the std of feature maps, in mean length 1."""


Scorer = Callable[[Reduced], Values]
"""From N rows to (N,), higher is further out."""
Tunable = Callable[[int, Reduced], Values]
"""The same from a setting and N rows."""


class OutProblem(NamedTuple):
    """Rows that train, choose and are measured."""

    train: Reduced
    labels: Numbers
    """(N,) of these, from 0 to K - 1."""
    weight: Values
    """(K, P): logits are unit @ weight.T + bias."""
    bias: Values
    choosing: tuple[Reduced, Reduced]
    """New rows of the classes trained on, and rows of classes that nothing else has."""
    inside: tuple[Reduced, Numbers]
    """New rows of the classes trained on, and their groups."""
    outside: Mapping[str, tuple[Reduced, Numbers]]
    """By kind."""

    def better(self, score: Scorer) -> float:
        """Returns the AUROC of a score on the rows that choose."""
        inside, outside = (score(rows) for rows in self.choosing)
        truth = np.repeat([0, 1], [len(inside), len(outside)])
        return area_under_roc(truth, np.concatenate([inside, outside]))


def measure_out_of_distribution(table: RowTable, seed: int) -> Iterator[Measured]:
    """Yields the results of every method on each kind of rows from outside.

    Args:
        table: of rows.
        seed: of the classes held out, and of HEAT's corrections.
    """
    problem = hold_out_classes(table, seed)
    simple, of_heat = simple_scorers(problem), heat_scorers(problem, seed)
    scorers, chosen = simple[0] | of_heat[0], simple[1] | of_heat[1]
    inside, inside_groups = problem.inside
    for kind, (rows, groups) in problem.outside.items():
        scores = {name: np.concatenate([of(inside), of(rows)]) for name, of in scorers.items()}
        yield Measured(
            group=kind,
            truth=np.repeat([False, True], [len(inside_groups), len(groups)]),
            groups=np.concatenate([inside_groups, groups]),
            scores=scores,
            positives=len(groups),
            chosen=chosen,
        )


def hold_out_classes(table: RowTable, seed: int) -> OutProblem:
    """Holds classes out of the training rows: a fifth near, a fifth to choose by.

    Near are the queries of the classes held out, and of those that training never had; inside are
    the queries of the others, so that no score can tell them by where they come from. Queries are
    the rows of index and query; of a table without them, three in ten groups of train. Classes of
    fewer than 8 training rows are left out. A fifth of the groups trained on chooses, with the
    rows of the classes that are held out for that. Features are scaled to unit length and reduced
    to 128 principal components of the rows trained on; published, they are not reduced.

    Args:
        table: of rows.
        seed: of the draw.

    Returns:
        The problem.

    Raises:
        UnfitRowsError: too few classes are left.
    """
    train, queries = table.splits["train"], table.searched
    random = np.random.default_rng(seed)
    if queries is None:
        parts = train.split((0.7, 0.3), random, each_label=False)
        train, queries = train.take(parts[0]), train.take(parts[1])
    large = train.large_labels
    drawn = random.permutation(np.intersect1d(large, queries.labels))
    count = max(1, round(_HELD_OUT * len(drawn)))
    if len(drawn) < 2 * count + 2:
        raise UnfitRowsError(
            f"4 classes must have {LEAST_ROWS} training rows and queries, got {len(drawn)}"
        )
    near, others = drawn[:count], drawn[count : 2 * count]
    kept = np.setdiff1d(large, drawn[: 2 * count])
    known = train.of_labels(kept)
    fitted, held = known.held_out(seed)
    components, spreads, length = _components(fitted.unit), None, np.float64(1)
    if fitted.spreads is not None:
        length = np.linalg.norm(fitted.spreads.astype(np.float64), axis=1).mean()
        spreads = _components(fitted.spreads / length)

    def unit(rows: Rows) -> Values:
        return np.asarray(components.transform(rows.unit))

    names = np.searchsorted(np.unique(table.splits["train"].labels), kept)
    weight, bias = _linear(fitted, held, unit, names)

    def reduced(rows: Rows) -> Reduced:
        first, of_maps = unit(rows), None
        if spreads is not None and rows.spreads is not None:
            of_maps = spreads.transform(rows.spreads / length)
        return Reduced(first, first @ weight.T + bias, of_maps)

    is_near = np.isin(queries.labels, near) | ~np.isin(queries.labels, train.labels)
    inside = queries.of_labels(kept)
    outside = {NEAR: queries.take(is_near), **table.far}
    return OutProblem(
        train=reduced(fitted),
        labels=fitted.labels,
        weight=weight,
        bias=bias,
        choosing=(reduced(held), reduced(train.of_labels(np.sort(others)))),
        inside=(reduced(inside), inside.groups),
        outside={kind: (reduced(rows), rows.groups) for kind, rows in outside.items()},
    )


def simple_scorers(problem: OutProblem) -> tuple[dict[str, Scorer], dict[str, str]]:
    """Fits the scores that HEAT has to beat, and chooses their settings on the rows that choose.

    Returns:
        By name the score, and what was chosen for it.
    """
    train, width = problem.train.unit, problem.train.unit.shape[1]

    def mahalanobis(dimensions: int, rows: Reduced) -> Values:
        # Squared distance to the nearest class mean: Lee, Lee, Lee, Shin, NeurIPS 2018, equation
        # 2; the last features, without their input noise and sum over layers.
        mixture = heat.fit_mixture(train[:, :dimensions], problem.labels)
        asked = torch.from_numpy(rows.unit[:, :dimensions])
        return np.asarray(mixture.distances(asked).amin(dim=1))

    found: dict[str, Scorer] = {
        "MSP": lambda rows: -softmax(rows.logits, axis=1).max(axis=1),
        "Max logit": lambda rows: -rows.logits.max(axis=1),
        "Energy": lambda rows: logit_energy_score(rows.logits),
    }
    chosen: dict[str, str] = {}

    def tune(name: str, fitted: Tunable, grid: set[int], unit: str = "dimensions") -> None:
        options = {one: partial(fitted, one) for one in sorted(grid)}
        best = max(options, key=lambda one: problem.better(options[one]))
        found[name], chosen[name] = options[best], f"{best} {unit}"

    tune("Mahalanobis", mahalanobis, {min(one, width) for one in _DIMENSIONS})
    counts = {min(one, len(train)) for one in _NEIGHBOURS}
    tune("kNN", lambda k, rows: nearest_neighbour_score(train, rows.unit, k), counts, "neighbours")
    virtual = partial(virtual_logit_score, problem)
    tune("ViM", virtual, {min(one, width - 1) for one in _DIMENSIONS})
    return found, chosen


def heat_scorers(problem: OutProblem, seed: int) -> tuple[dict[str, Scorer], dict[str, str]]:
    """Fits HEAT, and what tells where its gains are from.

    Returns:
        By name the score: each prior corrected and, but for the logits, whose prior is the simple
        score Energy, not corrected; all priors not corrected; HEAT of all and, where there are
        spreads, without them. Then what was chosen: the epoch of each correction.
    """
    scale = 1 / float(problem.train.unit.std(axis=0).mean())
    weight, bias = torch.from_numpy(problem.weight / scale), torch.from_numpy(problem.bias)
    mixture = heat.fit_mixture(problem.train.unit, problem.labels)
    plain: dict[str, Scorer] = {}
    corrected: dict[str, Scorer] = {}
    chosen = {}

    def fit(name: str, prior: heat.Prior, part: Callable[[Reduced], Values]) -> None:
        def score(energy: heat.Energy, rows: Reduced) -> Values:
            with torch.no_grad():
                return np.asarray(energy(torch.from_numpy(part(rows)).double()))

        def better(energy: heat.Energy) -> float:
            return problem.better(partial(score, energy))

        energy, epoch = heat.train_correction(prior, part(problem.train), better, seed)
        plain[name], corrected[name] = partial(score, prior.energy), partial(score, energy)
        chosen[f"{HEAT}, {name}"] = f"epoch {epoch}"

    def start(count: int, random: torch.Generator) -> torch.Tensor:
        return torch.randn(count, weight.shape[1], generator=random).double()

    def logit_energy(rows: torch.Tensor) -> torch.Tensor:
        return -torch.logsumexp(rows @ weight.T + bias, dim=1)

    gaussians = heat.Prior(mixture.energy, mixture.sample, heat.GAUSSIANS)
    fit("GMM", gaussians, lambda rows: rows.unit)
    fit("logits", heat.Prior(logit_energy, start, heat.LOGITS), lambda rows: rows.unit * scale)
    if problem.train.spreads is not None:
        spread = heat.fit_mixture(problem.train.spreads, problem.labels)
        of_maps = heat.Prior(spread.energy, spread.sample, heat.SPREADS)
        fit("std", of_maps, lambda rows: np.asarray(rows.spreads))

    found = {f"{name}, not corrected": of for name, of in plain.items() if name != "logits"}
    found |= {"All priors, not corrected": _composed(problem.train, plain)}
    found |= {f"{HEAT}, {name}": of for name, of in corrected.items()}
    if "std" in corrected:
        some = {name: of for name, of in corrected.items() if name != "std"}
        found[HEAT_WITHOUT_STD] = _composed(problem.train, some)
    return {**found, HEAT: _composed(problem.train, corrected)}, chosen


def _composed(train: Reduced, scorers: Mapping[str, Scorer]) -> Scorer:
    def energies(rows: Reduced) -> Values:
        return np.stack([of(rows) for of in scorers.values()], axis=1)

    known = energies(train)
    return lambda rows: heat.compose_energies(known, energies(rows))


def logit_energy_score(logits: ArrayLike) -> Values:
    """Energy of the logits at temperature 1: -log sum_k exp(logits_k).

    Args:
        logits: (N, K).

    Returns:
        (N,) float64.

    Example:
        >>> logit_energy_score([[0.0, 0.0]]).tolist()  # -log 2
        [-0.693...]

    Source:
        Liu, Wang, Owens, Li: Energy-based Out-of-distribution Detection, NeurIPS 2020, equation 4.
        MSP, the largest softmax: Hendrycks, Gimpel, ICLR 2017; the largest logit: Hendrycks et
        al., ICML 2022.
    """
    return np.asarray(-logsumexp(np.asarray(logits, dtype=np.float64), axis=1))


def nearest_neighbour_score(train: ArrayLike, rows: ArrayLike, k: int) -> Values:
    """Euclidean distance to the k-th nearest training row.

    Args:
        train: (M, D), of unit length as published, or their principal components.
        rows: (N, D).
        k: which neighbour, from 1 to M; the published is about a thousandth of M.

    Returns:
        (N,) float64.

    Example:
        >>> nearest_neighbour_score([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]], k=2).tolist()
        [1.414...]

    Source:
        Sun, Ming, Zhu, Li: Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022.
    """
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(train)
    return np.asarray(search.kneighbors(rows)[0][:, -1])


def virtual_logit_score(problem: OutProblem, components: int, rows: Reduced) -> Values:
    """ViM: alpha |R^T (x - o)| - log sum_k exp(logits_k).

    o = -pinv(W) b, where all logits are nearest to zero; R are the directions in which training
    rows less o vary least; with alpha virtual and largest logit are alike on average. In the order
    of the published probability of the virtual logit, of which this is a rising function, and
    which is 1.0 to all digits for what is far out.

    Args:
        problem: its training rows x (M, P), and W and b of the logits.
        components: dimensions of the principal space, from 1 to P - 1, which R leaves out;
            published: 1,000 of 2,048.
        rows: N of them, to score.

    Returns:
        (N,) float64.

    Raises:
        UnfitRowsError: no training row has anything along R.

    Source:
        Wang, Li, Feng, Zhang: ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022,
        equations 3 to 6.
    """
    train, weight, bias = problem.train.unit, problem.weight, problem.bias
    origin = -np.linalg.pinv(weight) @ bias
    moved = train - origin
    _, vectors = np.linalg.eigh(moved.T @ moved)  # ascending
    residual = vectors[:, : train.shape[1] - components]
    length = float(np.linalg.norm(moved @ residual, axis=1).mean())
    if components < 1 or not length > 0:
        raise UnfitRowsError(f"training rows must have something outside {components} dimensions")
    alpha = float((train @ weight.T + bias).max(axis=1).mean()) / length
    lengths = np.linalg.norm((rows.unit - origin) @ residual, axis=1)
    return np.asarray(alpha * lengths + logit_energy_score(rows.unit @ weight.T + bias))


def _components(rows: NDArray[np.floating]) -> PCA:
    return PCA(min(_COMPONENTS, *rows.shape), svd_solver="full").fit(rows)


def _linear(
    fitted: Rows, held: Rows, reduce: Callable[[Rows], Values], columns: Numbers
) -> tuple[Values, Values]:
    """Returns weight (K, P) and bias (K,): logistic regression, or the model's own classifier.

    The former on features of unit variance, its strength chosen by accuracy on the rows held. Of
    the latter the classes trained on; it has seen those held out, and acts on features as far as
    the principal components of their unit rows hold them.
    """
    unit = reduce(fitted)
    if fitted.logits is not None:
        own_classifier(fitted.features, fitted.logits)  # refuses logits of something else
        own = LinearRegression().fit(unit, fitted.logits[:, columns])
        return own.coef_, own.intercept_
    scale = 1 / unit.std(axis=0).mean()
    models = [
        LogisticRegression(C=one, max_iter=2000).fit(unit * scale, fitted.labels)
        for one in _STRENGTHS
    ]
    best = max(models, key=lambda one: one.score(reduce(held) * scale, held.labels))
    weight, bias = best.coef_ * scale, best.intercept_
    if len(weight) == 1:  # of two classes scikit-learn keeps the difference only
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


OUT_OF_DISTRIBUTION = Part(
    measure_out_of_distribution, detection_measures, area_under_roc, HEAT_METHODS, SIMPLE_METHODS
)
