"""How well a score tells two kinds of rows apart, and what is left when the doubtful are refused.

Failure prediction: is a prediction right (positive) or wrong? Out of distribution: is a row from
the distribution (positive) or from outside? Every function gives a float, and NaN where there is
nothing to tell apart. Rows of equal score are taken together, never in the order of the file.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

_Values = NDArray[np.float64]

_PASSING = 0.95  # of the positives, as is usually reported


def area_under_roc(is_positive: ArrayLike, score: ArrayLike) -> float:
    """Probability that a positive has a higher score than a negative, ties counted half (AUROC).

    Args:
        is_positive: (N,) bool, or 0 and 1.
        score: (N,) finite, higher for positives.

    Returns:
        In [0, 1], 0.5 by chance; NaN without a positive or without a negative.

    Raises:
        ValueError: shapes differ, or a value is not finite.

    Example:
        >>> area_under_roc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1])  # (1 + 1 + 1/2 + 1) / 4
        0.875

    Source:
        Hanley and McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 1982.
    """
    return _told_apart(roc_auc_score, is_positive, score)


def area_under_precision_recall(is_positive: ArrayLike, score: ArrayLike) -> float:
    """Sum over thresholds of the precision, weighted by the gain in recall (AP, AUPR).

    AP = sum_n (R_n - R_{n-1}) P_n over the distinct scores, highest first. Nothing is interpolated:
    the trapezoids under the same points promise more than a threshold gives.

    Args:
        is_positive: (N,) bool, or 0 and 1.
        score: (N,) finite, higher for positives.

    Returns:
        In [0, 1], the share of positives by chance; NaN without a positive or without a negative.

    Raises:
        ValueError: as for `area_under_roc`.

    Example:
        >>> area_under_precision_recall([1, 0, 1], [0.9, 0.8, 0.7])  # (1 + 2/3) / 2
        0.833...

    Source:
        Davis and Goadrich, The Relationship Between Precision-Recall and ROC Curves, ICML 2006.
    """
    return _told_apart(average_precision_score, is_positive, score)


def false_positive_rate(is_positive: ArrayLike, score: ArrayLike) -> float:
    """Share of the negatives that pass the highest threshold which lets 95% of the positives pass.

    FPR(t*) with t* = max {t : TPR(t) >= 0.95}; the rates are of scores >= t.

    ConfidNet's published code tries 10,000 thresholds for a rate of true positives within 0.0005
    of 0.95 and reports nothing where there is none, such as among 135 positives.

    Args:
        is_positive: (N,) bool, or 0 and 1.
        score: (N,) finite, higher for positives.

    Returns:
        In [0, 1], about 0.95 by chance, lower is better; NaN without a positive or without a
        negative.

    Raises:
        ValueError: as for `area_under_roc`.

    Example:
        >>> false_positive_rate([1, 1, 0, 0], [0.9, 0.5, 0.6, 0.1])  # both pass from 0.5 on
        0.5

    Source:
        Hendrycks, Mazeika, Dietterich, Deep Anomaly Detection with Outlier Exposure, ICLR 2019.
    """

    def passing(positive: _Values, scores: _Values) -> float:
        false, true, _ = roc_curve(positive, scores, drop_intermediate=False)
        return float(false[np.argmax(true >= _PASSING)])

    return _told_apart(passing, is_positive, score)


def area_under_risk_coverage(loss: ArrayLike, confidence: ArrayLike) -> float:
    """Mean risk over all coverages (AURC): (1/N) sum_{k=1..N} risk(k), coverage 1 among them.

    risk(k) = (1/k) sum of the loss of the k rows of highest confidence. Among rows of equal
    confidence none comes first: each counts with their mean loss, which is the expectation over
    their order. ConfidNet's published code leaves out coverage 1 and sums trapezoids from coverage
    1/N on: 0.1178 where this gives 0.1202.

    Args:
        loss: (N,) finite, such as 0 (right) and 1 (wrong), or one minus the H-AP of a query.
        confidence: (N,) finite, higher where less loss is expected.

    Returns:
        The lower, the better; the mean loss by chance. NaN without rows.

    Raises:
        ValueError: shapes differ, or a value is not finite.

    Example:
        >>> area_under_risk_coverage([0, 1, 1], [0.9, 0.5, 0.5])  # (0 + 1/2 + 2/3) / 3
        0.388...

    Source:
        Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017;
        Geifman, Uziel, El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers,
        ICLR 2019, section 3.
    """
    losses, scores = _pair(loss, confidence)
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.bincount(group, losses, minlength=len(sizes)) / np.maximum(sizes, 1)
    risks = np.cumsum(np.repeat(means, sizes)) / np.arange(1, len(losses) + 1)
    return float(risks.mean()) if len(risks) else np.nan


def failure_measures(is_correct: ArrayLike, confidence: ArrayLike) -> dict[str, float]:
    """How well a confidence tells right predictions from wrong ones.

    Args:
        is_correct: (N,) bool, whether each prediction is right.
        confidence: (N,) finite, higher where it is believed to be right.

    Returns:
        `accuracy`; `auroc`; `ap_success` and `ap_errors`, the AP with the right and with the wrong
        ones as positives; `fpr_at_95tpr`, the share of the wrong ones that pass where 95% of the
        right ones do; `aurc`; and `e_aurc`, how much higher that is than of the best order, 0 or
        more. NaN where undefined. ConfidNet's published code subtracts instead what the best AURC
        tends to for many rows, r + (1 - r) ln(1 - r) with the error rate r.

    Raises:
        ValueError: as for `area_under_roc`.

    Source:
        Corbiere et al., Addressing Failure Prediction by Learning Model Confidence, NeurIPS 2019,
        section 3.1; E-AURC: Geifman, Uziel, El-Yaniv, ICLR 2019, section 3, equation 3.
    """
    correct, scores = _pair(is_correct, confidence)
    errors = 1 - correct
    aurc = area_under_risk_coverage(errors, scores)
    return {
        "ap_errors": area_under_precision_recall(errors, -scores),
        "ap_success": area_under_precision_recall(correct, scores),
        "accuracy": float(correct.mean()) if len(correct) else np.nan,
        "auroc": area_under_roc(correct, scores),
        "fpr_at_95tpr": false_positive_rate(correct, scores),
        "aurc": aurc,
        "e_aurc": aurc - area_under_risk_coverage(errors, -errors),
    }


def detection_measures(is_outside: ArrayLike, score: ArrayLike) -> dict[str, float]:
    """How well a score tells rows from outside the distribution from those inside.

    Args:
        is_outside: (N,) bool.
        score: (N,) finite, such as an energy: higher is further out.

    Returns:
        `fpr_at_95tpr`, the share of the rows outside that pass where 95% of those inside do;
        `auroc`; `aupr_in` and `aupr_out`, the AP with the rows inside and with those outside as
        positives. NaN where either side has no row.

    Raises:
        ValueError: as for `area_under_roc`.

    Example:
        >>> detection_measures([0, 0, 1, 1], [0.1, 0.3, 0.2, 0.9])["auroc"]
        0.75

    Source:
        Lafon et al., Hybrid Energy Based Model in the Feature Space for Out-of-Distribution
        Detection (HEAT), ICML 2023, section 4.
    """
    outside, scores = _pair(is_outside, score)
    return {
        "auroc": area_under_roc(outside, scores),
        "fpr_at_95tpr": false_positive_rate(1 - outside, -scores),
        "aupr_in": area_under_precision_recall(1 - outside, -scores),
        "aupr_out": area_under_precision_recall(outside, scores),
    }


def _pair(left: ArrayLike, right: ArrayLike) -> tuple[_Values, _Values]:
    """Returns two arrays of one length as float64.

    Raises:
        ValueError: they have another shape, or a value is not finite.
    """
    one, other = (np.asarray(side, dtype=np.float64) for side in (left, right))
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"both must have shape (N,), got {one.shape} and {other.shape}")
    unfit = np.flatnonzero(~np.isfinite(one) | ~np.isfinite(other))
    if len(unfit):
        raise ValueError(f"both must be finite, got others in {len(unfit)} rows, first {unfit[0]}")
    return one, other


def _told_apart(
    measure: Callable[[_Values, _Values], float], is_positive: ArrayLike, score: ArrayLike
) -> float:
    """Returns a measure of positives and scores; NaN without a positive or a negative."""
    positive, scores = _pair(is_positive, score)
    return float(measure(positive, scores)) if 0 < positive.sum() < len(positive) else np.nan
