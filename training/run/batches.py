"""The batches of a run: how many there are, and each process's part of them."""

from collections.abc import Iterator

from torch import Tensor

from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.augment import Augmentation
from hgld.training.data.epochs import AugmentedImages, run_batches
from hgld.training.data.labels import LabelledImages
from hgld.training.data.order import BatchOrder
from hgld.training.data.sampler import make_sampler
from hgld.training.run.state import RunState
from hgld.training.together.ranks import Ranks


def count_steps(images: LabelledImages, config: TrainConfig) -> int:
    """Returns the steps of a whole run.

    Args:
        images: to train on.
        config: of the run.

    Raises:
        InputError: too few images or landmarks for the settings.
    """
    return config.epochs * len(_order_of(images, config, Ranks()))


def batches_of(
    images: LabelledImages, config: TrainConfig, run: RunState
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields this process's part of each batch, without those of the steps that are done.

    Args:
        images: to train on.
        config: of the run.
        run: tells the steps that are done, and which process this is.

    Yields:
        Images (B, 3, S, S) uint8 and labels (B, L) int64.

    Raises:
        InputError: an image cannot be read, or a process that reads them was killed.
        DamagedError: an image is not what was recorded.
    """
    return run_batches(
        AugmentedImages(images, Augmentation(config.augment, config.crop_side), config.seed),
        _order_of(images, config, run.ranks),
        epochs=config.epochs,
        start=run.step,
        workers=config.workers,
    )


def _order_of(images: LabelledImages, config: TrainConfig, ranks: Ranks) -> BatchOrder:
    try:
        return make_sampler(
            images.labels,
            config.drawing,
            batch_size=config.batch_size,
            seed=config.seed,
            rank=ranks.rank,
            world_size=ranks.count,
        )
    except ValueError as error:
        raise InputError(f"[train] {error}") from error
