"""The queries and the index of a data set as labelled images, as what measures takes them."""

import dataclasses
import hashlib

import pyarrow as pa
import pyarrow.compute as pc
import torch
from PIL import Image

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.engine.progress import progress
from hgld.errors import InputError
from hgld.training.data.images import read_image
from hgld.training.data.labels import LabelledImages, encode_labels


def labelled_images(
    data: RetrievalData, *, with_pictures: bool
) -> tuple[LabelledImages, LabelledImages]:
    """Returns queries and index, labelled in one encoding; where each searches all others, twice.

    Args:
        data: a data set.
        with_pictures: reads every file once, so that whoever embeds it later embeds the same.

    Raises:
        InputError: files are missing or cannot be read.
    """
    queries = _encoded(data, data.queries, "queries")
    if data.is_one_set:
        queries = _recorded(queries) if with_pictures else queries
        return queries, queries
    both = queries, _encoded(data, data.index, "index")
    return (_recorded(both[0]), _recorded(both[1])) if with_pictures else both


def query_crops(data: RetrievalData) -> list[Image.Image]:
    """Returns what is searched for in the picture of each query: the part within its box.

    Raises:
        InputError: a picture cannot be read.
    """
    paths = [data.folder / one for one in data.queries["path"].to_pylist()]
    return [
        read_image(path).crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))
        for path, box in zip(paths, data.boxes, strict=True)
    ]


def _encoded(data: RetrievalData, rows: pa.Table, role: str) -> LabelledImages:
    columns = [level.column for level in data.levels]
    # One table where the two are one, so that its labels are not counted twice.
    tables = [data.queries] if data.is_one_set else [data.queries, data.index]
    every = pa.concat_tables([table.select(columns) for table in tables])
    names = [pc.unique(every[column]) for column in columns]
    start = len(data.queries) if role == "index" else 0
    # Of no level `encode_labels` has no shape.
    labels = encode_labels(every, data.levels) if columns else torch.zeros(len(rows), 0).long()
    return LabelledImages(
        split=f"{data.name} {role}",
        root=data.folder,
        image_ids=rows["image_id"].combine_chunks(),
        paths=rows["path"].combine_chunks(),
        sizes=pa.nulls(len(rows), pa.int64()),
        sha256s=pa.nulls(len(rows), pa.string()),
        mend="extract the archive of the data set once more",
        levels=data.levels,
        labels=labels[start : start + len(rows)] if columns else labels,
        names=tuple(
            tuple(
                str(one) if number else data.names.get(str(one), str(one))
                for one in values.take(pc.sort_indices(values)).to_pylist()
            )
            for number, values in enumerate(names)
        ),
    )


def _recorded(images: LabelledImages) -> LabelledImages:
    """Returns images with the size and the digest of each file."""
    paths = [images.path(index) for index in range(len(images))]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{len(missing):,} of the {len(paths):,} pictures of {images.split} are not there, "
            f"first {missing[0]}; extract the archives of the data set into {images.root}, or "
            f"measure only embeddings"
        )
    sizes, digests = [], []
    with progress(f"{images.split}: files", len(paths)) as advance:
        for path in paths:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InputError(f"cannot read {path}: {error.strerror}; mend that") from error
            sizes.append(len(content))
            digests.append(hashlib.sha256(content).hexdigest())
            advance(1)
    return dataclasses.replace(
        images, sizes=pa.array(sizes, pa.int64()), sha256s=pa.array(digests, pa.string())
    )
