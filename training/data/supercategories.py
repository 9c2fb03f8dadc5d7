"""Batches of a few super-categories: what shares one is hard to tell apart."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.metrics.arguments import check_integers, check_tensors
from hgld.training.data.config import PerSuperCategory, require_whole_groups
from hgld.training.data.groups import LandmarkGroups
from hgld.training.data.loading import seed_of
from hgld.training.data.order import BatchOrder


class SuperCategorySampler(BatchOrder):
    """Batches of k super-categories with equally many groups, of m images of one landmark each.

    A batch so has hard negatives, which share the super-category, and still others. The groups of
    an epoch are those of `LandmarkGroups`: each landmark is seen as often as under
    `LandmarkSampler`. Those of a super-category are cut into parts of `batch_size / m / k` groups,
    and each batch draws k super-categories, each by the number of parts that it still has, and
    takes the next part of each. What is left of a super-category after its last whole part goes,
    with that of others, into parts of several super-categories, so that small ones are not lost.
    A super-category with more parts than there are batches leaves some for another epoch.

    The published sampler makes as many batches of each of the k-tuples of super-categories, and
    draws their landmarks and images anew for each: small super-categories are then seen as often as
    large ones (of 78 there are 3,003 pairs), and an epoch has no end of its own. That each
    landmark's turn comes once, and the parts of several super-categories, are ours.

    Source: HierarchicalSampler of pytorch-metric-learning, which the code published for HAPPIER
    uses (https://github.com/elias-ramzi/HAPPIER).

    Example:
        >>> labels = torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0], [2, 1], [2, 1], [3, 1], [3, 1]])
        >>> config = PerSuperCategory(samples_per_landmark=2)
        >>> sampler = SuperCategorySampler(labels, config, batch_size=4)
        >>> [sorted(labels[batch, 1].tolist()) for batch in sampler]
        [[0, 0, 1, 1], [0, 0, 1, 1]]
    """

    def __init__(
        self,
        labels: Tensor,
        config: PerSuperCategory | None = None,
        *,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Counts the parts of an epoch.

        Args:
            labels: (N, L) integers, L at least 2: the landmark and the super-category of each
                image, and what else there is.
            config: by default that of the published code.
            batch_size: images of a batch of all ranks together, a multiple of
                `samples_per_landmark` x `supercategories_per_batch`.
            seed: of the random order.
            rank: which of the processes this is, from 0.
            world_size: number of processes that share each batch.

        Raises:
            TypeError: labels are no tensor of integers.
            ValueError: labels have another shape, a landmark is in two super-categories, the batch
                or a rank's share of it is no whole number of groups, or there are too few landmarks
                or super-categories to fill one batch.
        """
        config = config or PerSuperCategory()
        m, k = config.samples_per_landmark, config.supercategories_per_batch
        require_whole_groups(batch_size, m, config.max_per_landmark)
        if batch_size % (m * k):
            raise ValueError(
                f"batch_size must be a multiple of samples_per_landmark x "
                f"supercategories_per_batch ({m} x {k}), got {batch_size}"
            )
        coarse = _supercategories(labels)
        groups = LandmarkGroups(labels[:, 0], config)
        super().__init__(groups, config, batch_size=batch_size, seed=seed, share=(rank, world_size))
        self._each, self._part = k, batch_size // m // k
        self._supercategory = coarse[groups.first_image()][groups.landmark()]  # (groups,)
        _require_one_parent(coarse, groups)
        sizes = self._supercategory.bincount()  # groups of each super-category
        self._whole = sizes // self._part
        rest = int((sizes % self._part).sum()) // self._part
        # Parts of each kind: the super-categories, then each part of several by itself.
        self._kinds = np.concatenate([self._whole.numpy(), np.ones(rest, dtype=np.int64)])
        self._batches = _most_batches(self._kinds, k)
        if not len(self):
            raise ValueError(
                f"a batch must have {k} super-categories of {self._part} groups each "
                f"(batch_size {batch_size}), got {len(sizes)} super-categories with {len(groups)} "
                f"groups in all; lower batch_size or supercategories_per_batch"
            )

    def __len__(self) -> int:
        """Returns the number of batches in an epoch, the same for every epoch."""
        return self._batches

    def _digest(self) -> str:
        """Returns the digest of what decides the batches: which landmarks share one, too."""
        content = super()._digest().encode() + self._supercategory.numpy().tobytes()
        return hashlib.sha256(content).hexdigest()

    def _whole_batches(self, epoch: int) -> Tensor:
        images, when = self._groups.draw(self._seed, epoch)
        stream = f"super-categories, {self._seed}, epoch {epoch}"
        generator = torch.Generator().manual_seed(seed_of(stream))
        # By super-category, and by time within each.
        order = torch.argsort(when, stable=True)
        order = order[torch.argsort(self._supercategory[order], stable=True)]
        sizes = self._supercategory.bincount()
        number = torch.arange(len(order)) - (sizes.cumsum(0) - sizes)[self._supercategory[order]]
        is_whole = number < self._whole[self._supercategory[order]] * self._part
        others = order[~is_whole]
        others = others[torch.randperm(len(others), generator=generator)]
        others = others[: len(others) // self._part * self._part]
        parts = torch.cat([order[is_whole], others]).reshape(-1, self._part)
        shape = (self._batches, len(self._kinds))
        draws = 1 - torch.rand(shape, generator=generator, dtype=torch.float64)  # (0, 1]
        chosen = _deal(self._kinds, self._each, draws.numpy())  # (batches, k)
        return images[parts[torch.from_numpy(chosen)]].reshape(self._batches, -1)


def _supercategories(labels: Tensor) -> Tensor:
    """Returns the super-category of each image, (N,) int64, as its place among them."""
    check_tensors(labels=labels)
    check_integers("labels", labels)
    if labels.ndim != 2 or labels.shape[1] < 2:  # noqa: PLR2004 - landmark and super-category
        raise ValueError(
            f"labels must have shape (N, L) with L of 2 or more, got {tuple(labels.shape)}; "
            f"the landmark and the super-category of each image are its first two columns"
        )
    inverse: Tensor = torch.unique(labels[:, 1], return_inverse=True)[1]
    return inverse


def _require_one_parent(coarse: Tensor, groups: LandmarkGroups) -> None:
    differs = coarse != coarse[groups.first_image()][groups.landmark_of_image()]
    if differs.any():
        raise ValueError(
            f"all images of a landmark must have one super-category, got another one for image "
            f"{int(differs.nonzero()[0])}; correct its labels"
        )


def _most_batches(parts: NDArray[np.int64], each: int) -> int:
    """Returns the most batches that can have parts of `each` kinds, no two of them of one."""
    low, high = 0, int(parts.sum()) // each
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(parts, middle).sum()) >= each * middle:
            low = middle
        else:
            high = middle - 1
    return low


def _deal(parts: NDArray[np.int64], each: int, draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draws the kinds of each batch, by the parts that they still have, and their next parts.

    Args:
        parts: (kinds,), of each kind.
        each: kinds of a batch.
        draws: (batches, kinds), random numbers from 0 to 1, without 0.

    Returns:
        (batches, each), numbers of parts, those of a kind after those of the kind before it.

    Source: Efraimidis & Spirakis, Weighted random sampling with a reservoir, 2006: those of the
        largest u^(1 / weight).
    """
    left, following = parts.copy(), parts.cumsum() - parts
    chosen = np.empty((len(draws), each), dtype=np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        for batch, logarithm in enumerate(np.log(draws)):
            keys = np.where(left > 0, logarithm / left, -np.inf)
            # One that has a part for each batch to come has to be in each, or they do not suffice;
            # of more of them than there is room for, any.
            has_to_be = left >= len(draws) - batch
            keys[has_to_be] = draws[batch, has_to_be]  # above all others, which are not above 0
            kinds = np.argsort(keys, kind="stable")[-each:]
            chosen[batch] = following[kinds]
            following[kinds] += 1
            left[kinds] -= 1
    return chosen
