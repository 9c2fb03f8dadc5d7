"""Which landmarks a run is validated on: chosen by name, so that more images change nothing."""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hgld.training.data.labels import LabelledImages

_BITS = 1 << 53
"""As many as a float can tell apart."""
_FEWEST = 2
"""Landmarks: of one alone, every answer to a query is right."""


class HeldOut(NamedTuple):
    """Positions of images, in ascending order; every image is in one of them."""

    train: Tensor
    """(n,) int64"""
    validation: Tensor
    """(m,) int64; each queries all others, itself excluded, as is usual where one set is searched
    (CUB, SOP, iNaturalist), so that no image is lost to being an index image only."""


def hold_out_landmarks(
    labels: Tensor, names: Sequence[Sequence[str]], *, share: float = 0.1, seed: int = 0
) -> HeldOut:
    """Holds out a share of the landmarks of each super-category, with all of their images.

    Of a super-category of n landmarks, floor(share n + u) are held out and one stays at least,
    u in [0, 1) drawn from the super-category's name: on average that is the share, of small
    super-categories too, of which rounding would hold out none. Which ones is the order of the
    digests of their ids. Numbers of landmarks and ids decide alone, so another image of a landmark
    goes where the landmark is, and another landmark moves at most one of its super-category.

    Args:
        labels: (N, L) int64, finest level first, each the position of its name in `names`. A
            landmark whose images name several super-categories counts for the first of them by
            name; with one level all are of one super-category.
        names: L sequences, the names of the labels by level (`LabelledImages.names`).
        share: of the landmarks, above 0 and below 1.
        seed: another one holds out others.

    Returns:
        The positions of the images to train and to validate on.

    Raises:
        ValueError: fewer than two landmarks are left on one side.

    Example:
        >>> labels = torch.tensor([[0, 0], [1, 0], [0, 0], [2, 0], [3, 0]])
        >>> names = [["31", "907", "55", "8"], ["church"]]
        >>> held_out = hold_out_landmarks(labels, names, share=0.5)
        >>> held_out.train.tolist(), held_out.validation.tolist()
        ([0, 2, 3], [1, 4])
    """
    chosen = torch.zeros(len(names[0]), dtype=torch.bool)
    members = _members(labels, names)
    for supercategory, landmarks in members.items():
        drawn = math.floor(share * len(landmarks) + _unit(f"{seed}, {supercategory}"))
        order = sorted(landmarks, key=lambda one: _unit(f"{seed}, landmark {names[0][one]}"))
        chosen[order[: min(drawn, len(landmarks) - 1)]] = True
    held, landmarks_of_all = int(chosen.sum()), sum(map(len, members.values()))
    if not _FEWEST <= held <= landmarks_of_all - _FEWEST:
        raise ValueError(
            f"share must hold out at least {_FEWEST} landmarks and leave as many, got {share}, "
            f"which holds out {held} of {landmarks_of_all} in {len(members)} super-categories; "
            f"choose another share, or do without validation"
        )
    is_held = chosen[labels[:, 0]]
    return HeldOut((~is_held).nonzero().squeeze(1), is_held.nonzero().squeeze(1))


def images_at(images: LabelledImages, positions: Tensor) -> LabelledImages:
    """Returns some of the images, their labels numbered anew, so that each is carried by one.

    Args:
        images: N images.
        positions: (n,) int64, which of them, in the order wanted.

    Returns:
        n images; the names of each level keep their order.
    """
    chosen = images.at(positions.tolist())
    levels = [torch.unique(column, return_inverse=True) for column in chosen.labels.unbind(1)]
    return dataclasses.replace(
        chosen,
        labels=torch.stack([numbers for _, numbers in levels], dim=1),
        names=tuple(
            tuple(names[label] for label in kept.tolist())
            for names, (kept, _) in zip(images.names, levels, strict=True)
        ),
    )


def _members(labels: Tensor, names: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Returns the landmarks of each super-category that images are of, by its name."""
    of_landmark: dict[int, str] = {}
    for landmark, *coarser in torch.unique(labels[:, :2], dim=0).tolist():
        name = names[1][coarser[0]] if coarser else ""
        of_landmark[landmark] = min(name, of_landmark.get(landmark, name))
    members: dict[str, list[int]] = {}
    for landmark, name in of_landmark.items():
        members.setdefault(name, []).append(landmark)
    return members


def _unit(text: str) -> float:
    """Returns a number in [0, 1) that is the text's own on every machine."""
    digest = hashlib.sha256(f"hold out, seed {text}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / _BITS
