"""The sums of `hgld.losses.ranking.sums` for a processor, compiled by numba.

A row is read from below and from above, item by item. What the items passed so far add up to is
kept as sums_j w_j exp(m (s_j - s_i) / tau) for the powers m = 0 to 15 and each level: to go on to
the next item is to multiply them by the powers of one exponential, none of which exceeds 1, so that
nothing overflows and nothing cancels. A relevant item reads its sum off as one polynomial.

It takes a tenth of the time of the prefix sums in torch (`prefix_sums`): no sum goes through
memory. What the compiler makes vectors of decides over a factor of three here: loops over `_POWERS`
have four levels in one body, since it takes a smaller one apart, and one array for all sums, since
it gives up on more; what an item adds is multiplied by 0 or 1 and not branched upon.
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
    slope, value = np.empty(scores.shape), np.empty(scores.shape)
    shares, levels = table.numpy(), table.shape[2]
    counted = np.flatnonzero(shares.any((0, 1)))  # the levels whose items anyone counts
    width = len(counted) + -len(counted) % _LEVELS
    places, rows = np.zeros((levels, width)), np.zeros((len(scores), table.shape[1], width))
    places[counted, np.arange(len(counted))] = 1.0
    rows[:, :, : len(counted)] = shares[:, :, counted]
    lists = (each.contiguous().numpy() for each in (scores, level, weight))
    factors, lines = _pieces(step)
    cut, tau = step.cut, step.tau or 1.0
    _sum_rows(*lists, rows, places, mirrored, cut, tau, factors, lines, slope, value)
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
def _set_powers(row: Array, z: float, used: int) -> None:
    z2 = z * z
    z3, z4 = z2 * z, z2 * z2
    row[0], row[1], row[2], row[3] = 1.0, z, z2, z3
    row[4], row[5], row[6], row[7] = z4, z4 * z, z4 * z2, z4 * z3
    z8 = z4 * z4
    for m in range(8, used):
        row[m] = row[m - 8] * z8


@_compile
def _scan(  # noqa: PLR0913, PLR0917 - what it works on and in, made once for all rows
    upwards: bool,
    lists: tuple[Array, Array, Array, Array, Array, int],
    scan: tuple[Array, Array, Array, float, int],
    powers: Array,
    sums: Array,
    slope: Array,
    value: Array,
) -> None:
    """Adds to each item what the items up to its `end`, or from there on, count with it.

    `powers[distance[i]]` tell how far item i is from the last of them.
    """
    scores, level, weight, table, places, first = lists
    end, distance, factors, line, used = scan
    size = len(scores)
    sums[:] = 0.0
    at0 = at1 = at2 = at3 = 0.0  # sums of w_j s_j
    j = 0 if upwards else size - 1
    for k in range(size):
        i = k if upwards else size - 1 - k
        while j < end[i] if upwards else j >= end[i]:
            place = places[level[j]]
            w0, w1 = weight[j] * place[first], weight[j] * place[first + 1]
            w2, w3 = weight[j] * place[first + 2], weight[j] * place[first + 3]
            gap = j if upwards else j + 1
            for m in range(used):
                z = powers[gap, m]
                sums[m] = sums[m] * z + w0
                sums[16 + m] = sums[16 + m] * z + w1
                sums[32 + m] = sums[32 + m] * z + w2
                sums[48 + m] = sums[48 + m] * z + w3
            at0, at1 = at0 + w0 * scores[j], at1 + w1 * scores[j]
            at2, at3 = at2 + w2 * scores[j], at3 + w3 * scores[j]
            j += 1 if upwards else -1
        row = table[level[i]]
        a0, a1, a2, a3 = row[first], row[first + 1], row[first + 2], row[first + 3]
        of_slope, of_value = 0.0, 0.0
        for m in range(used):
            total = a0 * sums[m] + a1 * sums[16 + m] + a2 * sums[32 + m] + a3 * sums[48 + m]
            total *= powers[distance[i], m]
            of_slope += factors[0, m] * total
            of_value += factors[1, m] * total
        if line != 0.0:
            count = a0 * sums[0] + a1 * sums[16] + a2 * sums[32] + a3 * sums[48]
            of_value += line * (a0 * at0 + a1 * at1 + a2 * at2 + a3 * at3 - count * scores[i])
        slope[i] += of_slope
        value[i] += of_value


@_compile
def _sum_rows(  # noqa: C901, PLR0913, PLR0917 - as _scan; two places that move with the row
    scores: Array,
    level: Array,
    weight: Array,
    table: Array,
    places: Array,
    mirrored: bool,
    cut: float,
    tau: float,
    factors: Array,
    lines: Array,
    slope: Array,
    value: Array,
) -> None:
    """Sums row by row: from below, from above, and from beyond the cut."""
    size = scores.shape[1]
    s, own, w = np.empty(size), np.empty(size, np.int64), np.empty(size)
    x, y = np.empty(size), np.empty(size)
    # Powers of the distances to the item before, and from there on to the first beyond the cut.
    powers, sums = np.ones((2 * size + 1, _POWERS)), np.empty(_LEVELS * _POWERS)
    end, far = np.empty(size, np.int64), np.empty(size, np.int64)
    none, beyond = np.zeros(size, np.int64), np.empty(size, np.int64)
    # Beyond a cut of 4.5 tau higher powers are below 1e-17.
    few = 8 if cut >= 4.5 * tau else _POWERS
    for r in range(len(scores)):
        for i in range(size):
            k = size - 1 - i if mirrored else i
            s[i] = -scores[r, k] if mirrored else scores[r, k]
            own[i], w[i], x[i], y[i] = level[r, k], weight[r, k], 0.0, 0.0
        first = second = 0
        for i in range(size):
            if i:
                _set_powers(powers[i], math.exp((s[i - 1] - s[i]) / tau), _POWERS)
            while first < size and s[first] - s[i] <= 0.0:
                first += 1
            while second < size and s[second] - s[i] <= cut:
                second += 1
            end[i], far[i], beyond[i] = first, second, 0
            if second < size:
                beyond[i] = size + 1 + i
                _set_powers(powers[size + 1 + i], math.exp((s[i] - s[second]) / tau), few)
        for base in range(0, table.shape[2], _LEVELS):
            lists = (s, own, w, table[r], places, base)
            _scan(True, lists, (end, none, factors[0], lines[0], _POWERS), powers, sums, x, y)
            _scan(False, lists, (end, end, factors[1], lines[1], _POWERS), powers, sums, x, y)
            if far[0] < size:
                _scan(False, lists, (far, beyond, factors[2], lines[2], few), powers, sums, x, y)
        for i in range(size):
            k = size - 1 - i if mirrored else i
            slope[r, k], value[r, k] = x[i], y[i]


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
