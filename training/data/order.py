"""The order of batches: by epoch, shared out among ranks, gone on with in the middle."""

import hashlib
import json
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from torch import Tensor
from torch.utils.data import Sampler

from hgld.training.data.config import SamplerConfig
from hgld.training.data.groups import LandmarkGroups


class BatchOrder(Sampler[list[int]], ABC):
    """The batches of an epoch, or one rank's share of each; begun in the middle where asked for.

    For `DataLoader(images, batch_sampler=order)`; before each epoch, `set_epoch` says which one
    comes. The batches depend on the settings, the seed and the epoch alone, so that nothing but two
    numbers has to be kept to go on: the epoch, and how many of its batches are done.

    In a program of one's own, `state_dict` says after each step what a checkpoint has to hold:

        sampler.load_state_dict(kept)  # where there is a checkpoint
        for epoch in range(sampler.current_epoch, epochs):
            if epoch > sampler.current_epoch:
                sampler.set_epoch(epoch)
            for done, batch in enumerate(loader, start=1):
                ...
                kept = sampler.state_dict(batches_done=done)

    Of a batch of B images each of R ranks has B / R that stand side by side, whole groups: those of
    all ranks, one after the other, are the batch of one process.
    """

    def __init__(
        self,
        groups: LandmarkGroups,
        config: SamplerConfig,
        *,
        batch_size: int,
        seed: int,
        share: tuple[int, int],
    ) -> None:
        """Takes what is drawn from, and of how many ranks this is which.

        Args:
            groups: of an epoch.
            config: how they are drawn.
            batch_size: images of a batch of all ranks together.
            seed: of the random order.
            share: rank, from 0, and the number of ranks.

        Raises:
            ValueError: a rank's share is no whole number of groups.
        """
        self._groups, self._config = groups, config
        self._batch_size, self._seed = int(batch_size), seed
        self._rank, self._world_size = _checked_share(share, batch_size, groups.samples)
        self._epoch = self._start = 0

    @property
    def left_out_landmarks(self) -> int:
        """Landmarks of fewer than m images that no epoch has: all of these, or none."""
        return self._groups.left_out_landmarks

    @property
    def waiting_groups(self) -> int:
        """Groups of an epoch that fill no batch, others each epoch."""
        return len(self._groups) - len(self) * self._batch_size // self._groups.samples

    @property
    def left_out_images(self) -> int:
        """The images of these landmarks."""
        return self._groups.left_out_images

    @abstractmethod
    def __len__(self) -> int:
        """Returns the number of batches in an epoch, the same for every epoch."""

    @abstractmethod
    def _whole_batches(self, epoch: int) -> Tensor:
        """Returns the batches of all ranks, (batches, batch_size) int64."""

    @property
    def current_epoch(self) -> int:
        """The epoch whose batches iteration gives, 0-based."""
        return self._epoch

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Chooses the epoch, 0-based, whose batches iteration gives; 0 at first.

        Args:
            epoch: which one.
            start_batch: batches of it that are done already, and are not given again.

        Raises:
            TypeError: no whole numbers.
            ValueError: negative ones, or more batches than an epoch has.
        """
        epoch, start_batch = _whole("epoch", epoch), _whole("start_batch", start_batch)
        if start_batch > len(self):
            raise ValueError(
                f"start_batch must be at most {len(self)}, the batches of an epoch, "
                f"got {start_batch}"
            )
        self._epoch, self._start = epoch, start_batch

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the indices of the images of each batch of the current epoch."""
        yield from self.epoch(self._epoch)[self._start :].tolist()

    def epoch(self, epoch: int) -> Tensor:
        """Returns the batches of an epoch, or this rank's share of each.

        Args:
            epoch: 0-based.

        Returns:
            (batches, batch_size / ranks) int64, indices of images; the m images of a group stand
            side by side.

        Raises:
            TypeError: no whole number.
            ValueError: a negative one.
        """
        batches = self._whole_batches(_whole("epoch", epoch))
        return batches.chunk(self._world_size, dim=1)[self._rank]

    def positions(self, batch: int) -> range:
        """Returns the positions in the epoch of a batch's images, or of this rank's of them.

        The same image at the same position has the same random numbers, whatever the number of
        ranks.
        """
        width = self._batch_size // self._world_size
        first = batch * self._batch_size + self._rank * width
        return range(first, first + width)

    def state_dict(self, batches_done: int = 0) -> dict[str, object]:
        """Returns what to keep in order to go on after some batches of the current epoch.

        Args:
            batches_done: batches that were trained on since the iteration began. It has to be
                said: a loader has asked for more of them than it has given.
        """
        epochs, start = divmod(self._start + _whole("batches_done", batches_done), len(self))
        return {"epoch": self._epoch + epochs, "start_batch": start, "order": self._digest()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Goes on where `state_dict` was taken.

        Raises:
            ValueError: it is of other images, settings or another seed, or no such state.
        """
        try:
            epoch, start, order = (state[name] for name in ("epoch", "start_batch", "order"))
        except (LookupError, TypeError) as error:
            raise ValueError(
                f"state must be what state_dict() returned, got {state!r:.100}"
            ) from error
        if order != self._digest():
            raise ValueError(
                "state must be of the same images, labels, batch size, settings and seed, got one "
                "of others; make the sampler as it was, or start anew with set_epoch"
            )
        self.set_epoch(epoch, start)  # type: ignore[arg-type]  # which is what it checks

    def _digest(self) -> str:
        """Returns the digest of what decides the batches of all ranks."""
        parts = [type(self).__name__, self._batch_size, str(self._seed), asdict(self._config)]
        return hashlib.sha256(json.dumps([*parts, self._groups.digest()]).encode()).hexdigest()


def _checked_share(share: tuple[int, int], batch_size: int, samples: int) -> tuple[int, int]:
    rank, world_size = _whole("rank", share[0]), _whole("world_size", share[1])
    if not rank < world_size:
        raise ValueError(f"rank must be from 0 to world_size - 1, got {rank} of {world_size}")
    if batch_size % (samples * world_size):
        raise ValueError(
            f"batch_size must be a multiple of samples_per_landmark x world_size "
            f"({samples} x {world_size}), so that each rank has whole groups; got {batch_size}"
        )
    return rank, world_size


def _whole(name: str, value: object) -> int:
    # An epoch is written into the name of the order's random numbers, in which 1.0 would not be 1.
    try:
        number = int(operator.index(value))  # type: ignore[arg-type]  # which is what it checks
    except TypeError as error:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from error
    if number < 0:
        what = "; the first is 0" if name == "epoch" else ""
        raise ValueError(f"{name} must be 0 or more, got {value}{what}")
    return number
