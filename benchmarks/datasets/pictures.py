"""The queries and the index of a data set as labelled images, as what measures takes them."""

import dataclasses

import pyarrow as pa
import torch
from PIL import Image

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.engine.files import file_digest
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
    roles = ("queries",) if data.is_one_set else ("queries", "index")
    parts = [_encoded(data, role) for role in roles]
    parts = list(map(_recorded, parts)) if with_pictures else parts
    return parts[0], parts[-1]


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


def _encoded(data: RetrievalData, role: str) -> LabelledImages:
    # One table where the two are one, so that its labels are not counted twice.
    tables = [data.queries] if data.is_one_set else [data.queries, data.index]
    columns = [level.column for level in data.levels]
    every = pa.concat_tables([table.select(columns) for table in tables])
    rows: pa.Table = getattr(data, role)
    start = len(data.queries) if role == "index" else 0
    # Of no level `encode_labels` has no shape.
    labels = encode_labels(every, data.levels) if columns else torch.zeros(len(rows), 0).long()
    names = [[str(one) for one in sorted(every[column].unique().to_pylist())] for column in columns]
    if names:
        names[0] = [data.names.get(one, one) for one in names[0]]
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
        names=tuple(map(tuple, names)),
    )


def _recorded(images: LabelledImages) -> LabelledImages:
    """Returns images with the size and the digest of each file."""
    paths = [images.path(index) for index in range(len(images))]
    sizes, digests = [], []
    with progress(f"{images.split}: files", len(paths)) as advance:
        for path in paths:
            try:
                digests.append(file_digest(path))
            except OSError as error:
                raise InputError(
                    f"cannot read {path}: {error.strerror}; extract the archives of pictures into "
                    f"{images.root}, or measure only embeddings"
                ) from error
            sizes.append(path.stat().st_size)
            advance(1)
    return dataclasses.replace(
        images, sizes=pa.array(sizes, pa.int64()), sha256s=pa.array(digests, pa.string())
    )
