"""What there is to make of an index: its shards, which are there, and what can be taken over."""

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.files import atomic_file, write_text, writing
from hgld.errors import DamagedError
from hgld.training.index.config import IndexConfig
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.shards import (
    FAILED,
    EmbeddingRecipe,
    IndexShard,
    check_index_shard,
    shard_key,
)

logger = logging.getLogger(__name__)

NEXT = ".next"
"""Folder in that of an index: what is being made, until it is whole."""
_AGAIN = "-again"
_FILES = "embeddings-*-of-*.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """A shard, and the rows it is of."""

    number: int
    start: int
    stop: int
    key: str

    def path(self, folder: Path) -> Path:
        """Returns where it is made, in the folder of its index."""
        return folder / NEXT / f"{self.key[:32]}.parquet"

    def lock(self, folder: Path) -> Path:
        """Returns what whoever makes it claims."""
        return folder / NEXT / f"{self.key[:32]}.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPlan:
    """All that a process needs to know to make shards of an index."""

    folder: Path
    """Of the index."""
    run: Path
    """Folder or file of the model."""
    source: PictureSource
    recipe: EmbeddingRecipe
    config: IndexConfig
    tasks: tuple[ShardTask, ...]
    """The shards that are not there yet."""
    earlier: tuple[Path, ...]
    """Files whose embeddings can be taken over."""
    rows: pa.Table
    """Of all pictures: `LISTING_SCHEMA`, and what `with_earlier` adds."""

    def save(self) -> None:
        """Writes it down for other processes.

        Raises:
            InputError: there is no room, or the file system refuses.
        """
        path = self.folder / NEXT / "plan"
        values = {
            "run": str(self.run),
            "source": {"folder": str(self.source.folder), "split": self.source.split},
            "recipe": dataclasses.asdict(self.recipe),
            "config": dataclasses.asdict(self.config),
            "tasks": [dataclasses.asdict(task) for task in self.tasks],
            "earlier": [str(file.resolve()) for file in self.earlier],
        }
        with (
            writing(path),
            atomic_file(path.with_suffix(".arrow")) as temporary,
            pa.ipc.new_file(temporary, self.rows.schema) as file,
        ):
            file.write_table(self.rows)
        with writing(path):
            write_text(path.with_suffix(".json"), json.dumps(values))

    def to_embed(self) -> int:
        """Returns how many pictures of its tasks have no embedding that could be taken over."""
        new = pc.and_(pc.is_null(self.rows["earlier_file"]), pc.is_null(self.rows["error"]))
        is_new = new.to_numpy()
        return int(sum(is_new[task.start : task.stop].sum() for task in self.tasks))


def load_plan(folder: Path) -> IndexPlan:
    """Reads the plan of an index that is being made."""
    path = folder / NEXT / "plan"
    values = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    source = values["source"]
    return IndexPlan(
        folder=folder,
        run=Path(values["run"]),
        source=PictureSource(folder=Path(source["folder"]), split=source["split"]),
        recipe=EmbeddingRecipe(**values["recipe"]),
        config=IndexConfig(**values["config"]),
        tasks=tuple(ShardTask(**task) for task in values["tasks"]),
        earlier=tuple(map(Path, values["earlier"])),
        # Mapped: processes of one machine share it.
        rows=pa.ipc.open_file(pa.memory_map(str(path.with_suffix(".arrow")))).read_all(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardsThere:
    """What lies in the folder of an index."""

    whole: dict[str, IndexShard]
    """Key to shard; of two with one key, that with fewer rows to try again."""
    damaged: tuple[Path, ...]


def look_at(folder: Path) -> ShardsThere:
    """Reads every shard in the folder of an index, finished or being made.

    One that is damaged is named in the log.
    """
    whole: dict[str, IndexShard] = {}
    damaged = []
    for path in (*sorted(folder.glob(_FILES)), *sorted((folder / NEXT).glob("*.parquet"))):
        try:
            shard = check_index_shard(path)
        except DamagedError as error:
            logger.warning("%s: embedding its pictures again", error)
            damaged.append(path)
            continue
        before = whole.get(shard.key)
        if before is None or shard.failed <= before.failed:
            whole[shard.key] = shard
    return ShardsThere(whole=whole, damaged=tuple(damaged))


def shard_tasks(recipe: EmbeddingRecipe, rows: pa.Table, config: IndexConfig) -> list[ShardTask]:
    """Cuts listed pictures into shards, the last of which may have fewer."""
    size = config.shard_images
    if config.shards is not None:
        size = -(-len(rows) // config.shards)
    return [
        ShardTask(
            number=number,
            start=start,
            stop=min(start + size, len(rows)),
            key=shard_key(recipe, rows.slice(start, size)),
        )
        for number, start in enumerate(range(0, len(rows), size))
    ]


def is_made(task: ShardTask, standing: ShardsThere) -> bool:
    """Says whether a shard is there, with nothing in it to try again."""
    shard = standing.whole.get(task.key)
    return shard is not None and not shard.failed


def clear_for_work(folder: Path, standing: ShardsThere) -> ShardsThere:
    """Removes what is damaged of what was being made, and puts aside what is tried again.

    After it a shard that lies where a task makes it is made.

    Raises:
        InputError: the file system refuses.
    """
    making = folder / NEXT
    whole = dict(standing.whole)
    with writing(making):
        for path in standing.damaged:
            if path.parent == making:
                path.unlink()
        for key, shard in standing.whole.items():
            if shard.failed and shard.path.parent == making:
                aside = shard.path.with_name(f"{key[:32]}{_AGAIN}.parquet")
                shard.path.replace(aside)
                whole[key] = dataclasses.replace(shard, path=aside)
    return dataclasses.replace(standing, whole=whole)


def with_earlier(
    rows: pa.Table, recipe: EmbeddingRecipe, standing: ShardsThere, source: PictureSource
) -> tuple[pa.Table, tuple[Path, ...]]:
    """Finds which pictures have an embedding already: by this recipe, under their names.

    Args:
        rows: the listed pictures.
        recipe: of the index.
        standing: what lies in its folder.
        source: of the pictures.

    Returns:
        The rows, and the files of the embeddings. Further columns say which file (null where the
        picture is new or another one), which row of it, and the SHA-256 that the picture has to
        have, where its file was touched and may still be the same.
    """
    mine = [shard for shard in standing.whole.values() if shard.recipe == recipe.digest()]
    files = tuple(shard.path for shard in mine)
    tables = [_usable_rows(path, number) for number, path in enumerate(files)]
    nothing = {name: pa.nulls(len(rows), kind) for name, kind in _EARLIER.items()}
    if not any(map(len, tables)):
        return _appended(rows, nothing), files
    earlier = pa.concat_tables(tables).combine_chunks()
    at = pc.index_in(rows["image_id"], value_set=earlier["image_id"].combine_chunks())
    found = earlier.take(at.combine_chunks())
    same_size = pc.equal(found["size_bytes"], rows["size_bytes"])
    same_time = pc.equal(found["modified_ns"], rows["modified_ns"])
    if source.split:
        is_same = pc.equal(found["sha256"], rows["sha256"])
        digest = nothing["earlier_sha256"]
    else:
        is_same = same_size
        digest = pc.if_else(same_time, pa.scalar(None, pa.string()), found["sha256"])
    is_same = pc.fill_null(is_same, False)
    columns = {"earlier_file": found["file"], "earlier_row": found["row"], "earlier_sha256": digest}
    kept = {
        name: pc.if_else(is_same, column, pa.scalar(None, _EARLIER[name]))
        for name, column in columns.items()
    }
    return _appended(rows, kept), files


_EARLIER = {"earlier_file": pa.int32(), "earlier_row": pa.int32(), "earlier_sha256": pa.string()}


def _usable_rows(path: Path, number: int) -> pa.Table:
    """Returns what is known of the rows of a shard that need not be tried again."""
    columns = ["image_id", "size_bytes", "modified_ns", "sha256", "status"]
    table = pq.read_table(path, columns=columns, partitioning=None)
    places = pa.array(np.arange(len(table), dtype=np.int32))
    table = table.append_column("row", places)
    table = table.append_column("file", pa.array(np.full(len(table), number, np.int32)))
    known = pc.and_(pc.not_equal(table["status"], FAILED), pc.is_valid(table["sha256"]))
    return table.filter(known).drop_columns("status").replace_schema_metadata()


def _appended(rows: pa.Table, columns: dict[str, pa.Array]) -> pa.Table:
    for name, column in columns.items():
        rows = rows.append_column(name, column)
    return rows
