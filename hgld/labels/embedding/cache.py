"""Cached vectors, so that no label is encoded twice by the same model and prompt."""

import hashlib
import io
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.engine.files import atomic_file, file_digest, writing
from hgld.engine.workspace import Damage, Workspace
from hgld.tables.fields import required

logger = logging.getLogger(__name__)

CACHE_FOLDER = "labels/cache"
"""Folder of the cache, relative to the workspace. It may be deleted while nothing runs."""

_VERSION = 1
"""To be raised when the same model gives a text another vector, so that old ones are ignored."""
_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{32}\.parquet")
_SCHEMA = pa.schema(
    [
        required("label", pa.string()),  # replaces {label} in the prompt
        required("embedding", pa.list_(pa.float32())),  # unit norm
    ]
)


@dataclass(frozen=True, slots=True)
class VectorCache:
    """The files `<key>-<digest>.parquet` of one key in a folder: labels and their vectors.

    The digest is that of the file's bytes, so a damaged file is found before it is parsed.
    """

    folder: Path
    key: str
    """From `cache_key`: everything besides the label that the vectors depend on."""

    def read(self, labels: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Returns the cached vectors of labels; a damaged file is logged and removed."""
        wanted = set(labels)
        found: dict[str, NDArray[np.float32]] = {}
        for path in sorted(self.folder.glob(f"{self.key}-*.parquet")):
            if what := _damage(path):
                logger.warning("%s %s; its labels are encoded again", path, what)
                path.unlink()
                continue
            table = pq.read_table(path, partitioning=None)
            vectors = from_lists(table["embedding"])
            for row, label in enumerate(table["label"].to_pylist()):
                if label in wanted:
                    found[label] = vectors[row]
        return found

    def add(self, labels: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Writes the vectors of labels to a new file.

        Args:
            labels: n labels.
            vectors: float32 (n, D), unit norm.

        Raises:
            InputError: the disk is full, or the permission is missing.
        """
        table = pa.table({"label": labels, "embedding": to_lists(vectors)}).cast(_SCHEMA)
        data = io.BytesIO()
        pq.write_table(table, data, compression="zstd", compression_level=3)
        digest = hashlib.sha256(data.getvalue()).hexdigest()
        path = self.folder / f"{self.key}-{digest[:32]}.parquet"
        with writing(path), atomic_file(path) as temporary:
            temporary.write_bytes(data.getvalue())


def cache_key(settings: Mapping[str, object]) -> str:
    """Returns the key of vectors that depend on these settings (JSON values) and a label.

    The key and the stage's settings leave out the version of torch and the device: they change a
    vector by about 1e-7.
    """
    text = json.dumps([_VERSION, dict(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the cache files that changed since they were written."""
    for path in sorted(workspace.path(CACHE_FOLDER).glob("*.parquet")):
        if _NAME.fullmatch(path.name) and (what := _damage(path)):
            yield Damage(path.relative_to(workspace.root).as_posix(), what)


def _damage(path: Path) -> str:
    """Returns what is wrong with a file, or an empty string."""
    is_whole = file_digest(path).startswith(path.stem.rpartition("-")[2])
    return "" if is_whole else "has other bytes than were written"


def to_lists(vectors: NDArray[np.float32]) -> pa.ListArray:
    """Returns the rows of a float32 (n, D) array as an Arrow array of n lists."""
    n, width = vectors.shape
    return pa.ListArray.from_arrays(
        pa.array(range(0, (n + 1) * width, width), pa.int32()), pa.array(vectors.reshape(-1))
    )


def from_lists(lists: pa.ChunkedArray) -> NDArray[np.float32]:
    """Returns n > 0 lists of one length as a float32 (n, D) array."""
    flat = lists.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat.reshape(len(lists), -1), dtype=np.float32)
