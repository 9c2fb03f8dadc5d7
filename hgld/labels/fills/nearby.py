"""What stands near a landmark: shown to a person beside the guess, which is made without it.

Neighbours of both label spaces count, because it says nothing of a place which part of GLDv2 has
its pictures. An item that is a landmark in both counts once.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hgld.globe import EARTH_KM, points_on_globe

_MOST = 5
_MOST_KM = 10.0
_MOST_DEGREES = 0.01
"""Coordinates that are known less exactly, 1.1 km, say little of what stands around."""


def near_texts(
    asked: Sequence[tuple[str, int]], label_of: Mapping[tuple[str, int], str], places: pa.Table
) -> dict[int, str]:
    """Tells the labels of the nearest labelled landmarks, at most 5, within 10 km.

    Args:
        asked: split and landmark_id of landmarks.
        label_of: split and landmark_id of labelled landmarks to their labels.
        places: rows of PLACES, at least who and where; may be empty.

    Returns:
        Row of `asked` to a text; none without exact coordinates on Earth, or without neighbours.
    """
    from scipy.spatial import cKDTree

    is_exact = pc.field("coordinate_precision") <= _MOST_DEGREES
    exact = places.filter(is_exact & pc.field("latitude").is_valid())
    degrees = (np.asarray(exact[name]) for name in ("latitude", "longitude"))
    points = EARTH_KM * points_on_globe(*degrees)  # so near, the chord is the arc
    keys = list(zip(exact["split"].to_pylist(), exact["landmark_id"].to_pylist(), strict=True))
    row_of = {key: row for row, key in enumerate(keys)}
    items = zip(exact["qid"].to_pylist(), keys, strict=True)
    known = list({qid: key for qid, key in items if key in label_of}.values())
    told = [row for row, key in enumerate(asked) if key in row_of]
    tree = cKDTree(points[[row_of[key] for key in known]])
    apart, found = tree.query(
        points[[row_of[asked[row]] for row in told]], _MOST, distance_upper_bound=_MOST_KM
    )
    texts = {}
    for row, ones, kms in zip(told, found.tolist(), apart.tolist(), strict=True):
        labels = [label_of[known[one]] for one in ones if one < len(known)]  # others are too far
        if labels:
            texts[row] = _text(labels, kms[len(labels) - 1])
    return texts


def _text(labels: Sequence[str], km: float) -> str:
    """Returns what a reviewer reads of landmarks, the nearest first, the last so many km away."""
    counts = ", ".join(f"{count} {label.strip()}" for label, count in Counter(labels).most_common())
    within = max(math.ceil(10 * km), 1) / 10
    return f"near: {counts} (the nearest labelled landmarks, within {within:.1f} km)"
