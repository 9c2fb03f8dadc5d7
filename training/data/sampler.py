"""Which images come together in a batch: groups of m images of one landmark.

An epoch's order depends on the settings, the seed and the epoch only, so that nothing but two
numbers has to be kept to go on: the epoch, and how many of its batches are done.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.metrics.arguments import check_integers, check_tensors
from hgld.training.config import require_groups
from hgld.training.data.images import seed_of


class LandmarkSampler:
    """Batches of `batch_size / m` groups of m images of one landmark, m = samples_per_landmark.

    In an epoch a landmark of n images gives min(n, max_per_landmark) // m groups; what is left over
    waits for another epoch's order. A landmark of fewer than m images gives one group, which
    repeats them in turn. The k-th of a landmark's K groups falls at random in the k-th K-th of the
    epoch, so that two of them hardly ever meet in a batch. Groups that fill no batch at the end of
    the epoch are left out.

    Of a batch of B images each of R ranks has B / R that stand side by side, whole groups: those of
    all ranks, in order, are the batch of one process.

    Example:
        >>> sampler = LandmarkSampler(
        ...     torch.tensor([907, 31, 907, 31]), batch_size=4, samples_per_landmark=2
        ... )
        >>> [sorted(batch) for batch in sampler.epoch(0).tolist()]
        [[0, 1, 2, 3]]
    """

    def __init__(  # noqa: PLR0913 - what a batch is made of, and torch's rank and world_size
        self,
        landmarks: Tensor,
        *,
        batch_size: int,
        samples_per_landmark: int = 4,
        max_per_landmark: int = 8,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Counts the groups of an epoch.

        Args:
            landmarks: (N,) integers, the landmark of each image: raw landmark ids or labels.
            batch_size: images of a batch of all ranks together, a multiple of
                `samples_per_landmark` times `world_size`.
            samples_per_landmark: images of a group.
            max_per_landmark: most images of a landmark in an epoch, at least those of a group.
            seed: of the random order.
            rank: which of the processes this is, from 0.
            world_size: number of processes that share each batch.

        Raises:
            TypeError: landmarks are no tensor of integers.
            ValueError: landmarks are no vector, a rank's share of a batch is no whole number of
                groups, or there are fewer than two landmarks, or too few groups to fill one batch.
        """
        check_tensors(landmarks=landmarks)
        check_integers("landmarks", landmarks)
        if landmarks.ndim != 1:
            raise ValueError(
                f"landmarks must have shape (N,), got {tuple(landmarks.shape)}; of labels (N, L) "
                f"pass the finest level, labels[:, 0]"
            )
        require_groups(batch_size, samples_per_landmark, max_per_landmark, rank, world_size)
        # In the order of their ids, so that ids that are labels stay what they are.
        _, self._landmarks, self._counts = torch.unique(
            landmarks, return_inverse=True, return_counts=True
        )
        if len(self._counts) < 2:  # noqa: PLR2004 - two is what a comparison takes
            raise ValueError(
                f"training needs images of at least 2 landmarks, got {len(self._counts)}; "
                f"fetch more tars with `hgld images --split train`"
            )
        self._batch_size, self._samples, self._seed = batch_size, samples_per_landmark, seed
        self._rank, self._world_size = rank, world_size
        most = self._counts.clamp(max=max_per_landmark)
        self._groups = most.div(self._samples, rounding_mode="floor").clamp_(min=1)  # (landmarks,)
        self._of = torch.repeat_interleave(self._groups)  # (groups,), landmark of each
        self._batches = len(self._of) * self._samples // batch_size
        if not self._batches:
            raise ValueError(
                f"batch_size must be at most {len(self._of) * self._samples}, which is what an "
                f"epoch of {len(self._counts)} landmarks gives, got {batch_size}; make it smaller "
                f"or fetch more images"
            )

    def __len__(self) -> int:
        """Returns the number of batches in an epoch, the same for every epoch."""
        return self._batches

    def epoch(self, epoch: int) -> Tensor:
        """Returns the batches of an epoch, or this rank's share of each.

        Args:
            epoch: from 0.

        Returns:
            (batches, batch_size / ranks) int64, indices of images; the m images of a group stand
            side by side.
        """
        return self._whole_batches(epoch).chunk(self._world_size, dim=1)[self._rank]

    def positions(self, batch: int) -> range:
        """Returns the positions in the epoch of a batch's images, or of this rank's of them.

        The same image at the same position has the same random numbers, whatever the number of
        ranks.
        """
        width = self._batch_size // self._world_size
        first = batch * self._batch_size + self._rank * width
        return range(first, first + width)

    def _whole_batches(self, epoch: int) -> Tensor:
        """Returns the batches of all ranks, (batches, batch_size) int64."""
        images, when = self._draw(epoch)
        used = len(self) * self._batch_size // self._samples
        return images[torch.argsort(when, stable=True)[:used]].reshape(len(self), -1)

    def _draw(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Returns the images of each group (groups, m), and its time (groups,), from 0 to 1."""
        generator = torch.Generator().manual_seed(seed_of(f"order, {self._seed}, epoch {epoch}"))
        shuffled = torch.randperm(len(self._landmarks), generator=generator)
        # Images by landmark, in random order within each: those of l start at `starts[l]`.
        by_landmark = shuffled[torch.argsort(self._landmarks[shuffled], stable=True)]
        starts = self._counts.cumsum(0) - self._counts
        first_group = self._groups.cumsum(0) - self._groups
        number = torch.arange(len(self._of)) - first_group[self._of]  # from 0 within a landmark
        place = number[:, None] * self._samples + torch.arange(self._samples)
        place = place % self._counts[self._of, None]  # wraps only where images are too few
        images = by_landmark[starts[self._of, None] + place]  # (groups, m)
        jitter = torch.rand(len(self._of), generator=generator, dtype=torch.float64)
        return images, (number + jitter) / self._groups[self._of]


class SuperCategorySampler(LandmarkSampler):
    """Batches of k super-categories with equally many groups, of m images of one landmark each.

    A batch so has hard negatives, which share the super-category, and still others. The groups of
    an epoch are those of `LandmarkSampler`. Those of a super-category are cut into parts of
    `batch_size / m / k` groups, and each batch draws k super-categories, each by the number of
    parts that it still has, and takes the next part of each. What is left of a super-category after
    its last whole part goes, with that of others, into parts of several super-categories, so that
    small ones are not lost. A super-category with more parts than there are batches leaves some for
    another epoch.

    The published sampler makes as many batches of each of the k-tuples of super-categories, and
    draws their landmarks and images anew for each: small super-categories are then seen as often as
    large ones (of 78 there are 3,003 pairs), and an epoch has no end of its own. That each
    landmark's turn comes once, and the parts of several super-categories, are ours.

    Source: HierarchicalSampler of pytorch-metric-learning, which the code published for HAPPIER
    uses (https://github.com/elias-ramzi/HAPPIER).

    Example:
        >>> labels = torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0], [2, 1], [2, 1], [3, 1], [3, 1]])
        >>> sampler = SuperCategorySampler(labels, batch_size=4, samples_per_landmark=2)
        >>> [sorted(labels[batch, 1].tolist()) for batch in sampler.epoch(0)]
        [[0, 0, 1, 1], [0, 0, 1, 1]]
    """

    def __init__(
        self,
        labels: Tensor,
        *,
        batch_size: int,
        supercategories_per_batch: int = 2,
        samples_per_landmark: int = 4,
        **others: int,
    ) -> None:
        """Counts the parts of an epoch.

        Args:
            labels: (N, L) integers, L at least 2: the landmark and the super-category of each
                image, and what else there is.
            batch_size: images of a batch of all ranks together, a multiple of
                `samples_per_landmark` x `supercategories_per_batch`.
            supercategories_per_batch: k.
            samples_per_landmark: m.
            **others: what `LandmarkSampler` takes beside these.

        Raises:
            TypeError: labels are no tensor of integers.
            ValueError: as `LandmarkSampler`; or labels have another shape, a landmark is in two
                super-categories, or there are too few of them to fill one batch.
        """
        check_tensors(labels=labels)
        if labels.ndim != 2 or labels.shape[1] < 2:  # noqa: PLR2004 - landmark, super-category
            raise ValueError(
                f"labels must have shape (N, L) with L of 2 or more, got {tuple(labels.shape)}; "
                f"the landmark and the super-category of each image are its first two columns"
            )
        sizes = {"batch_size": batch_size, "samples_per_landmark": samples_per_landmark}
        super().__init__(labels[:, 0], **sizes, **others)
        k = supercategories_per_batch
        if k < 1 or batch_size % (samples_per_landmark * k):
            raise ValueError(
                f"batch_size must be a multiple of samples_per_landmark x "
                f"supercategories_per_batch ({samples_per_landmark} x {k}), got {batch_size}"
            )
        coarse: Tensor = torch.unique(labels[:, 1], return_inverse=True)[1]  # (N,)
        of_landmark = torch.empty_like(self._counts)
        of_landmark[self._landmarks] = coarse
        if (differs := coarse != of_landmark[self._landmarks]).any():
            raise ValueError(
                f"all images of a landmark must have one super-category, got another one for image "
                f"{int(differs.nonzero()[0])} or one beside it; correct the labels"
            )
        self._each, self._part = k, batch_size // samples_per_landmark // k
        self._supercategory = of_landmark[self._of]  # (groups,)
        self._sizes = self._supercategory.bincount()  # groups of each super-category
        self._whole = self._sizes // self._part
        rest = int((self._sizes % self._part).sum()) // self._part
        # Parts of each kind: the super-categories, then each part of several by itself.
        self._kinds = np.concatenate([self._whole.numpy(), np.ones(rest, dtype=np.int64)])
        self._batches = _most_batches(self._kinds, k)
        if not self._batches:
            raise ValueError(
                f"a batch must have {k} super-categories of {self._part} groups each "
                f"(batch_size {batch_size}), got {len(self._sizes)} super-categories with "
                f"{len(self._of)} groups in all; lower batch_size or supercategories_per_batch"
            )

    def _whole_batches(self, epoch: int) -> Tensor:
        images, when = self._draw(epoch)
        stream = f"super-categories, {self._seed}, epoch {epoch}"
        generator = torch.Generator().manual_seed(seed_of(stream))
        # By super-category, and by time within each.
        order = torch.argsort(when, stable=True)
        order = order[torch.argsort(self._supercategory[order], stable=True)]
        first = self._sizes.cumsum(0) - self._sizes
        number = torch.arange(len(order)) - first[self._supercategory[order]]
        is_whole = number < self._whole[self._supercategory[order]] * self._part
        others = order[~is_whole]
        others = others[torch.randperm(len(others), generator=generator)]
        others = others[: len(others) // self._part * self._part]
        parts = torch.cat([order[is_whole], others]).reshape(-1, self._part)
        shape = (self._batches, len(self._kinds))
        draws = 1 - torch.rand(shape, generator=generator, dtype=torch.float64)  # (0, 1]
        chosen = _deal(self._kinds, self._each, draws.numpy())  # (batches, k)
        return images[parts[torch.from_numpy(chosen)]].reshape(self._batches, -1)


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
