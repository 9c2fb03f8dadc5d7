"""The groups of an epoch: m images of one landmark each."""

import hashlib

import torch
from torch import Tensor

from hgld.metrics.arguments import check_tensors
from hgld.training.data.config import SamplerConfig
from hgld.training.data.loading import seed_of


class LandmarkGroups:
    """Cuts the images of each landmark into groups of m, in a new random order each epoch.

    In an epoch a landmark of n images gives min(n, max_per_landmark) // m groups; what is left over
    waits for another epoch's order. A landmark of fewer than m images gives one group, which
    repeats them in turn, or none, as `few` says. The k-th of a landmark's K groups falls at random
    in the k-th K-th of the epoch, so that two of them hardly ever meet in a batch.
    """

    def __init__(self, landmarks: Tensor, config: SamplerConfig) -> None:
        """Counts the groups of an epoch.

        Args:
            landmarks: (N,) integers, the landmark of each image: raw landmark ids or labels.
            config: `samples_per_landmark` (m), `max_per_landmark` and `few` count.

        Raises:
            TypeError: landmarks are no tensor of integers.
            ValueError: landmarks are no vector, or fewer than two give groups.
        """
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
        self.samples = config.samples_per_landmark
        groups = counts.clamp(max=config.max_per_landmark).div(self.samples, rounding_mode="floor")
        if config.few == "repeat":
            groups.clamp_(min=1)
        self._landmarks: Tensor = numbers  # (N,)
        self._counts = counts
        self._groups = groups  # (landmarks,)
        self._of = torch.repeat_interleave(groups)  # (groups,), landmark of each
        self.left_out_landmarks = int((groups == 0).sum())
        """Landmarks with fewer than m images, where these are dropped."""
        self.left_out_images = int(counts[groups == 0].sum())
        """Their images."""
        _check_several(counts, self.left_out_landmarks, self.samples)

    def __len__(self) -> int:
        """Returns the number of groups in an epoch, the same for every epoch."""
        return len(self._of)

    @property
    def landmarks(self) -> int:
        """How many there are, with those that are left out."""
        return len(self._counts)

    def digest(self) -> str:
        """Returns the SHA-256, as hex, of which images are of one landmark."""
        return hashlib.sha256(self._landmarks.numpy().tobytes()).hexdigest()

    def landmark(self) -> Tensor:
        """Returns the landmark of each group, (groups,) int64, as its place among their ids."""
        return self._of

    def landmark_of_image(self) -> Tensor:
        """Returns the landmark of each image, (N,) int64, as its place among their ids."""
        return self._landmarks

    def first_image(self) -> Tensor:
        """Returns an image of each landmark, (landmarks,) int64."""
        first = torch.full_like(self._counts, len(self._landmarks))
        images = torch.arange(len(self._landmarks))
        first.scatter_reduce_(0, self._landmarks, images, "amin")
        return first

    def draw(self, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
        """Draws the groups of an epoch.

        Args:
            seed: of the random order.
            epoch: 0-based.

        Returns:
            Images of each group (groups, m) int64, and its time (groups,) float64, from 0 at the
            start of the epoch to 1 at its end.
        """
        generator = torch.Generator().manual_seed(seed_of(f"order, {seed}, epoch {epoch}"))
        shuffled = torch.randperm(len(self._landmarks), generator=generator)
        # Images by landmark, in random order within each: those of l start at `starts[l]`.
        by_landmark = shuffled[torch.argsort(self._landmarks[shuffled], stable=True)]
        starts = self._counts.cumsum(0) - self._counts

        first_group = self._groups.cumsum(0) - self._groups
        number = torch.arange(len(self)) - first_group[self._of]  # 0-based within landmark
        place = number[:, None] * self.samples + torch.arange(self.samples)
        place = place % self._counts[self._of, None]  # wraps only where images are too few
        images = by_landmark[starts[self._of, None] + place]  # (groups, m)

        jitter = torch.rand(len(self), generator=generator, dtype=torch.float64)
        return images, (number + jitter) / self._groups[self._of]


def _check_several(counts: Tensor, left_out: int, samples: int) -> None:
    left = len(counts) - left_out
    if left >= 2:  # noqa: PLR2004 - two is what a comparison takes
        return
    if left_out:
        raise ValueError(
            f"training needs at least 2 landmarks of {samples} images or more "
            f"(samples_per_landmark), got {left} of {len(counts)}; lower samples_per_landmark or "
            f'set few = "repeat"'
        )
    raise ValueError(
        f"training needs images of at least 2 landmarks, got {left}; "
        f"fetch more tars with `hgld images --split train`"
    )
