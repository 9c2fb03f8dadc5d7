"""Cosines that are the same to the last bit on every machine.

Vectors are rounded to multiples of 2^-11. Products of two such numbers are multiples of 2^-22, and
sums of them for unit vectors stay below 2: float32 holds them without rounding. So it matters
neither in which order nor on how many threads they are summed, nor whether one row is asked for or
a thousand: what is proposed after a decision is what a new run proposes. The rounding moves a
cosine of 384 numbers by some 0.0002.
"""

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Number = TypeVar("Number", float, "NDArray[np.float64]")

SAME = 0.995
"""The cosine from which two labels are one text."""
_STEP = 2.0**-11
_NOTHING = 1e-9  # a shorter vector has no direction
_FEW = 3  # names, of fewer there is no spread


def unit_grid(vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Returns vectors at unit norm on the grid, float32 (n, D); one without a direction is zero."""
    import numpy as np

    wide = vectors.astype(np.float64)
    norms = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    unit = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > _NOTHING)
    return np.asarray((unit / _STEP).round() * _STEP, dtype=np.float32)


def cosines(left: "NDArray[np.float32]", right: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Returns the cosines of each row of the one with each of the other, float32 (n, m).

    Args:
        left: float32 (n, D) from `unit_grid`.
        right: float32 (m, D) from `unit_grid`.
    """
    return left @ right.T


class Scale(NamedTuple):
    """The unit in which cosines of one encoder are told, so that those of another mean the same.

    Text vectors of an encoder point roughly one way: any two of CLIP's have a cosine near 0.76, of
    MiniLM's near 0.3. How far a cosine lies above that, in standard deviations, can be compared.
    """

    mean: float
    deviation: float

    def of(self, cosine: "Number") -> "Number":
        """Returns cosines in the unit."""
        return (cosine - self.mean) / self.deviation


def scale_of(names: "NDArray[np.float32]") -> Scale:
    """Measures the cosines between different names.

    Args:
        names: float32 (m, D) from `unit_grid`.

    Returns:
        Their mean and standard deviation; where there are too few, cosines as they are.
    """
    import numpy as np

    if len(names) < _FEW:
        return Scale(0.0, 1.0)
    near = cosines(names, names)[np.triu_indices(len(names), 1)].astype(np.float64)
    return Scale(float(near.mean()), max(float(near.std()), _NOTHING))
