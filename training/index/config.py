"""The settings of an index of pictures; light to import."""

from dataclasses import dataclass
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.training.model.config import Precision, require_whole_number

IndexNumbers = Literal["float32", "float16"]
IndexEngine = Literal["processes", "ray"]

SHARD_IMAGES = 8192
"""Pictures of a shard: minutes of work on a CPU, and 64 MB at 2,048 dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """Settings of `hgld index`. Only `precision` and `numbers` change what is kept."""

    shard_images: int = setting(SHARD_IMAGES, "Pictures of a shard.")
    shards: int | None = setting(None, "How many shards instead, of equal size.")
    nproc: int = setting(1, "Processes that embed, each on a GPU of its own where there are.")
    engine: IndexEngine = setting("processes", "What runs them: processes here, or Ray Data.")
    workers: int = setting(
        4, "Processes that read pictures for each of them, at most one a core; 0: none."
    )
    batch_size: int = setting(64, "Pictures at a time.")
    precision: Precision = setting("float32", "Number format of the forward pass.")
    numbers: IndexNumbers = setting("float32", "Number format of what is kept.")
    device: str = setting("auto", "Such as cpu or cuda:0; auto: the GPUs where there are any.")

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        check_settings(self)
        for field in ("shard_images", "nproc", "batch_size"):
            require_whole_number(field, getattr(self, field))
        require_whole_number("workers", self.workers, or_zero=True)
        if self.shards is not None:
            require_whole_number("shards", self.shards)
