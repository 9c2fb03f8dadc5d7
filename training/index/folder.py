"""The folder of an index of pictures: `index.json`, the array, and the rows of the array.

`index.json` is written last, so a folder without one is no index yet. `embeddings.npy` has the
vectors of all pictures whose status is ok, in the order of the shards and of their rows.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.engine.files import FileRecord, record_file
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.training.index.config import IndexConfig

INDEX_FILE = "index.json"
ARRAY_FILE = "embeddings.npy"
INDEX_FORMAT = 1
_DEFAULTS = IndexConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """A shard of an index."""

    name: str
    key: str
    rows: int
    ok: int
    bad: int
    record: FileRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedIndex:
    """What `index.json` says."""

    folder: Path
    source: Path
    """The folder of the pictures, or of the build."""
    split: str
    """Of the build; empty: a folder of pictures."""
    run: Path
    """Of the model."""
    model: str
    """Digest of the model's settings and weights."""
    image_size: int
    precision: str
    numbers: str
    dimensions: int
    shards: tuple[ShardFile, ...]
    array: FileRecord

    def __len__(self) -> int:
        """Returns N, the pictures that have an embedding."""
        return sum(shard.ok for shard in self.shards)

    @property
    def failed(self) -> int:
        """How many pictures the next run tries again."""
        return sum(shard.rows - shard.ok - shard.bad for shard in self.shards)

    def vectors(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Returns a part of the array, (n, D), mapped and not read.

        Raises:
            DamagedError: the array is not as large as it was.
        """
        stop = len(self) if stop is None else stop
        path = self.folder / ARRAY_FILE
        kind = np.dtype(self.numbers)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DamagedError(f"{path} is gone; {self.again()}") from error
        if size != self.array.size:
            raise DamagedError(
                f"{path} has {size:,} bytes, not the {self.array.size:,} that were written; "
                f"{self.again()}"
            )
        width = self.dimensions * kind.itemsize
        head = size - len(self) * width
        if start == stop:
            return np.empty((0, self.dimensions), kind)
        # A copy of what is written to, which nothing is: torch takes no array that is read-only.
        return np.memmap(
            path, kind, "c", offset=head + start * width, shape=(stop - start, self.dimensions)
        )

    def picture_at(self, position: int) -> tuple[str, str]:
        """Returns image id and path of the picture at a row of the array.

        Raises:
            DamagedError: its shard is gone, or has other rows.
        """
        start = 0
        for shard in self.shards:
            if position < start + shard.ok:
                return self._picture_in(shard, position - start)
            start += shard.ok
        raise ValueError(f"position must be below {len(self):,}, got {position:,}")

    def again(self) -> str:
        """Returns what to type so that the index is made again, the same way."""
        words = ["hgld", "index"]
        words += ["--split", self.split, "--root"] if self.split else ["--images"]
        words += [str(self.source), "--run", str(self.run), "--out", str(self.folder)]
        for name in ("precision", "numbers"):
            if getattr(self, name) != getattr(_DEFAULTS, name):
                words += [f"--{name}", getattr(self, name)]
        return f"run `{shlex.join(words)}`"

    def text(self) -> str:
        """Returns it as JSON."""
        values = {
            "format": INDEX_FORMAT,
            "source": {"folder": str(self.source), "split": self.split},
            "model": {"run": str(self.run), "digest": self.model},
            "image_size": self.image_size,
            "precision": self.precision,
            "numbers": self.numbers,
            "N": len(self),
            "D": self.dimensions,
            "counts": self.counts(),
            "array": {"file": ARRAY_FILE, **self.array._asdict()},
            "shards": [
                {
                    "file": one.name,
                    **{name: getattr(one, name) for name in ("key", "rows", "ok", "bad")},
                    **one.record._asdict(),
                }
                for one in self.shards
            ],
        }
        return json.dumps(values, indent=2) + "\n"

    def counts(self) -> dict[str, int]:
        """Returns how many pictures there are, and what became of them."""
        bad = sum(shard.bad for shard in self.shards)
        rows = sum(shard.rows for shard in self.shards)
        return {"pictures": rows, "ok": len(self), "bad": bad, "failed": self.failed}

    def _picture_in(self, shard: ShardFile, row: int) -> tuple[str, str]:
        path = self.folder / shard.name
        try:
            table = pq.read_table(path, columns=["image_id", "path", "status"], partitioning=None)
            ok = table.filter(pc.equal(table["status"], "ok"))
            image_id, place = ok["image_id"][row].as_py(), ok["path"][row].as_py()
        except (OSError, ValueError, LookupError) as error:
            why = str(error).partition("\n")[0]
            raise DamagedError(f"{path} is damaged ({why}); {self.again()}") from error
        if len(ok) != shard.ok:
            raise DamagedError(
                f"{path} has {len(ok):,} embeddings, not {shard.ok:,}; {self.again()}"
            )
        return image_id, place


def read_embedded_index(folder: Path) -> EmbeddedIndex:
    """Reads `index.json` of an index.

    Raises:
        MissingInputError: there is none (yet).
        DamagedError: it is not as it was written.
        InputError: a later version of this program wrote it.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        state = "has no index.json (yet)" if folder.is_dir() else "is not there"
        raise MissingInputError(
            f"{folder} {state}; `hgld index --images FOLDER --out {folder}` makes an index of the "
            f"pictures of a folder, and `--split index` in place of --images of a build's"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] <= INDEX_FORMAT:
            return _parsed(folder, values)
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(
            f"{path} is damaged ({error!r}); run the `hgld index` that made it again"
        ) from error
    raise InputError(
        f"{path} was written by a later version of hgld (format {values['format']}, this one "
        f"knows {INDEX_FORMAT}); use that version, or another --out"
    )


def _parsed(folder: Path, values: Mapping[str, Any]) -> EmbeddedIndex:
    array = values["array"]
    return EmbeddedIndex(
        folder=folder,
        source=Path(values["source"]["folder"]),
        split=str(values["source"]["split"]),
        run=Path(values["model"]["run"]),
        model=str(values["model"]["digest"]),
        image_size=int(values["image_size"]),
        precision=str(values["precision"]),
        numbers=str(values["numbers"]),
        dimensions=int(values["D"]),
        array=FileRecord(array["size"], array["sha256"]),
        shards=tuple(
            ShardFile(
                name=str(one["file"]),
                **{name: one[name] for name in ("key", "rows", "ok", "bad")},
                record=FileRecord(one["size"], one["sha256"]),
            )
            for one in values["shards"]
        ),
    )


def embedded_index_damages(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields the files of an index that are not as they were written, and why.

    Raises:
        MissingInputError: there is no index.
        DamagedError: its `index.json` is damaged itself.
    """
    index = read_embedded_index(folder)
    records = {shard.name: shard.record for shard in index.shards} | {ARRAY_FILE: index.array}
    for name, record in records.items():
        path = folder / name
        if not path.is_file():
            yield path, f"is gone; {index.again()}"
        elif record_file(path) != record:
            yield path, f"has other bytes than were written; {index.again()}"
