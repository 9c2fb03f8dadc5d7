"""Points on a globe: what is near on the ground is near through it, at any latitude."""

import numpy as np
from numpy.typing import NDArray

EARTH_KM = 6371.0088
"""Mean radius of the Earth.

Source: Moritz, Geodetic Reference System 1980, 2000.
"""


def points_on_globe(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns places as points on a globe of radius 1, so that no date line parts any.

    A chord of length c is an arc of 2 asin(c / 2), which for near places is c.

    Args:
        latitude: (n,), in degrees.
        longitude: (n,), in degrees.

    Returns:
        (n, 3)

    Example:
        >>> points_on_globe(np.array([90.0, 0.0]), np.array([17.0, 0.0])).round(3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    north, east = np.radians(latitude), np.radians(longitude)
    points = (np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north))
    return np.stack(points, axis=1)
