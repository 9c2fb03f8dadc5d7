"""The sums of `hgld.losses.ranking.sums` for a processor, compiled by numba.

A row is read from below and from above. What the items passed so far add up to is kept as
sums_j a(g, l_j) w_j exp(m (s_j - s) / tau) for the powers m = 0 to 15 and each level g: to go on to
the next item is to multiply them by the powers of one exponential, none of which exceeds 1, so that
nothing overflows and nothing cancels. An item that counts reads its sum off as one polynomial. Most
items of a batch share no level with the query: they count nothing, and nothing is pulled by them.

It takes a tenth of the time of the prefix sums in torch (`prefix_sums`): no sum goes through
memory. What the compiler makes vectors of decides over a factor of three here: loops over `_POWERS`
have four levels in one body, since it takes a smaller one apart, and one array for all sums, since
it gives up on more.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from hgld.losses.ranking.steps import Step, sigmoid_polynomials

Array = np.ndarray[Any, Any]

_POWERS = 16  # two vectors of the widest processors: sigmoid(y) to 1e-12, its slope to 1e-11
_LEVELS = 4  # whose sums are kept at once


def _compile(function: Callable[..., None]) -> Callable[..., None]:
    """Compiles at the first call, and keeps the result on disk for the next process."""
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},  # what is no number stays so
    }
    try:
        compiled: Callable[..., None] = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in
        compiled = numba.njit(**options)(function)
    return compiled


def weighted_sums(
    scores: Tensor,
    level: Tensor,
    weight: Tensor,
    table: Tensor,
    step: Step,
    *,
    mirrored: bool,
) -> tuple[Tensor, Tensor]:
    """Does what `prefix_sums.weighted_sums` does."""
    slope, value = np.zeros(scores.shape), np.zeros(scores.shape)
    levels = table.shape[1]
    # By the level of what is counted, then of what counts it.
    shares = np.zeros((len(scores), levels, levels + -levels % _LEVELS))
    shares[:, :, :levels] = table.transpose(1, 2).numpy()
    lists = (each.contiguous().numpy() for each in (scores, level, weight))
    cut, tau = step.cut, step.tau or 1.0
    _sum_rows(*lists, shares, mirrored, cut, tau, *_pieces(step), slope, value)
    return torch.from_numpy(slope), torch.from_numpy(value)


def counts_ahead(scores: Tensor, level: Tensor, table: Tensor) -> Tensor:
    """Does what `prefix_sums.counts_ahead` does."""
    value = np.empty(scores.shape)
    rows = table.transpose(1, 2).expand(len(scores), -1, -1)
    _count_rows(*(each.contiguous().numpy() for each in (scores, level, rows)), value)
    return torch.from_numpy(value)


@functools.cache
def _pieces(step: Step) -> tuple[Array, Array]:
    """What the sums are multiplied by: from below, from above, and from beyond the cut.

    What lies beyond the cut is summed from above too: the third undoes what the second did there.

    Returns:
        (3, 2, 16) for the slope and the value of f; (3,) slopes of the lines.
    """
    below, middle, above = ((line.slope, line.intercept) for line in step.lines)
    parts = np.zeros((3, 2, _POWERS))
    parts[:, :, 0] = below, middle, np.subtract(above, middle)
    if step.tau is not None:
        # For x > 0 sigmoid(x) = 1 - sigmoid(-x).
        slope, value = (np.array(part) for part in sigmoid_polynomials(_POWERS - 1))
        parts[:, 0, 1:] = slope / step.tau * np.array([[1], [1], [-1]])
        parts[:, 1, 1:] = value * np.array([[1], [-1], [1]])
        parts[1:, 1, 0] += 1, -1
    return parts, parts[:, 0, 0].copy()


@_compile
def _set_powers(row: Array, z: float) -> None:
    z2 = z * z
    z3, z4 = z2 * z, z2 * z2
    row[0], row[1], row[2], row[3] = 1.0, z, z2, z3
    row[4], row[5], row[6], row[7] = z4, z4 * z, z4 * z2, z4 * z3
    z8 = z4 * z4
    for m in range(8, _POWERS):
        row[m] = row[m - 8] * z8


@_compile
def _scan(  # noqa: PLR0913, PLR0917 - what it works on and in, made once for all rows
    upwards: bool,
    counted: tuple[Array, Array, Array, Array],
    counting: tuple[Array, Array, Array, Array],
    shares: Array,
    first: int,
    factors: tuple[Array, float],
    totals: tuple[Array, Array, Array],
) -> None:
    """Adds to each item what the items up to its `end`, or from there on, count with it."""
    scores, level, weight, gaps = counted
    own, place, end, distance = counting
    piece, line = factors
    sums, slope, value = totals
    sums[:] = 0.0
    at = np.zeros(_LEVELS)  # sums of w_j s_j
    polynomials, made = np.empty((_LEVELS, 2, _POWERS)), np.zeros(_LEVELS, np.bool_)
    j = 0 if upwards else len(scores) - 1
    for k in range(len(own)):
        i = k if upwards else len(own) - 1 - k
        g = place[i] - first
        if g < 0 or g >= _LEVELS:
            continue
        while j < end[i] if upwards else j >= end[i]:
            w, share = weight[j], shares[level[j]]
            w0, w1 = w * share[first], w * share[first + 1]
            w2, w3 = w * share[first + 2], w * share[first + 3]
            gap = j if upwards else j + 1
            for m in range(_POWERS):
                z = gaps[gap, m]
                sums[m] = sums[m] * z + w0
                sums[16 + m] = sums[16 + m] * z + w1
                sums[32 + m] = sums[32 + m] * z + w2
                sums[48 + m] = sums[48 + m] * z + w3
            at[0] += w0 * scores[j]
            at[1] += w1 * scores[j]
            at[2] += w2 * scores[j]
            at[3] += w3 * scores[j]
            made[:] = False
            j += 1 if upwards else -1
        of_slope, of_value = polynomials[g]
        its = sums[16 * g : 16 * g + 16]
        if not made[g]:
            for m in range(_POWERS):
                of_slope[m] = its[m] * piece[0, m]
                of_value[m] = its[m] * piece[1, m]
            made[g] = True
        z, a, b = distance[i], 0.0, 0.0
        for m in range(_POWERS):
            a = a * z + of_slope[_POWERS - 1 - m]
            b = b * z + of_value[_POWERS - 1 - m]
        slope[i] += a
        value[i] += b + line * (at[g] - its[0] * own[i])


@_compile
def _find_ends(
    counted: Array,
    own: Array,
    cut: float,
    tau: float,
    end: Array,
    distance: Array,
) -> None:
    """Finds what is counted up to each item and up to its cut, and how far the nearest are."""
    first = second = 0
    for i in range(len(own)):
        while first < len(counted) and counted[first] - own[i] <= 0.0:
            first += 1
        while second < len(counted) and counted[second] - own[i] <= cut:
            second += 1
        end[0, i], end[1, i], end[2, i] = first, first, second
        # Where there is none its sums are 0; what a row before left here may be no number.
        distance[:, i] = 1.0
        if first:
            distance[0, i] = math.exp((counted[first - 1] - own[i]) / tau)
        if first < len(counted):
            distance[1, i] = math.exp((own[i] - counted[first]) / tau)
        if second < len(counted):
            distance[2, i] = math.exp((own[i] - counted[second]) / tau)


@_compile
def _sum_rows(  # noqa: C901, PLR0913, PLR0917 - as _scan; places that move with the row
    scores: Array,
    level: Array,
    weight: Array,
    shares: Array,
    mirrored: bool,
    cut: float,
    tau: float,
    pieces: Array,
    lines: Array,
    slope: Array,
    value: Array,
) -> None:
    """Sums row by row: from below, from above, and from beyond the cut."""
    size, levels = scores.shape[1], shares.shape[1]
    # What is counted: similarity, level, weight, powers of the distance to the one before.
    s, of, w = np.empty(size), np.empty(size, np.int64), np.empty(size)
    gaps, sums = np.ones((size + 1, _POWERS)), np.empty(_LEVELS * _POWERS)
    # What counts: similarity, level, where in the row; of the scans from below, from above and from
    # beyond the cut where each ends, and the exponential of the distance to the nearest there.
    own, place, at = np.empty(size), np.empty(size, np.int64), np.empty(size, np.int64)
    end, distance = np.empty((3, size), np.int64), np.ones((3, size))
    x, y = np.empty(size), np.empty(size)
    counts, counted = np.empty(levels, np.bool_), np.empty(levels, np.bool_)
    for r in range(len(scores)):
        for g in range(levels):
            counted[g], counts[g] = shares[r, g].any(), shares[r, :, g].any()
        n = many = 0
        for i in range(size):
            k = size - 1 - i if mirrored else i
            score, group = -scores[r, k] if mirrored else scores[r, k], level[r, k]
            if counts[group]:
                own[many], place[many], at[many] = score, group, k
                x[many] = y[many] = 0.0
                many += 1
            if counted[group] and weight[r, k] != 0.0:
                s[n], of[n], w[n] = score, group, weight[r, k]
                if n:
                    _set_powers(gaps[n], math.exp((s[n - 1] - score) / tau))
                n += 1
        gaps[n] = 1.0
        _find_ends(s[:n], own[:many], cut, tau, end, distance)
        items, mine, totals = (s[:n], of, w, gaps), (own[:many], place), (sums, x, y)
        for g in range(0, levels, _LEVELS):
            for c in range(3):
                counting, factors = (*mine, end[c], distance[c]), (pieces[c], lines[c])
                _scan(c == 0, items, counting, shares[r], g, factors, totals)
        for i in range(many):
            slope[r, at[i]], value[r, at[i]] = x[i], y[i]


@_compile
def _count_rows(scores: Array, level: Array, shares: Array, value: Array) -> None:
    """Counts row by row, from above; `shares` have a row for each level of what is counted."""
    size = scores.shape[1]
    counts = np.empty(shares.shape[2])
    for r in range(len(scores)):
        counts[:] = 0.0
        j = size - 1
        for k in range(size):
            i = size - 1 - k
            while j >= 0 and scores[r, j] >= scores[r, i]:
                own = level[r, j]
                for g in range(len(counts)):
                    counts[g] += shares[r, own, g]
                j -= 1
            value[r, i] = counts[level[r, i]]
