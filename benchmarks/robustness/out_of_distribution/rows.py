"""What every score asks of its arguments: rows of finite numbers, with a class each."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def require_rows(name: str, values: ArrayLike, width: int | None = None) -> NDArray[np.float64]:
    """Returns rows as float64.

    Args:
        name: what they are called in an error.
        values: (N, D), finite.
        width: D, where it must be a certain one.

    Raises:
        ValueError: another shape, or a number that is not finite.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or not rows.shape[1] or width not in {None, rows.shape[1]}:  # noqa: PLR2004 - (N, D)
        raise ValueError(
            f"{name} must have shape (N, {width or 'D'}), got {rows.shape}; a row for each image"
        )
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} must be finite, got {len(bad)} of {len(rows)} rows that are not, first row "
            f"{bad[0]}; leave these out, or look for a diverged model"
        )
    return rows


def require_classes(labels: ArrayLike, count: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Returns the classes, sorted, and the place of each row's among them.

    Args:
        labels: (N,) whole numbers.
        count: N.

    Raises:
        ValueError: another shape, another type, or fewer than two classes.
    """
    given = np.asarray(labels)
    if given.shape != (count,) or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(
            f"labels must be {count} whole numbers, one for each row of features, got "
            f"{given.dtype} {given.shape}"
        )
    names, places = np.unique(given, return_inverse=True)
    if len(names) < 2:  # noqa: PLR2004 - of one class nothing is out
        raise ValueError(
            f"labels must have at least 2 classes, got {len(names)}; use a coarser or finer level"
        )
    return names, places
