"""`hgld index`: a folder of pictures, or a split of a build, becomes an index.

A picture belongs to the shard that the hash of its name says, whatever other pictures there are; so
a shard is made from its own earlier rows, and a new picture moves none of the others.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hgld.engine.dataset import rows_digest
from hgld.engine.files import file_digest
from hgld.engine.progress import Advance, progress
from hgld.engine.ray_pool import MapTables
from hgld.engine.stage import Share, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, PictureError
from hgld.training.data.images import EvalImages, load_batches
from hgld.training.index.folder import (
    ARRAY_FILE,
    INDEX_STAGE,
    NOT_EMBEDDED,
    WHOLE_PICTURES,
    IndexConfig,
    IndexOrigin,
    PictureSource,
)
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import autocast, choose_device, enough_memory, place_model
from hgld.training.model.saved import embedding_facts, load_model, model_digest

SHARD_PICTURES = 4096
"""Most pictures of a shard, about: minutes of work on a CPU, and 32 MB at 2,048 dimensions."""

OK, BAD, FAILED = "ok", "bad", "failed"
"""Outcome of a picture: embedded; cannot be decoded; could not be read, and is tried again."""


def make_index(
    run: Path,
    source: PictureSource,
    out: Path,
    config: IndexConfig,
    *,
    embed: MapTables | None = None,
    share: Share | None = None,
) -> StageReport:
    """Embeds pictures into a folder, or resumes a run that was killed.

    Embeddings of earlier runs are kept if their picture and the model are the same. The index that
    is there stays until the new one is complete.

    Args:
        run: folder of a training run, or file of a model.
        source: the pictures.
        out: the folder of the index.
        config: how to embed.
        embed: maps tables of listed pictures as `PictureEmbedder` does; None: in this process.
        share: the only shards to make, while other processes make others, also on other machines
            that see `out`. The next run without a share takes them over, and makes the index.

    Returns:
        The report. A picture that cannot be embedded is a row that says why.

    Raises:
        InputError: there is no model, picture, device or space, or the folder holds something else.
        MissingInputError: the images of the split have not been fetched yet.
        DamagedError: the model, or the records of the split, changed since they were written.
        WorkspaceBusyError: another command makes this index, or the same share of it.
        ValueError: `embed` does not return a row for each picture.
    """
    embedder = PictureEmbedder(run, source, config)
    listing = source.listing()
    origin = replace(embedder.origin, pictures=rows_digest(listing))
    _require_own_folder(out, source)
    workspace, listed, stage = Workspace(out), _cut(listing), origin.stage()
    if share:
        listed = share.of(listed)
        stage = replace(stage, outputs=(origin.rows(),), output_files=())

    def produce(writer: StageWriter) -> None:
        shards = _Shards(writer, origin, listed)
        left = shards.take_over()
        tables = (rows for rows in left.values() if len(rows))
        with progress("embed pictures", sum(map(len, left.values()))) as advance:

            def told(found: pa.Table) -> pa.Table:
                advance(len(found))
                return found

            here = (embedder(rows, advance) for rows in tables)
            lost = shards.write(left, map(told, embed(tables)) if embed else here)
        if not share:
            writer.write(NOT_EMBEDDED, "", lost)
            with writer.file(ARRAY_FILE) as path:
                shards.write_array(path)

    with workspace.lock(str(share or "")):
        return run_stage(workspace, stage, asdict(origin), produce, share=share)


class PictureEmbedder:
    """Embeds listed pictures with the model of a run; actors of Ray Data can be of this class."""

    def __init__(self, run: Path, source: PictureSource, config: IndexConfig) -> None:
        """Loads the model and moves it to its device.

        Raises:
            InputError: there is no model or device, or not enough memory.
            DamagedError: a file of the model changed since it was written.
        """
        self._config, self._source = config, source
        self._place = choose_device(config.device)
        model = load_model(run)
        self.origin = IndexOrigin(
            source=str(source.folder),
            split=source.split,
            run=str(run.resolve()),
            model=model_digest(model),
            image_size=model.config.image_size,
            precision=config.precision,
            dimensions=model.embedding_dim,
            facts={
                "protocol": {"boxes": WHOLE_PICTURES},
                **embedding_facts(model, model.config.image_size, config.precision),
            },
        )
        with enough_memory(self._place, config.batch_size, self.origin.image_size):
            self._model = place_model(model, self._place).eval()

    def __call__(self, rows: pa.Table, advance: Advance | None = None) -> pa.Table:
        """Embeds pictures, in their order.

        Args:
            rows: n of them, as `LISTING_SCHEMA`.
            advance: is told the progress.

        Returns:
            n rows with the columns of `IndexOrigin.rows`, and `status` and `error`; an embedding
            counts only if its status is ok.

        Raises:
            InputError: there is not enough memory, or a process that reads was killed.
        """
        batch_size = self._config.batch_size
        pictures = _ListedPictures(self._source, rows, self._model.config)
        workers = min(self._config.workers, len(rows))
        found = np.empty((len(rows), self.origin.dimensions), np.float32)
        facts = [("", "", "")] * len(rows)
        with (
            torch.inference_mode(),
            enough_memory(self._place, batch_size, self.origin.image_size),
            autocast(self._place, self._config.precision),
        ):
            batches = load_batches(pictures, batch_size=batch_size, workers=workers)
            for places, pixels, words in batches:
                found[places] = self._model(pixels.to(self._place)).float().cpu().numpy()
                for place, (sha256, status, error) in zip(places, words, strict=True):
                    facts[place] = sha256, status, error
                if advance:
                    advance(len(pixels), sum(status != OK for _, status, _ in words))
        for row in np.flatnonzero(~np.isfinite(found).all(axis=1)):
            sha256, status, _ = facts[row]
            if status == OK:
                facts[row] = (sha256, BAD, "becomes no finite vector in this model")
        kind = self.origin.rows().schema.field("embedding").type
        numbers = pa.array(found.reshape(-1))
        columns = {name: rows[name] for name in ("image_id", "path", "size_bytes", "modified_ns")}
        columns |= zip(("sha256", "status", "error"), zip(*facts, strict=True), strict=True)
        columns["recipe"] = [self.origin.recipe()] * len(rows)
        columns["embedding"] = pa.FixedSizeListArray.from_arrays(numbers, type=kind)
        return pa.table(columns)


class _ListedPictures(Dataset[tuple[Tensor, str, str, str]]):
    """Pictures as the model sees them, or black with the reason: pixels, SHA-256, status, error."""

    def __init__(self, source: PictureSource, rows: pa.Table, config: ModelConfig) -> None:
        self._source, self._rows, self._config = source, rows.to_pylist(), config

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, str, str, str]:
        row = self._rows[index]
        status, error = BAD, row["error"]
        try:
            if not error:
                sha256 = row["sha256"] or file_digest(self._source.folder / row["path"])
                file = self._source.picture(row["path"], row["size_bytes"], sha256)
                return EvalImages([file], self._config)[0], sha256, OK, ""
        except (DamagedError, InputError, OSError) as problem:
            is_bad = isinstance(problem.__cause__, PictureError)
            status = BAD if is_bad else FAILED
            error = str(problem.__cause__ if is_bad else problem)
        size = self._config.image_size
        black = torch.zeros(3, size, size, dtype=torch.uint8)
        return black, "", status, error


def _cut(listing: pa.Table) -> dict[str, pa.Table]:
    """Returns the listed pictures of each shard, by its name, in order.

    The number of shards is a power of two: if it changes, the pictures of a shard come from, or go
    to, the few shards that `_may_share` says.
    """
    count = 1 << ((len(listing) - 1) // SHARD_PICTURES).bit_length()
    ids = listing["image_id"].to_pylist()
    numbers = np.array([zlib.crc32(one.encode()) & (count - 1) for one in ids])
    order = np.argsort(numbers, kind="stable")
    listing = listing.take(pa.array(order))
    bounds = np.searchsorted(numbers[order], np.arange(count + 1)).tolist()
    return {
        f"{number:05d}-of-{count:05d}": listing.slice(start, stop - start)
        for number, (start, stop) in enumerate(pairwise(bounds))
    }


def _may_share(one: str, other: str) -> bool:
    """Says whether two shards, of equal or different numbers of shards, can share a picture."""
    (number, count), (another, of) = (map(int, name.split("-of-")) for name in (one, other))
    return (number - another) % min(count, of) == 0


class _Shards:
    """Writes the shards of an index, and takes over what earlier runs left of them."""

    def __init__(
        self, writer: StageWriter, origin: IndexOrigin, listed: Mapping[str, pa.Table]
    ) -> None:
        self._writer, self._origin, self._listed = writer, origin, listed
        self._dataset, self._recipe = origin.rows(), origin.recipe()
        names = self._dataset.own({*writer.standing, *writer.beside})
        self._there = sorted({Path(name).stem for name in names})

    def take_over(self) -> dict[str, pa.Table]:
        """Writes the shards whose embeddings are all there.

        Returns:
            The pictures of each shard that are to be embedded.
        """
        left, folder = {}, Path(self._origin.source)
        for name, rows in self._listed.items():
            known = self._earlier(name)
            facts = known.select(["size_bytes", "modified_ns", "sha256"]).to_pylist()
            pairs = zip(rows.to_pylist(), _places(rows, known).to_pylist(), strict=True)
            is_new = [at is None or not _is_same(row, facts[at], folder) for row, at in pairs]
            left[name] = rows.filter(pa.array(is_new, pa.bool_()))
            if not any(is_new) and not self._writer.has(self._dataset, name):
                self._writer.write(self._dataset, name, _kept(rows, known))
        return left

    def write(self, left: Mapping[str, pa.Table], embedded: Iterable[pa.Table]) -> pa.Table:
        """Writes each shard that has new embeddings, with the earlier ones of its other pictures.

        Returns:
            The pictures that have no embedding, as NOT_EMBEDDED.

        Raises:
            InputError: the model was trained again meanwhile.
            ValueError: a picture is missing.
        """
        lost, names = [NOT_EMBEDDED.schema.empty_table()], self._dataset.schema.names
        waiting = {rows["image_id"][0].as_py(): name for name, rows in left.items() if len(rows)}
        wrong = ValueError("embed must return a table for each table, with a row for each picture")
        for found in embedded:
            name = waiting.pop(found["image_id"][0].as_py(), "")
            if not name or not found["image_id"].equals(left[name]["image_id"]):
                raise wrong
            if found["recipe"][0].as_py() != self._recipe:
                raise InputError(f"{self._origin.run} was trained again meanwhile; rerun")
            is_ok = pc.equal(found["status"], OK)
            new = found.filter(is_ok).select(names).cast(self._dataset.schema)
            rest = found.filter(pc.invert(is_ok)).select(NOT_EMBEDDED.schema.names)
            lost.append(rest.cast(NOT_EMBEDDED.schema))
            if not len(new) and self._writer.has(self._dataset, name):
                continue
            is_left = pc.is_in(self._listed[name]["image_id"], left[name]["image_id"])
            kept = _kept(self._listed[name].filter(pc.invert(is_left)), self._earlier(name))
            table = pa.concat_tables([kept, new]).sort_by("image_id")
            self._writer.write(self._dataset, name, table)
        if waiting:
            raise wrong
        return pa.concat_tables(lost).sort_by("image_id")

    def write_array(self, path: Path) -> None:
        """Writes the embeddings of all shards one after the other, as numpy does.

        Not into a mapped file, where a full disk would kill the process.
        """
        shards = [self._writer.path(self._dataset.shard_path(name)) for name in self._listed]
        count = sum(pq.read_metadata(shard).num_rows for shard in shards)
        shape = (count, self._origin.dimensions)
        head = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, head)
            for shard in shards:
                table = pq.read_table(shard, columns=["embedding"], partitioning=None)
                file.write(table["embedding"].combine_chunks().flatten().to_numpy().data)

    def _earlier(self, name: str) -> pa.Table:
        """Returns earlier rows that the pictures of a shard may have, of the same recipe."""
        found = [self._dataset.schema.empty_table()]
        for other in (one for one in self._there if _may_share(name, one)):
            table = self._writer.earlier(self._dataset, other)
            if table is not None and table.schema.equals(self._dataset.schema):
                is_same = pc.equal(table["recipe"], self._recipe)
                found.append(table.replace_schema_metadata().filter(is_same))
        return pa.concat_tables(found)


def _places(rows: pa.Table, earlier: pa.Table) -> pa.ChunkedArray:
    """Returns the position of each listed picture among earlier rows, null if it is not there."""
    return pc.index_in(rows["image_id"], value_set=earlier["image_id"].combine_chunks())


def _is_same(row: Mapping[str, Any], earlier: Mapping[str, Any], folder: Path) -> bool:
    """Says whether a listed picture is the one that was embedded."""
    if row["error"] or row["sha256"]:
        return not row["error"] and bool(row["sha256"] == earlier["sha256"])
    if row["size_bytes"] != earlier["size_bytes"]:
        return False
    if row["modified_ns"] == earlier["modified_ns"]:
        return True
    try:  # perhaps only copied
        return bool(file_digest(folder / row["path"]) == earlier["sha256"])
    except OSError:  # embedding it says why
        return False


def _kept(rows: pa.Table, earlier: pa.Table) -> pa.Table:
    """Returns the earlier rows of listed pictures, with the path and time that are listed now."""
    table = earlier.take(_places(rows, earlier))
    for name in ("path", "modified_ns"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), rows[name])
    return table


def _require_own_folder(out: Path, source: PictureSource) -> None:
    """Refuses a file, a build, and the index of other pictures, unless they are gone (moved).

    Raises:
        InputError: it is one.
    """
    what = f"{out} holds something else"
    stages = {path.stem for path in out.glob("stages/*.json")}
    if stages == {INDEX_STAGE} and (before := Workspace(out).manifest(INDEX_STAGE)):
        there = PictureSource(
            folder=Path(str(before.settings["source"])), split=str(before.settings["split"])
        )
        if there == source or (there.split == source.split and not there.folder.exists()):
            return
        what = f"{out} is an index of {there}, not of {source}"
    elif stages <= {INDEX_STAGE} and not out.is_file():
        return
    raise InputError(f"{what}; choose another --out, or delete it")
