"""Shards of an index made, by however many processes: each by one, and each once."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.errors import InputError
from hgld.training.index.embeddings import model_digest
from hgld.training.index.making.claims import claimed
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.plan import IndexPlan, ShardTask
from hgld.training.index.making.reading import (
    EmbeddedPictures,
    ListedPicture,
    PictureEmbedder,
    PicturesTold,
    picture_digest,
)
from hgld.training.index.making.shards import (
    BAD,
    OK,
    embedding_column,
    write_index_shard,
)
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import load_model

_WAIT_S = 0.2

ShardTold = Callable[[int, int, int], None]
"""Called with the number of a shard, and how many of its pictures have been read and failed."""


@dataclass(frozen=True, slots=True)
class ShardMaker:
    """What makes the shards of a plan, with a model on a device."""

    plan: IndexPlan
    embedder: PictureEmbedder

    def make(self, task: ShardTask, told: PicturesTold) -> None:
        """Makes a shard: takes over what is unchanged, and embeds the rest.

        Raises:
            InputError: not enough memory, no room, or a process that reads was killed.
        """
        rows = self.plan.rows.slice(task.start, task.stop - task.start)
        found = _Found(rows, self.plan.recipe.dimensions)
        found.take_over(self.plan)
        left = [place for place, status in enumerate(found.statuses) if not status]
        listed = [_listed(rows, place) for place in left]
        if listed:
            found.put(left, self.embedder.embed(self.plan.source, listed, told))
        table = found.table(self.plan.recipe.schema())
        write_index_shard(task.path(self.plan.folder), task.key, self.plan.recipe, table)

    def make_one(self, task: ShardTask) -> tuple[int, int]:
        """Makes a shard unless it is there, waiting for whoever makes it meanwhile.

        Returns:
            How many pictures were embedded for it here, and how many of them came to nothing.
        """
        last = (0, 0)

        def note(_: int, done: int, problems: int) -> None:
            nonlocal last
            last = (done, problems)

        while not self._made(task, note):
            time.sleep(_WAIT_S)
        return last

    def make_all(self, told: ShardTold) -> None:
        """Makes every shard that nobody else has made or is making, until all are there.

        One that is being made is waited for: where its process is killed, it is made here.
        """
        left = list(self.plan.tasks)
        while left:
            busy = [task for task in left if not self._made(task, told)]
            if len(busy) == len(left):
                time.sleep(_WAIT_S)
            left = busy

    def _made(self, task: ShardTask, told: ShardTold) -> bool:
        """Makes a shard unless it is there; says whether it is, now."""
        path = task.path(self.plan.folder)
        if path.exists():
            return True
        with claimed(task.lock(self.plan.folder)) as is_mine:
            if not is_mine:
                return False
            if not path.exists():
                self.make(task, _counting(task.number, told))
            return True


def shard_maker(plan: IndexPlan, model: EmbeddingModel | None, device: str) -> ShardMaker:
    """Returns what makes the shards of a plan here.

    Args:
        plan: what there is to make.
        model: that of its run; None: it is read.
        device: where it runs.

    Raises:
        InputError: the model cannot be read, is another one by now, or finds no device.
        DamagedError: its file is not as it was written.
    """
    if model is None:
        model = load_model(plan.run)
        if model_digest(model) != plan.recipe.model:
            raise InputError(f"{plan.run} was trained again meanwhile; run the same command again")
    embedder = PictureEmbedder(model, plan.config, image_size=plan.recipe.image_size, device=device)
    return ShardMaker(plan, embedder)


def told_on_stdout(shard: int, done: int, problems: int) -> None:
    """Tells another process how far a shard is, in a line."""
    sys.stdout.write(json.dumps([shard, done, problems]) + "\n")
    sys.stdout.flush()


def _counting(shard: int, told: ShardTold) -> PicturesTold:
    done = failed = 0

    def count(steps: int, problems: int) -> None:
        nonlocal done, failed
        done, failed = done + steps, failed + problems
        told(shard, done, failed)

    return count


def _listed(rows: pa.Table, place: int) -> ListedPicture:
    return ListedPicture(
        path=rows["path"][place].as_py(),
        size_bytes=rows["size_bytes"][place].as_py() or 0,
        sha256=rows["sha256"][place].as_py() or "",
    )


class _Found:
    """What is known of the pictures of a shard; a status is empty while nothing is."""

    def __init__(self, rows: pa.Table, dimensions: int) -> None:
        self._rows = rows
        self.statuses = [BAD if error else "" for error in rows["error"].to_pylist()]
        self._errors = [error or "" for error in rows["error"].to_pylist()]
        self._sha256s = [sha256 or "" for sha256 in rows["sha256"].to_pylist()]
        self._vectors = np.zeros((len(rows), dimensions), np.float32)

    def take_over(self, plan: IndexPlan) -> None:
        """Takes embeddings from earlier files, of pictures that are what they were."""
        files = self._rows["earlier_file"].fill_null(-1).to_numpy()
        for number in np.unique(files[files >= 0]).tolist():
            places = np.flatnonzero(files == number)
            at = self._rows["earlier_row"].take(pa.array(places))
            earlier = pq.read_table(plan.earlier[number], partitioning=None).take(at)
            self._take(plan.source, places, earlier)

    def put(self, places: list[int], found: EmbeddedPictures) -> None:
        """Takes what became of the pictures at some places."""
        self._vectors[places] = found.vectors
        for place, sha256, status, error in zip(
            places, found.sha256s, found.statuses, found.errors, strict=True
        ):
            self.statuses[place], self._errors[place] = status, error
            self._sha256s[place] = sha256

    def table(self, schema: pa.Schema) -> pa.Table:
        """Returns the rows of the shard."""
        is_ok = np.array([status == OK for status in self.statuses])
        kept = self._rows.select(["image_id", "path", "size_bytes", "modified_ns"])
        more = {
            "sha256": pa.array([sha256 or None for sha256 in self._sha256s], pa.string()),
            "status": pa.array(self.statuses, pa.string()),
            "error": pa.array([error or None for error in self._errors], pa.string()),
            "embedding": embedding_column(self._vectors, is_ok, schema.field("embedding").type),
        }
        for name, column in more.items():
            kept = kept.append_column(name, column)
        return kept.select(schema.names).cast(schema)

    def _take(self, source: PictureSource, places: NDArray[np.intp], earlier: pa.Table) -> None:
        vectors = earlier["embedding"].combine_chunks()
        for number, place in enumerate(map(int, places)):
            path, digest = (self._rows[name][place].as_py() for name in ("path", "earlier_sha256"))
            if self.statuses[place] or (digest and not _has_digest(source, path, digest)):
                continue
            status, error, sha256 = (earlier[name][number].as_py() for name in _TAKEN)
            self.statuses[place], self._errors[place] = status, error or ""
            self._sha256s[place] = sha256
            if status == OK:
                self._vectors[place] = vectors[number].values.to_numpy(zero_copy_only=False)


_TAKEN = ("status", "error", "sha256")


def _has_digest(source: PictureSource, path: str, sha256: str) -> bool:
    """Says whether a file that was touched is still the same; one that cannot be read is not."""
    try:
        return picture_digest(source, path) == sha256
    except InputError:  # its row will say so
        return False
