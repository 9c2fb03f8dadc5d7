"""The images that a benchmark measures on, as a retrieval task that MTEB reads.

MTEB takes a folder, or a repository of the Hugging Face hub, with `corpus`, `queries` and `qrels`.
Its nDCG has the grade of an image as the gain, where `hgld.metrics.ndcg` has 2^l - 1 of the l
levels that it shares: so the grades are these gains, and both are equal where the cut-off k of
`ndcg_at_{k}` is no less than the index.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.files import atomic_file, write_text
from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.metrics.relevance import shared_levels
from hgld.training.data.labels import LabelledImages, query_and_index_images

logger = logging.getLogger(__name__)

_FEATURES = {"id": {"dtype": "string", "_type": "Value"}, "image": {"_type": "Image"}}
_PICTURES = pa.schema(
    {"id": pa.string(), "image": pa.struct({"bytes": pa.binary(), "path": pa.string()})},
    metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)
_GRADES = pa.schema({"query-id": pa.string(), "corpus-id": pa.string(), "score": pa.int32()})
_A_FILE, _AT_ONCE = 10_000, 250
"""Pictures of a file, and how many are in memory."""

_CARD = """---
configs:
{configs}
---
# H-GLDv2 as a retrieval task

{queries:,} queries, {images:,} index images and {grades:,} grades: an image that shares l levels
with the query (natural or human-made, super-category, landmark) has the grade 2^l - 1; what is not
listed shares fewer than {shared_levels}. `mteb_task.py` is the task for MTEB. Each picture is
under its own licence.
"""
_CONFIG = """- config_name: {name}
  data_files:
  - split: test
    path: {name}/*.parquet"""
_TASK = '''"""H-GLDv2 as a task of MTEB: `mteb.evaluate(model, HGLDv2I2IRetrieval())`."""

from pathlib import Path

from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata


class HGLDv2I2IRetrieval(AbsTaskRetrieval):
    """Images graded by the levels that they share with a query: 2^l - 1."""

    metadata = TaskMetadata(
        name="HGLDv2I2IRetrieval",
        description="Retrieve images of the same landmark, and next of its kind.",
        dataset={{"path": str(Path(__file__).parent), "revision": "{revision}"}},
        type="Any2AnyRetrieval",
        category="i2i",
        modalities=["image"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
        reference="https://github.com/elias-ramzi/SupRank",
    )
'''


def export_mteb(workspace: Workspace, folder: Path, *, shared_levels_from: int = 1) -> int:
    """Writes the queries and index images of a build, with graded relevance, for MTEB.

    Pictures and grades are written as they are read: memory does not grow with the index.

    Args:
        workspace: a build with annotations and images.
        folder: a new or empty one, for `corpus/`, `queries/`, `qrels/`, `README.md` and
            `mteb_task.py`.
        shared_levels_from: fewest levels that an image with a grade shares with the query, from 1
            to L. MTEB holds all grades in memory.

    Returns:
        How many grades there are.

    Raises:
        InputError: the folder holds something, there is no such level, or no image is left.
        MissingInputError: annotations or images are not there yet.
        DamagedError: a picture is not as it was recorded.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} must be new or an empty folder; give another one to --mteb")
    queries, index = query_and_index_images(workspace)
    if not 1 <= shared_levels_from <= len(index.levels):
        raise InputError(
            f"shared_levels must be from 1 to {len(index.levels)}, got {shared_levels_from}"
        )
    _write_pictures(folder / "corpus", index)
    _write_pictures(folder / "queries", queries)
    grades = 0
    with (
        atomic_file(folder / "qrels/test-00000.parquet") as path,
        pq.ParquetWriter(path, _GRADES, compression="zstd") as writer,
    ):
        for table in _grades(queries, index, shared_levels_from):
            writer.write_table(table)
            grades += len(table)
    configs = (_CONFIG.format(name=name) for name in ("corpus", "queries", "qrels"))
    counts = {"queries": len(queries), "images": len(index), "grades": grades}
    card = _CARD.format(configs="\n".join(configs), shared_levels=shared_levels_from, **counts)
    write_text(folder / "README.md", card)
    write_text(folder / "mteb_task.py", _TASK.format(revision=_revision(queries, index)))
    told = (f"{count:,}" for count in counts.values())
    logger.info("export: %s: %s queries, %s images, %s grades", folder, *told)
    return grades


def _revision(queries: LabelledImages, index: LabelledImages) -> str:
    """Says which pictures and labels these are: MTEB keeps results by it."""
    parts = [queries.digest(), index.digest(), queries.labels.tolist(), index.labels.tolist()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _grades(queries: LabelledImages, index: LabelledImages, least: int) -> Iterator[pa.Table]:
    """Yields the graded images of each query."""
    for query, image_id in enumerate(queries.image_ids.to_pylist()):
        (level,) = shared_levels(queries.labels[query : query + 1], index.labels)
        found = (level >= least).nonzero()[:, 0].numpy()
        names = index.image_ids.take(pa.array(found))
        gains = pa.array((2 ** level[found] - 1).numpy(), pa.int32())
        yield pa.table([pa.repeat(image_id, len(found)), names, gains], schema=_GRADES)


def _write_pictures(folder: Path, images: LabelledImages) -> None:
    """Writes the files as they are, in several tables."""
    with progress(f"export: {images.split} pictures", len(images)) as advance:
        for start in range(0, len(images), _A_FILE):
            end = min(start + _A_FILE, len(images))
            with (
                atomic_file(folder / f"test-{start // _A_FILE:05}.parquet") as path,
                pq.ParquetWriter(path, _PICTURES, compression="none") as writer,
            ):
                for first in range(start, end, _AT_ONCE):
                    rows = range(first, min(first + _AT_ONCE, end))
                    ids = images.image_ids[rows.start : rows.stop]
                    contents = [
                        {"bytes": images.picture(row).read(), "path": images.path(row).name}
                        for row in rows
                    ]
                    writer.write_table(pa.table({"id": ids, "image": contents}, schema=_PICTURES))
                    advance(len(rows))
