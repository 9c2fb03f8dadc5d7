"""The sums of `hgld.losses.ranking.sums` for a processor, compiled by numba.

For the items of one level a row is read from below and from above. What has been passed adds up to
sum_j w_j exp(m (s_j - c) / tau) for the powers m = 0 to 15, where c is a point within 40 tau, so
that nothing overflows and nothing cancels; an item reads its sum off as one polynomial. The powers
are one vector. Numba has no type for that and gets one here, so that the sums stay in registers:
for a batch of 256 they take 3 ms, 7 with arrays in its place.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model
from torch import Tensor

from hgld.losses.ranking.steps import Step, sigmoid_polynomials

Array = np.ndarray[Any, Any]
Value = Any
"""A value of llvmlite, which has no types for mypy."""

_POWERS = 16  # two vectors of the widest processors: sigmoid(y) to 1e-12, its slope to 1e-11
_CELL = 80.0  # in units of tau: exp(15 * 40) is finite and its inverse a normal number
_FAST = ("reassoc", "contract", "nsz", "arcp")  # what is no number stays so
_BYTES = 8 * _POWERS
_DOUBLE, _INDEX = ir.DoubleType(), ir.IntType(32)
_REGISTERS = ir.VectorType(_DOUBLE, _POWERS)


class _Vector(types.Type):
    """Sixteen doubles in registers; `_zeros` to `_powers_of` make them and compute with them."""


_VECTOR = _Vector("vector")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Value, its_type: Value) -> None:
        super().__init__(manager, its_type, _REGISTERS)  # type: ignore[no-untyped-call]


def _instruction(gives: Value, *takes: Value) -> Callable[[Callable[..., Value]], Value]:
    """Makes a function for compiled code from one that builds what it does, and its types."""

    def decorate(build: Callable[..., Value]) -> Value:
        def typed(_: Value, *__: Value) -> tuple[Value, Callable[..., Value]]:
            return gives(*takes), lambda _, builder, __, values: build(builder, *values)

        return intrinsic(functools.wraps(build)(typed))

    return decorate


@_instruction(_VECTOR)
def _zeros(_: Value) -> Value:
    return ir.Constant(_REGISTERS, [0.0] * _POWERS)


@_instruction(_VECTOR, types.intp)
def _load(builder: Value, address: Value) -> Value:
    return builder.load(builder.inttoptr(address, _REGISTERS.as_pointer()), align=8)


@_instruction(types.void, types.intp, _VECTOR)
def _store(builder: Value, address: Value, vector: Value) -> None:
    builder.store(vector, builder.inttoptr(address, _REGISTERS.as_pointer()), align=8)


@_instruction(_VECTOR, _VECTOR, _VECTOR)
def _multiply(builder: Value, x: Value, y: Value) -> Value:
    return builder.fmul(x, y, flags=_FAST)


@_instruction(_VECTOR, _VECTOR, types.float64, _VECTOR)
def _add_scaled(builder: Value, x: Value, factor: Value, y: Value) -> Value:
    scaled = builder.fmul(_repeat(builder, factor, _POWERS), y, flags=_FAST)
    return builder.fadd(x, scaled, flags=_FAST)


@_instruction(types.float64, _VECTOR, _VECTOR)
def _dot(builder: Value, x: Value, y: Value) -> Value:
    takes = ir.FunctionType(_DOUBLE, [_DOUBLE, _REGISTERS])
    add_up = builder.module.declare_intrinsic("llvm.vector.reduce.fadd.v16f64", (), takes)
    products = builder.fmul(x, y, flags=_FAST)
    return builder.call(add_up, [ir.Constant(_DOUBLE, 0.0), products], fastmath=_FAST)


@_instruction(_VECTOR, types.float64)
def _powers_of(builder: Value, z: Value) -> Value:
    """1, z, z^2 to z^15: twice as many with each step."""
    ones = ir.Constant(ir.VectorType(_DOUBLE, 2), [1.0, 1.0])
    powers, many = builder.insert_element(ones, z, _INDEX(1)), 2
    while many < _POWERS:
        z = builder.fmul(z, z, flags=_FAST)
        higher = builder.fmul(powers, _repeat(builder, z, many), flags=_FAST)
        both = ir.Constant(ir.VectorType(_INDEX, 2 * many), [*range(2 * many)])
        powers, many = builder.shuffle_vector(powers, higher, both), 2 * many
    return powers


def _repeat(builder: Value, number: Value, many: int) -> Value:
    nothing = ir.Constant(ir.VectorType(_DOUBLE, many), ir.Undefined)
    one = builder.insert_element(nothing, number, _INDEX(0))
    first = ir.Constant(ir.VectorType(_INDEX, many), [0] * many)
    return builder.shuffle_vector(one, nothing, first)


def _compile(function: Callable[..., None]) -> Callable[..., None]:
    """Compiles at the first call, and keeps the result on disk for the next process."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {*_FAST}}
    try:
        compiled: Callable[..., None] = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in
        compiled = numba.njit(**options)(function)
    return compiled


def weighted_sums(
    scores: Tensor, level: Tensor, weight: Tensor, table: Tensor, step: Step
) -> tuple[Tensor, Tensor]:
    """Does what `prefix_sums.weighted_sums` does."""
    slope, value = torch.zeros_like(scores), torch.zeros_like(scores)
    _sum((scores, level, weight), table, step, slope, value)
    return slope, value


def pulls(scores: Tensor, level: Tensor, weight: Tensor, table: Tensor, step: Step) -> Tensor:
    """Does what `prefix_sums.pulls` does."""
    slope = torch.zeros_like(scores)
    _sum((scores, level, weight), table, step, slope)
    return slope


def counts_ahead(scores: Tensor, level: Tensor, table: Tensor) -> Tensor:
    """Does what `prefix_sums.counts_ahead` does."""
    value = np.empty(scores.shape)
    rows = table.transpose(1, 2).expand(len(scores), -1, -1)
    _count_rows(*(each.contiguous().numpy() for each in (scores, level, rows)), value)
    return torch.from_numpy(value)


def _sum(
    lists: tuple[Tensor, Tensor, Tensor],
    table: Tensor,
    step: Step,
    slope: Tensor,
    value: Tensor | None = None,
) -> None:
    """Adds to slopes and values; without values to the slopes of s_i - s_j."""
    scores, level, weight = lists
    tau = step.tau or 1.0
    at = scores / tau
    cell = (at / _CELL).round_()
    rising = at.sub_(cell, alpha=_CELL).exp_()
    # By the level of what counts, then of what is counted.
    shares = table.expand(len(scores), -1, -1)
    parts = (scores, level, weight, shares, cell, rising)
    arrays = (each.contiguous().numpy() for each in parts)
    # Made here, since in compiled code an array ends where its address is taken.
    powers = np.empty((2, scores.shape[1], _POWERS))
    totals = slope.numpy(), (slope if value is None else value).numpy()
    _sum_rows(*arrays, powers, step.cut, tau, *_pieces(step), *totals, value is None)


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
def _scan(  # noqa: PLR0913, PLR0917 - as _sum_rows
    way: tuple[bool, float, float],
    row: tuple[Array, Array, Array],
    lists: tuple[Array, Array],
    powers: tuple[int, int],
    factors: tuple[int, float],
    tau: float,
    slope: Array,
    value: Array,
) -> None:
    """Adds to each item what all items up to a bound count with it, from one side."""
    below, bound, sign = way
    scores, cell, weight = row
    counted, counting = lists
    own, inverse = powers
    piece, line = factors
    of_slope, of_value = _load(piece), _load(piece + _BYTES)
    sums, total, moment = _zeros(), 0.0, 0.0
    passed, here = 0, 0.0
    for i in counting:
        while passed < len(counted):
            j = counted[passed]
            if (sign * (scores[j] - scores[i]) <= bound) != below:
                break
            if cell[j] != here:
                sums = _multiply(sums, _powers_of(math.exp(-abs(cell[j] - here) * _CELL)))
                here = cell[j]
            sums = _add_scaled(sums, weight[j], _load(own + j * _BYTES))
            total += weight[j]
            moment += weight[j] * scores[j]
            passed += 1
        if passed == 0:
            continue
        if cell[i] == here:
            its = _multiply(sums, _load(inverse + i * _BYTES))
        else:
            its = _multiply(sums, _powers_of(math.exp(-abs(scores[i] / tau - here * _CELL))))
        slope[i] += _dot(its, of_slope)
        if sign > 0:
            value[i] += _dot(its, of_value) + line * (moment - total * scores[i])


@_compile
def _sum_rows(  # noqa: PLR0913, PLR0917 - compiled code takes no object
    scores: Array,
    level: Array,
    weight: Array,
    shares: Array,
    cell: Array,
    rising: Array,
    powers: Array,
    cut: float,
    tau: float,
    pieces: Array,
    lines: Array,
    slope: Array,
    value: Array,
    mirrored: bool,
) -> None:
    """Sums row by row; where mirrored the slopes of s_i - s_j, and no value."""
    size, levels = scores.shape[1], shares.shape[1]
    up = np.intp(powers.ctypes.data)  # an address, which numba has unsigned
    down = up + size * _BYTES
    w, counted, counting = np.empty(size), np.empty(size, np.intp), np.empty(size, np.intp)
    sign, first, second = (-1, down, up) if mirrored else (1, up, down)
    for r in range(len(scores)):
        for i in range(size):
            _store(up + i * _BYTES, _powers_of(rising[r, i]))
            _store(down + i * _BYTES, _powers_of(1.0 / rising[r, i]))
        row, its_weight = (scores[r], cell[r], w), weight[r % len(weight)]  # one for all, or each
        for g in range(levels):
            if not shares[r, g].any():
                continue
            n = many = 0
            for j in range(size):  # without a branch, which would be guessed wrong half the time
                counted[n], counting[many] = j, j
                w[j] = its_weight[j] * shares[r, g, level[r, j]]
                n += w[j] != 0.0
                many += level[r, j] == g
            lists = counted[:n][::sign], counting[:many][::sign]
            back = counted[:n][::-sign], counting[:many][::-sign]
            for c, bound in enumerate((0.0, 0.0, cut)):
                way, factors = (c == 0, bound, sign), (np.intp(pieces[c].ctypes.data), lines[c])
                if c == 0:
                    _scan(way, row, lists, (first, second), factors, tau, slope[r], value[r])
                else:
                    _scan(way, row, back, (second, first), factors, tau, slope[r], value[r])


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
