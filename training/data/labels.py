"""Which images a model is trained and measured on, and their labels as numbers."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.pictures import DECODING, PictureFile, compare_files
from hgld.tables import (
    ANNOTATIONS,
    BAD_IMAGES,
    FILLED,
    IMAGE_FILES,
    LEVELS,
    OVERLAP,
    OWN_HIERARCHY,
    PARTIAL,
    OriginChoice,
    levels_of_hierarchy,
    of_split,
)
from hgld.training.config import TrainConfig

logger = logging.getLogger(__name__)

_PUBLISHED = OriginChoice()
_UNKNOWN = "unknown"
_SIDE = ANNOTATIONS["train"].levels[-1].column
_FILES = pa.schema({"path": pa.string(), "size_bytes": pa.int64(), "sha256": pa.string()})


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """The images of one split that have a landmark and a picture, by image id."""

    split: str
    root: Path
    """Folder of the workspace."""
    image_ids: pa.StringArray
    """(N,)"""
    paths: pa.StringArray
    """(N,), relative to the root."""
    sizes: pa.Int64Array
    """(N,), of each file, in bytes."""
    sha256s: pa.StringArray
    """(N,), of each file."""
    mend: str
    """What to do where a file is not what was recorded, for an error's text."""
    bad: int = 0
    """Images that have a label, and are left out since they cannot be decoded."""
    levels: tuple[Level, ...]
    """L of them, finest first."""
    labels: Tensor
    """(N, L) int64; an id is the position of a name in the names of its level; -1: unknown."""
    names: tuple[tuple[str, ...], ...]
    """Name of each label, by level; landmark ids as text. Where some are unknown, that is the name
    at the end, at position -1."""

    def __len__(self) -> int:
        """Returns N."""
        return len(self.paths)

    def path(self, index: int) -> Path:
        """Returns where the file of an image lies."""
        return self.root / str(self.paths[index])

    def picture(self, index: int) -> PictureFile:
        """Returns the picture of an image as it was recorded."""
        return PictureFile(
            path=self.path(index),
            size_bytes=self.sizes[index].as_py(),
            sha256=str(self.sha256s[index]),
            mend=self.mend,
        )

    def files(self) -> list[PictureFile]:
        """Returns all N pictures as they were recorded."""
        return [self.picture(index) for index in range(len(self))]

    def at(self, positions: Sequence[int]) -> "LabelledImages":
        """Returns the images at some positions, in that order, with the labels they have."""
        columns = {
            name: getattr(self, name).take(pa.array(positions, pa.int64()))
            for name in ("image_ids", "paths", "sizes", "sha256s")
        }
        return dataclasses.replace(self, **columns, labels=self.labels[list(positions)])

    def digest(self) -> str:
        """Returns the SHA-256, as hex, of what decides the pixels: bytes, and how they are read."""
        parts = [DECODING, self.split, self.image_ids.to_pylist(), self.sha256s.to_pylist()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def require_files(self) -> None:
        """Looks for every file before any is read, so that none is missed in the middle of a run.

        Raises:
            DamagedError: some are gone, or have another size than was recorded.
        """
        paths = [f"{self.root}/{path}" for path in self.paths.to_pylist()]
        changed = list(compare_files(paths, self.sizes.to_pylist()))
        if changed:
            position, what = changed[0]
            raise DamagedError(
                f"{len(changed)} of {len(self)} images of {self.split} are not as they were "
                f"recorded, first {paths[position]}, which {what}; {self.mend}"
            )


def images_of_run(workspace: Workspace, config: TrainConfig) -> LabelledImages:
    """Returns the training images that the settings of a run choose.

    Raises:
        HgldError: as `training_images`.
    """
    without = pa.array([], pa.int64())
    if config.exclude_overlap:
        overlap = workspace.read(OVERLAP, ["train_landmark_id"])["train_landmark_id"]
        without = pc.unique(overlap)
        logger.info("train: without %s landmarks of the index", f"{len(without):,}")
    return training_images(
        workspace,
        config.label_choice,
        hierarchy=config.hierarchy,
        partial=config.partial_labels,
        without=without,
        with_pictures=config.embeddings is None,
    )


def training_images(
    workspace: Workspace,
    choice: OriginChoice = _PUBLISHED,
    *,
    hierarchy: str = "kind",
    partial: bool = False,
    without: Collection[int] | pa.Array = (),
    with_pictures: bool = True,
) -> LabelledImages:
    """Returns the training images; every label of every level is carried by some image.

    Args:
        workspace: a build with annotations and, where pictures are wanted, images.
        choice: which labels count; of a hierarchy of one's own all images of a landmark do.
        hierarchy: of the levels (`hgld.tables.levels_of_hierarchy`).
        partial: whether images of unknown super-category take part too. A side that is less sure
            than the choice asks for is unknown.
        without: landmarks to leave out.
        with_pictures: images without a file take no part; else a label is enough.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: no image has both a label and a file, no label is chosen, or all are asked for
            and none is filled.
        DamagedError: files are gone, or have another size than was recorded.
    """
    levels = _levels(workspace, hierarchy)
    if hierarchy == OWN_HIERARCHY:
        annotations = _own_rows(workspace, "train", levels)
    else:
        annotations = _chosen_rows(workspace, choice, _label_columns(levels), partial=partial)
    is_out = pc.is_in(annotations[levels[0].column], value_set=pa.array(without, pa.int64()))
    annotations = annotations.filter(pc.invert(is_out))
    usable = _labelled_rows if with_pictures else _rows_without_files
    (images,) = _encoded(workspace, {"train": usable(workspace, "train", annotations)}, levels)
    if with_pictures:
        images.require_files()
    return images


def query_and_index_images(
    workspace: Workspace, *, hierarchy: str = "kind", with_pictures: bool = True
) -> tuple[LabelledImages, LabelledImages]:
    """Returns the test and the index images, labelled in one encoding.

    The landmark ids of both are of one space (training ids are of another). A query whose
    landmark has no image in the index keeps a label of its own.

    Args:
        workspace: a build with annotations and, where pictures are wanted, images.
        hierarchy: of the levels (`hgld.tables.levels_of_hierarchy`).
        with_pictures: images without a file take no part; else a label is enough.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: no image of a split has a label, or a file.
        DamagedError: files are gone, or have another size than was recorded.
    """
    levels = _levels(workspace, hierarchy)
    usable = _labelled_rows if with_pictures else _rows_without_files
    found = {
        split: usable(
            workspace,
            split,
            _own_rows(workspace, split, levels)
            if hierarchy == OWN_HIERARCHY
            else workspace.read(ANNOTATIONS[split], _label_columns(levels)),
        )
        for split in ("test", "index")
    }
    query, index = _encoded(workspace, found, levels)
    if with_pictures:
        query.require_files()
        index.require_files()
    return query, index


def encode_labels(
    annotations: pa.Table, levels: Sequence[Level] = ANNOTATIONS["train"].levels
) -> Tensor:
    """Turns annotations into the labels that losses and metrics take.

    Args:
        annotations: N rows with the column of each level.
        levels: L of them, finest first; by default landmark, super-category, natural or
            human-made.

    Returns:
        (N, L) int64, finest level first, the ids of a level contiguous in the order of its values.

    Raises:
        ValueError: a row has no label.

    Example:
        >>> encode_labels(
        ...     pa.table(
        ...         {
        ...             "landmark_id": [9, 10, 9],
        ...             "hierarchical_label": ["lake", "church", "lake"],
        ...             "natural_or_human_made": ["natural", "human-made", "natural"],
        ...         }
        ...     )
        ... ).tolist()
        [[0, 1, 1], [1, 0, 0], [0, 1, 1]]
    """
    rows = annotations.select([level.column for level in levels])
    without = len(rows) - len(rows.drop_null())
    if without:
        column = max(rows.column_names, key=lambda name: rows[name].null_count)
        raise ValueError(
            f"every row must have a label at each level, got {without} of {len(rows)} without; "
            f"keep the labelled ones: table.filter(pc.field({column!r}).is_valid())"
        )
    return _label_ids(rows, levels, _names(rows, levels))


def _label_columns(levels: Sequence[Level]) -> list[str]:
    return ["image_id", *(level.column for level in levels)]


def _levels(workspace: Workspace, hierarchy: str) -> tuple[Level, ...]:
    """Returns the levels of a hierarchy; those of one's own are in the build."""
    if hierarchy != OWN_HIERARCHY:
        return levels_of_hierarchy(hierarchy)
    rows = workspace.read(LEVELS, ["level", "name"]).group_by(["level", "name"]).aggregate([])
    if not len(rows):
        raise InputError(
            f"hierarchy = {OWN_HIERARCHY!r} needs levels in [hierarchy], such as landmark, class, "
            f"superclass; set them and run {workspace.command('annotate')}"
        )
    return levels_of_hierarchy(hierarchy, rows.sort_by("level")["name"].to_pylist())


def _own_rows(workspace: Workspace, split: str, levels: Sequence[Level]) -> pa.Table:
    """Returns the images of a split whose landmark is known, with its labels of LEVELS."""
    finest = levels[0].column
    read = [one[split] for one in (ANNOTATIONS, FILLED, PARTIAL)]
    rows = pa.concat_tables(workspace.read(one, ["image_id", finest]) for one in read)
    known = of_split(workspace.read(LEVELS), "train" if split == "train" else "index")
    for level in levels[1:]:
        here = known.filter(pc.equal(known["name"], level.column))
        place = pc.index_in(rows[finest], value_set=here[finest])
        rows = rows.append_column(level.column, here["label"].take(place))
    return rows


def _chosen_rows(
    workspace: Workspace, choice: OriginChoice, columns: list[str], *, partial: bool
) -> pa.Table:
    """Returns the labels of training images, of whichever origin is chosen."""
    read = [*columns, *choice.columns]
    table = workspace.read(ANNOTATIONS["train"], read)
    if choice.takes_fills:
        filled = workspace.read(FILLED["train"], read)
        if choice.labels == "all" and not len(filled):
            raise InputError(
                f"labels = 'all' needs train images whose label is filled, and there are none in "
                f"{workspace.path(FILLED['train'].path).parent}; run "
                f"{workspace.command('annotate --fills')}, or train with labels = 'classes'"
            )
        table = pa.concat_tables([table, filled])
    if choice.condition is not None:
        chosen = table.filter(choice.condition)
        if not len(chosen):
            raise InputError(
                f"labels = {choice.labels!r} with min_confidence = {choice.min_confidence} must "
                f"leave some of {len(table):,} labelled train images, and leave none; lower it, or "
                f"train with other labels"
            )
        table = chosen
    if not partial:
        return table.select(columns)
    more = _partial_rows(workspace, choice, columns)
    logger.info("train: %s more images of unknown super-category", f"{len(more):,}")
    return pa.concat_tables([table.select(columns), more], promote_options="default")


def _partial_rows(workspace: Workspace, choice: OriginChoice, columns: list[str]) -> pa.Table:
    """Returns what is known of training images without a super-category."""
    rows = workspace.read(PARTIAL["train"], [*columns, "confidence"])
    least = pa.scalar(choice.min_confidence, pa.float32())
    is_sure = pc.fill_null(pc.greater_equal(rows["confidence"], least), fill_value=False)
    return pa.table(
        {
            name: pc.if_else(is_sure, rows[name], None) if name == _SIDE else rows[name]
            for name in columns
        }
    )


def _labelled_rows(workspace: Workspace, split: str, annotations: pa.Table) -> tuple[pa.Table, int]:
    """Returns files and labels of a split's usable images, by image id, and how many are bad."""
    labelled = _with_landmark(annotations)
    columns = ["image_id", "path", "size_bytes", "sha256", "status"]
    files = workspace.read(IMAGE_FILES[split], columns)
    files = files.filter(pc.not_equal(files["status"], "failed"))
    known = labelled.join(files, keys="image_id", join_type="inner").sort_by("image_id")
    rows = known.filter(pc.equal(known["status"], "ok")).drop_columns("status")
    bad = len(known) - len(rows)
    if not len(rows):
        raise InputError(
            f"no image of {split} has both a label and a file: {len(labelled)} of "
            f"{len(annotations)} are labelled, {len(files)} have a file, {bad} of those that are "
            f"labelled cannot be decoded; fetch the tars that hold them with "
            f"{workspace.command(f'images --split {split}')}"
        )
    logger.info(
        "%s: %s images have a label and a file (%s labelled, %s files)",
        *(split, *(f"{len(one):,}" for one in (rows, labelled, files))),
    )
    if bad:
        logger.warning(
            "%s: %s images are left out, since they cannot be decoded: see %s",
            *(split, f"{bad:,}", workspace.path(BAD_IMAGES[split].path)),
        )
    return rows, bad


def _rows_without_files(_: Workspace, split: str, annotations: pa.Table) -> tuple[pa.Table, int]:
    """Returns labels as `_labelled_rows` does, of images with no file."""
    labelled = _with_landmark(annotations)
    if not len(labelled):
        raise InputError(f"no image of {split} has a label")
    both = [labelled.sort_by("image_id"), _FILES.empty_table()]
    return pa.concat_tables(both, promote_options="default"), 0


def _with_landmark(annotations: pa.Table) -> pa.Table:
    """Returns the rows that have a label at the finest level; others may be unknown."""
    return annotations.filter(pc.is_valid(annotations.column(1)))


def _names(rows: pa.Table, levels: Sequence[Level]) -> list[pa.Array]:
    """Returns the values of each level's column, sorted: landmark ids as numbers."""
    values = [pc.unique(rows[level.column]).drop_null() for level in levels]
    return [column.take(pc.sort_indices(column)) for column in values]


def _encoded(
    workspace: Workspace, found: Mapping[str, tuple[pa.Table, int]], levels: tuple[Level, ...]
) -> list[LabelledImages]:
    """Returns the images of some splits, whose labels have one encoding."""
    all_rows = pa.concat_tables(rows for rows, _ in found.values())
    names = _names(all_rows, levels)
    partly = {level.column for level in levels if all_rows[level.column].null_count}
    return [
        LabelledImages(
            split=split,
            root=workspace.root,
            image_ids=rows["image_id"].combine_chunks(),
            paths=rows["path"].combine_chunks(),
            sizes=rows["size_bytes"].combine_chunks(),
            sha256s=rows["sha256"].combine_chunks(),
            mend=f"run {workspace.command(f'images --split {split}')}, which fetches it again",
            bad=bad,
            levels=levels,
            labels=_label_ids(rows, levels, names),
            names=tuple(
                (*map(str, column.to_pylist()), *[_UNKNOWN] * (level.column in partly))
                for level, column in zip(levels, names, strict=True)
            ),
        )
        for split, (rows, bad) in found.items()
    ]


def _label_ids(rows: pa.Table, levels: Sequence[Level], names: list[pa.Array]) -> Tensor:
    """Returns the position of each label among the names of its level, (N, L) int64."""
    ids = [
        torch.from_numpy(
            pc.fill_null(pc.index_in(rows[level.column], value_set=values), -1)
            .to_numpy()
            .astype("int64")
        )
        for level, values in zip(levels, names, strict=True)
    ]
    return torch.stack(ids, dim=1)
