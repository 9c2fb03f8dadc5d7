"""Which images come together in a batch: groups of one landmark, m images each."""

import operator
from collections.abc import Iterator

import torch
from torch import Tensor

from hgld.metrics.arguments import check_tensors
from hgld.training.config import require_whole_groups
from hgld.training.data.loading import seed_of


class LandmarkSampler:
    """Batches of `batch_size / m` groups of m images of one landmark, m = samples_per_landmark.

    In an epoch a landmark of n images gives min(n, max_per_landmark) // m groups, cut from a new
    random order of its images; what is left over waits for another epoch's order. A landmark of
    fewer than m images gives one group, which repeats them in turn (each repetition is augmented
    on its own). The k-th of a landmark's K groups falls at random in the k-th K-th of the epoch,
    so that two of them hardly ever meet in a batch. Groups that fill no batch at the end of the
    epoch are left out. The batches depend on the seed and the epoch alone.

    For `DataLoader(images, batch_sampler=sampler)`; before each epoch, `set_epoch` says which one
    comes.

    Example:
        >>> sampler = LandmarkSampler(
        ...     torch.tensor([907, 31, 907, 31]), batch_size=4, samples_per_landmark=2
        ... )
        >>> [sorted(batch) for batch in sampler]
        [[0, 1, 2, 3]]
    """

    def __init__(
        self,
        landmarks: Tensor,
        *,
        batch_size: int,
        samples_per_landmark: int = 4,
        max_per_landmark: int = 8,
        seed: int = 0,
    ) -> None:
        """Counts the groups of an epoch.

        Args:
            landmarks: (N,) integers, the landmark of each image: raw landmark ids or labels.
            batch_size: images of a batch, a multiple of `samples_per_landmark`.
            samples_per_landmark: images of a group.
            max_per_landmark: most images of a landmark in an epoch.
            seed: of the random order.

        Raises:
            TypeError: landmarks are no tensor of integers.
            ValueError: landmarks are no vector, the batch is no whole number of groups, or there
                are fewer than two landmarks, or too few groups to fill one batch.
        """
        require_whole_groups(batch_size, samples_per_landmark, max_per_landmark)
        check_tensors(landmarks=landmarks)
        kind = landmarks.dtype
        if kind.is_floating_point or kind.is_complex or kind == torch.bool:
            raise TypeError(f"landmarks must be integers, got {kind}; pass the landmark ids")
        if landmarks.ndim != 1:
            raise ValueError(
                f"landmarks must have shape (N,), got {tuple(landmarks.shape)}; of labels (N, L) "
                f"pass the finest level, labels[:, 0]"
            )
        # In the order of their ids, so that ids that are labels stay what they are.
        _, numbers, counts = torch.unique(landmarks, return_inverse=True, return_counts=True)
        if len(counts) < 2:  # noqa: PLR2004 - two is what a comparison takes
            raise ValueError(
                f"training needs images of at least 2 landmarks, got {len(counts)}; "
                f"fetch more tars with `hgld images --split train`"
            )
        self._groups = counts.clamp(max=max_per_landmark).div(
            samples_per_landmark, rounding_mode="floor"
        )  # (landmarks,)
        self._groups.clamp_(min=1)
        self._landmarks, self._counts = numbers, counts
        self._samples, self._groups_per_batch = (
            samples_per_landmark,
            batch_size // samples_per_landmark,
        )
        self._seed, self._epoch = seed, 0
        if not len(self):
            most = int(self._groups.sum()) * samples_per_landmark
            raise ValueError(
                f"batch_size must be at most {most}, which is what an epoch of {len(counts)} "
                f"landmarks gives, got {batch_size}; make it smaller or fetch more images"
            )

    def __len__(self) -> int:
        """Returns the number of batches in an epoch, the same for every epoch."""
        return int(self._groups.sum()) // self._groups_per_batch

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, 0-based, whose batches iteration gives; 0 at first.

        Raises:
            TypeError: no whole number.
            ValueError: a negative one.
        """
        self._epoch = _epoch_number(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the indices of the images of each batch of the current epoch."""
        yield from self.epoch(self._epoch).tolist()

    def epoch(self, epoch: int) -> Tensor:
        """Returns the batches of an epoch.

        Args:
            epoch: 0-based.

        Returns:
            (batches, batch_size) int64, indices of images; the m images of a group stand side by
            side.

        Raises:
            TypeError: no whole number.
            ValueError: a negative one.
        """
        stream = f"order, {self._seed}, epoch {_epoch_number(epoch)}"
        generator = torch.Generator().manual_seed(seed_of(stream))
        shuffled = torch.randperm(len(self._landmarks), generator=generator)
        # Images by landmark, in random order within each: those of l start at `starts[l]`.
        by_landmark = shuffled[torch.argsort(self._landmarks[shuffled], stable=True)]
        starts = self._counts.cumsum(0) - self._counts

        landmark = torch.repeat_interleave(self._groups)  # (groups,), landmark of each group
        first_group = self._groups.cumsum(0) - self._groups
        number = torch.arange(len(landmark)) - first_group[landmark]  # 0-based within landmark
        place = number[:, None] * self._samples + torch.arange(self._samples)
        place = place % self._counts[landmark, None]  # wraps only where images are too few
        groups = by_landmark[starts[landmark, None] + place]  # (groups, m)

        jitter = torch.rand(len(landmark), generator=generator, dtype=torch.float64)
        when = (number + jitter) / self._groups[landmark]  # in [0, 1)
        batches = len(self)
        chosen = torch.argsort(when, stable=True)[: batches * self._groups_per_batch]
        return groups[chosen].reshape(batches, -1)


def _epoch_number(epoch: int) -> int:
    # It is written into the name of the order's random numbers, in which 1.0 would not be 1.
    try:
        number = int(operator.index(epoch))
    except TypeError as error:
        raise TypeError(f"epoch must be a whole number, got {epoch!r}") from error
    if number < 0:
        raise ValueError(f"epoch must be 0 or more, got {epoch}; the first is 0")
    return number
