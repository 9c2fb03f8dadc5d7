"""The landmarks to look at, their pictures, and the names to vote for."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pictures import PictureFile
from hgld.tables import CLASSES, IMAGE_FILES, IMAGES, LANDMARKS, TAXONOMY, of_split

MOST_PICTURES = 30
"""Per landmark, the first by image id, which is random; they form one batch. Some landmarks have
thousands, and the share of 30 that vote alike is within 18 points of that of all, at 95%."""
CHECKED = 500
"""Labelled landmarks per split that are looked at too, from which `hgld fill` measures how often
pictures are right: within 4.4 points, at 95%."""

_FILE_COLUMNS = ("path", "size_bytes", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """A landmark to look at, and its pictures."""

    split: str
    landmark_id: int
    pictures: Sequence[PictureFile]
    """The pictures to look at, by image id."""
    bad: int
    """Number of further pictures that the build lists as bad."""
    absent: int
    """Number of further pictures without a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlabelled:
    """The landmarks of one split to look at, and their pictures."""

    workspace: Workspace
    split: str
    ids: Sequence[int]
    """(n,), in the order of LANDMARKS."""
    usable: pa.Table
    """A row per picture to look at: place (index into `ids`), path, size_bytes, sha256; by place,
    then image id."""
    others: pa.Table
    """place, status (`bad` or `absent`) and number of pictures that cannot be looked at."""

    def part(self, start: int, stop: int) -> list[Landmark]:
        """Returns the landmarks of a range of places."""
        mend = f"run {self.workspace.command(f'images --split {self.split}')}, to fetch it again"
        pictures = defaultdict[int, list[PictureFile]](list)
        root = self.workspace.root.absolute()  # actors of Ray have other working folders
        for row in _places(self.usable, start, stop):
            path = root / row["path"]
            size, sha256 = row["size_bytes"], row["sha256"]
            picture = PictureFile(path=path, size_bytes=size, sha256=sha256, mend=mend)
            pictures[row["place"]].append(picture)
        others = {
            (row["place"], row["status"]): row["pictures"]
            for row in _places(self.others, start, stop)
        }
        return [
            Landmark(
                split=self.split,
                landmark_id=landmark_id,
                pictures=pictures[place],
                bad=others.get((place, "bad"), 0),
                absent=others.get((place, "absent"), 0),
            )
            for place, landmark_id in enumerate(self.ids[start:stop], start=start)
        ]


def read_names(workspace: Workspace) -> list[str]:
    """Returns the super-categories in use, which pictures may vote for, sorted by name.

    Raises:
        MissingInputError: there is no taxonomy yet.
        InputError: there are fewer than two names, so a vote would mean nothing.
    """
    labels = workspace.read(TAXONOMY, ["hierarchical_label"])["hierarchical_label"]
    found: list[str] = sorted(labels.drop_null().unique().to_pylist())
    if len(found) < 2:  # noqa: PLR2004 - a choice needs two
        raise InputError(
            f"pictures must have at least two super-categories to choose from, got {len(found)}; "
            f"decide on more classes, then run {workspace.command('review --settle')}"
        )
    return found


def find_unlabelled(workspace: Workspace, split: str, *, clean: bool) -> Unlabelled:
    """Finds the landmarks without a labelled class, and `CHECKED` others, and their pictures.

    A class is labelled if the taxonomy gives it a super-category, whoever decided that. The others
    are always the same ones.

    Args:
        workspace: a build whose `metadata`, `scrape`, `review` and images of the split are done.
        split: `train` or `index`. Test images also show landmarks of the index, but are not used:
            they are the queries of the benchmark.
        clean: whether to skip train images that are not in train_clean.csv.

    Raises:
        MissingInputError: one of these is missing.
    """
    ids = _chosen_ids(workspace, split)
    pictures = _pictures(workspace, split, ids, clean=clean)
    is_usable = pc.equal(pictures["status"], "ok")
    others = pictures.filter(pc.invert(is_usable)).group_by(["place", "status"])
    usable = pictures.filter(is_usable).sort_by([("place", "ascending"), ("image_id", "ascending")])
    return Unlabelled(
        workspace=workspace,
        split=split,
        ids=ids.to_pylist(),
        usable=_first_of_each(usable).select(["place", *_FILE_COLUMNS]),
        others=others.aggregate([([], "count_all")]).rename_columns(
            ["place", "status", "pictures"]
        ),
    )


def _chosen_ids(workspace: Workspace, split: str) -> pa.ChunkedArray:
    taxonomy = workspace.read(TAXONOMY, ["class_qid", "hierarchical_label"])
    voting = taxonomy.filter(pc.is_valid(taxonomy["hierarchical_label"]))["class_qid"]
    classes = of_split(workspace.read(CLASSES, ["split", "landmark_id", "class_qid"]), split)
    labelled = classes.filter(pc.is_in(classes["class_qid"], value_set=voting))["landmark_id"]
    landmarks = of_split(workspace.read(LANDMARKS, ["split", "landmark_id"]), split)["landmark_id"]
    is_labelled = pc.is_in(landmarks, value_set=labelled)
    # By digest, so that adding or removing a landmark changes at most one of them.
    ranked = sorted(landmarks.filter(is_labelled).to_pylist(), key=_digest)
    is_checked = pc.is_in(landmarks, value_set=pa.array(ranked[:CHECKED], pa.int64()))
    return landmarks.filter(pc.or_(pc.invert(is_labelled), is_checked))


def _digest(landmark_id: int) -> bytes:
    return hashlib.sha256(str(landmark_id).encode()).digest()


def _pictures(workspace: Workspace, split: str, ids: pa.ChunkedArray, *, clean: bool) -> pa.Table:
    """Returns the pictures of landmarks, with the record of each file.

    Returns:
        place (index into `ids`), image_id, status (`absent`: no file) and _FILE_COLUMNS.
    """
    columns = ["split", "image_id", "landmark_id", "in_clean"]
    images = of_split(workspace.read(IMAGES, columns), split)
    if clean and split == "train":
        images = images.filter(images["in_clean"])
    place = pc.index_in(images["landmark_id"], value_set=ids).cast(pa.int64())
    pictures = pa.table({"place": place, "image_id": images["image_id"]}).drop_null()
    files = IMAGE_FILES[split]
    recorded = workspace.read(files, ["image_id"])["image_id"]
    row = pc.index_in(pictures["image_id"], value_set=recorded)
    for name in ("status", *_FILE_COLUMNS):  # one column at a time: each has millions of rows
        pictures = pictures.append_column(name, workspace.read(files, [name])[name].take(row))
    return pictures.set_column(2, "status", pc.fill_null(pictures["status"], "absent"))


def _places(table: pa.Table, start: int, stop: int) -> list[dict[str, Any]]:
    """Returns the rows whose place is in a range."""
    place = table["place"]
    is_in = pc.and_(pc.greater_equal(place, start), pc.less(place, stop))
    rows: list[dict[str, Any]] = table.filter(is_in).to_pylist()
    return rows


def _first_of_each(pictures: pa.Table) -> pa.Table:
    """Returns the first pictures of each place; rows must be sorted by place."""
    place = pictures["place"].to_numpy()
    _, first, group = np.unique(place, return_index=True, return_inverse=True)
    return pictures.filter(pa.array(np.arange(len(place)) - first[group] < MOST_PICTURES))
