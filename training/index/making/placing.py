"""What was made takes the place of an index: all of it is there, then `index.json` says so."""

import hashlib
import io
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from hgld.engine.files import FileRecord, atomic_file, record_file, write_text, writing
from hgld.errors import DamagedError, MissingInputError
from hgld.training.index.folder import (
    ARRAY_FILE,
    INDEX_FILE,
    EmbeddedIndex,
    ShardFile,
    read_embedded_index,
)
from hgld.training.index.making.plan import NEXT, IndexPlan, ShardTask
from hgld.training.index.making.shards import (
    EmbeddingRecipe,
    IndexShard,
    check_index_shard,
    embeddings_of,
    index_shard_name,
)

logger = logging.getLogger(__name__)

_OURS = "embeddings-*-of-*.parquet"


def standing_index(folder: Path) -> EmbeddedIndex | None:
    """Returns the index that stands in a folder, or None where none does, or a damaged one.

    Raises:
        InputError: a later version of this program wrote it.
    """
    try:
        return read_embedded_index(folder)
    except MissingInputError:
        return None
    except DamagedError as error:
        logger.warning("%s", error)
        return None


def array_is_whole(index: EmbeddedIndex) -> bool:
    """Says whether the array of an index is as it was written; where not, the log names it."""
    path = index.folder / ARRAY_FILE
    if path.is_file() and record_file(path) == index.array:
        return True
    logger.warning("%s is not what was written: making it again from the shards", path)
    return False


def place_index(
    plan: IndexPlan, tasks: Sequence[ShardTask], standing: Mapping[str, IndexShard]
) -> EmbeddedIndex:
    """Puts shards and array in their places, and `index.json` last.

    Args:
        plan: what was made.
        tasks: every shard of the index, in order.
        standing: key to shard, of those that were there before.

    Returns:
        The index that stands now.

    Raises:
        DamagedError: a shard that was just made is not as it was written.
        InputError: there is no room, or the file system refuses.
    """
    folder = plan.folder
    made = {task.key: check_index_shard(task.path(folder)) for task in plan.tasks}
    whole = {**standing, **made}
    shards = [whole[task.key] for task in tasks]
    making = folder / NEXT
    with writing(making):
        making.mkdir(parents=True, exist_ok=True)
        array = _write_array(making / ARRAY_FILE, shards, plan.recipe)
        # From here on, until it is written again, there is no index: search says so.
        (folder / INDEX_FILE).unlink(missing_ok=True)
        files = _moved(folder, shards)
        (making / ARRAY_FILE).replace(folder / ARRAY_FILE)
        index = _index(plan, files, array)
        write_text(folder / INDEX_FILE, index.text())
        shutil.rmtree(making)
    return index


def _moved(folder: Path, shards: Sequence[IndexShard]) -> list[ShardFile]:
    """Moves shards to where they belong, and removes those that are no part of it any more."""
    count = len(shards)
    names = [index_shard_name(number, count) for number in range(count)]
    # Two steps, as one may have to go where another still lies; at each a shard is found again.
    placed = {}
    for shard, name in zip(shards, names, strict=True):
        if shard.path != folder / name:
            placed[name] = shard.path.replace(folder / NEXT / f"placed-{name}")
    for path in folder.glob(_OURS):
        if path.name not in names or path.name in placed:
            path.unlink()
    for name, path in placed.items():
        path.replace(folder / name)
    return [
        ShardFile(
            name=name,
            key=shard.key,
            rows=shard.rows,
            ok=shard.ok,
            bad=shard.bad,
            record=record_file(folder / name),
        )
        for shard, name in zip(shards, names, strict=True)
    ]


def _write_array(path: Path, shards: Sequence[IndexShard], recipe: EmbeddingRecipe) -> FileRecord:
    """Writes the vectors of shards one after the other, as numpy's own files have them."""
    kind = np.dtype(recipe.numbers)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head,
        {
            "descr": np.lib.format.dtype_to_descr(kind),
            "fortran_order": False,
            "shape": (sum(shard.ok for shard in shards), recipe.dimensions),
        },
    )
    hasher = hashlib.sha256(head.getvalue())
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        file.write(head.getvalue())
        for shard in shards:
            rows = pq.read_table(shard.path, columns=["status", "embedding"], partitioning=None)
            values = np.ascontiguousarray(embeddings_of(rows), kind)
            hasher.update(values.data)
            file.write(values.data)
        size = file.tell()
    return FileRecord(size, hasher.hexdigest())


def _index(plan: IndexPlan, files: Sequence[ShardFile], array: FileRecord) -> EmbeddedIndex:
    recipe = plan.recipe
    return EmbeddedIndex(
        folder=plan.folder,
        source=plan.source.folder,
        split=plan.source.split,
        run=plan.run,
        model=recipe.model,
        image_size=recipe.image_size,
        precision=recipe.precision,
        numbers=recipe.numbers,
        dimensions=recipe.dimensions,
        shards=tuple(files),
        array=array,
    )
