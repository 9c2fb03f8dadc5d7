"""Which images come together in a batch: groups of one landmark, m images each."""

import torch
from torch import Tensor

from hgld.training.data.config import (
    Few,
    PerLandmark,
    PerSuperCategory,
    SamplerConfig,
    require_whole_groups,
)
from hgld.training.data.groups import LandmarkGroups
from hgld.training.data.order import BatchOrder
from hgld.training.data.supercategories import SuperCategorySampler


class LandmarkSampler(BatchOrder):
    """Batches of `batch_size / m` groups of m images of one landmark, m = samples_per_landmark.

    How a landmark gives groups, and when they come, is said in `LandmarkGroups`. Groups that fill
    no batch at the end of the epoch are left out. The batches depend on the seed and the epoch
    alone.

    For `DataLoader(images, batch_sampler=sampler)`; before each epoch, `set_epoch` says which one
    comes, and where in it to begin.

    Example:
        >>> sampler = LandmarkSampler(
        ...     torch.tensor([907, 31, 907, 31]), batch_size=4, samples_per_landmark=2
        ... )
        >>> [sorted(batch) for batch in sampler]
        [[0, 1, 2, 3]]
    """

    def __init__(  # noqa: PLR0913 - what a batch is made of, and torch's rank and world_size
        self,
        landmarks: Tensor,
        *,
        batch_size: int,
        samples_per_landmark: int = 4,
        max_per_landmark: int = 8,
        few: Few = "repeat",
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Counts the groups of an epoch.

        Args:
            landmarks: (N,) integers, the landmark of each image: raw landmark ids or labels.
            batch_size: images of a batch of all ranks together, a multiple of
                `samples_per_landmark`.
            samples_per_landmark: images of a group.
            max_per_landmark: most images of a landmark in an epoch.
            few: whether a landmark of fewer than `samples_per_landmark` images repeats them, or
                is dropped.
            seed: of the random order.
            rank: which of the processes this is, from 0.
            world_size: number of processes that share each batch.

        Raises:
            TypeError: landmarks are no tensor of integers.
            ValueError: landmarks are no vector, the batch or a rank's share of it is no whole
                number of groups, or there are fewer than two landmarks, or too few groups to fill
                one batch.
        """
        require_whole_groups(batch_size, samples_per_landmark, max_per_landmark)
        config = PerLandmark(
            samples_per_landmark=int(samples_per_landmark),
            max_per_landmark=int(max_per_landmark),
            few=few,
        )
        groups = LandmarkGroups(landmarks, config)
        share = (rank, world_size)
        super().__init__(groups, config, batch_size=batch_size, seed=seed, share=share)
        if not len(self):
            raise ValueError(
                f"batch_size must be at most {len(groups) * groups.samples}, which is what an "
                f"epoch of {groups.landmarks} landmarks gives, got {batch_size}; "
                f"make it smaller or fetch more images"
            )

    def __len__(self) -> int:
        """Returns the number of batches in an epoch, the same for every epoch."""
        return len(self._groups) * self._groups.samples // self._batch_size

    def _whole_batches(self, epoch: int) -> Tensor:
        images, when = self._groups.draw(self._seed, epoch)
        used = len(self) * self._batch_size // self._groups.samples
        chosen = torch.argsort(when, stable=True)[:used]
        return images[chosen].reshape(len(self), -1)


def make_sampler(
    labels: Tensor,
    config: SamplerConfig,
    *,
    batch_size: int,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> BatchOrder:
    """Returns the sampler that settings describe; see its class for what is refused.

    Args:
        labels: (N, L) integers, the landmark first.
        config: tells by its class which one.
        batch_size: images of a batch of all ranks together.
        seed: of the random order.
        rank: which of the processes this is, from 0.
        world_size: number of processes that share each batch.
    """
    match config:
        case PerLandmark():
            return LandmarkSampler(
                labels[:, 0],
                batch_size=batch_size,
                samples_per_landmark=config.samples_per_landmark,
                max_per_landmark=config.max_per_landmark,
                few=config.few,
                seed=seed,
                rank=rank,
                world_size=world_size,
            )
        case PerSuperCategory():
            return SuperCategorySampler(
                labels, config, batch_size=batch_size, seed=seed, rank=rank, world_size=world_size
            )
