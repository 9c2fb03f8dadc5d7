"""The batches of a whole run, loaded by the same processes from its first epoch to its last."""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hgld.training.data.augment import Augmentation
from hgld.training.data.labels import LabelledImages
from hgld.training.data.loading import loaded, loader_settings
from hgld.training.data.order import BatchOrder

_T = TypeVar("_T")


class RunPlace(NamedTuple):
    """Where an image comes in a run."""

    epoch: int
    position: int
    """In the epoch, of all ranks' images."""
    image: int
    """Its index."""


class AugmentedImages(Dataset[tuple[Tensor, Tensor]]):
    """Augmented images and their labels, asked for by their place in a run.

    The random numbers of an item depend on the seed, the epoch and the position alone, so that a
    run that goes on, or has another number of processes, sees what an undisturbed one would have.
    """

    def __init__(self, images: LabelledImages, augmentation: Augmentation, seed: int) -> None:
        """Takes the images, and what happens to them.

        Args:
            images: N images.
            augmentation: makes them pixels.
            seed: of the random numbers.
        """
        self._images, self._augmentation, self._seed = images, augmentation, seed

    def __getitem__(self, place: RunPlace) -> tuple[Tensor, Tensor]:
        """Returns the image (3, S, S) uint8 and the labels (L,) int64 at a place.

        Raises:
            InputError: the file cannot be read.
            DamagedError: it is not what was recorded.
        """
        stream = f"augmentation, seed {self._seed}, epoch {place.epoch}, position {place.position}"
        pixels = self._augmentation(self._images.picture(place.image), stream)
        return pixels, self._images.labels[place.image]


def run_batches(
    dataset: Dataset[_T],
    order: BatchOrder,
    *,
    epochs: int,
    start: int = 0,
    workers: int = 0,
    prefetch: int = 2,
) -> Iterator[_T]:
    """Loads the batches of all epochs, without those that are done.

    The processes that load stay for all epochs, and are ahead of an epoch's end: nothing waits
    there. They are started when the first batch is asked for.

    Args:
        dataset: its items are asked for by a `RunPlace`; they are tensors or tuples of them.
        order: which images come in which batch; of a rank, its share.
        epochs: of the whole run.
        start: batches of the whole run that are done, those of earlier epochs too.
        workers: processes that load, at most one a core; 0: this process itself.
        prefetch: batches that each of them has ready.

    Yields:
        What an item is, with a batch dimension in front; pinned where there is a GPU.

    Raises:
        InputError: an item cannot be read, or a process that loads was killed.
        DamagedError: an item is not what was recorded.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=_Places(order, epochs, start),
        prefetch_factor=prefetch if workers else None,
        **loader_settings(workers),
    )
    yield from loaded(loader, len(order.positions(0)))


class _Places:
    """The places of each batch from one on, for a loader."""

    def __init__(self, order: BatchOrder, epochs: int, start: int) -> None:
        self._order, self._epochs, self._start = order, epochs, start

    def __iter__(self) -> Iterator[list[RunPlace]]:
        first, done = divmod(self._start, len(self._order))
        for epoch in range(first, self._epochs):
            for number, batch in enumerate(self._order.epoch(epoch)[done:].tolist(), start=done):
                positions = self._order.positions(number)
                yield [RunPlace(epoch, *place) for place in zip(positions, batch, strict=True)]
            done = 0


def move_batch(batch: tuple[Tensor, ...], place: torch.device) -> tuple[Tensor, ...]:
    """Moves a batch to a device; from pinned memory, without waiting for the copy.

    What is computed on the device next waits for it there. On a CPU it is the batch itself.
    """
    return tuple(tensor.to(place, non_blocking=True) for tensor in batch)
