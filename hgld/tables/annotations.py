"""The data set: the labels of each image and landmark, and their hierarchy."""

import re
from collections.abc import Sequence

import pyarrow as pa

from hgld.engine.dataset import Dataset, Level, ParquetLayout
from hgld.tables.fields import CLASS, VOLATILE, required, schema
from hgld.tables.scrape import PLACES

_ROWS_PER_GROUP = 10_000

# The only place that says which columns of the annotations are levels: training, benchmark and
# report read them from here, for any number of levels.
_LANDMARK = Level("landmark_id", "landmark", "landmark", "same landmark")
_LEVELS = (
    _LANDMARK,
    Level(
        column="hierarchical_label",
        name="hierarchical_label",
        title="super-category",
        shared="same super-category",
    ),
    Level(
        column="natural_or_human_made",
        name="natural_or_human_made",
        title="natural / human-made",
        shared="both natural, or both human-made",
    ),
)
_PLACE_LEVELS = (
    Level("place", "place", "place", "same place"),
    Level("country", "country", "country", "same country"),
    Level("continent", "continent", "continent", "same continent"),
)
HIERARCHIES = {"kind": _LEVELS, "place": (_LANDMARK, *_PLACE_LEVELS)}
"""Levels of the labels by what they are of, finest first."""
OWN_HIERARCHY = "own"
"""That of LEVELS."""


def levels_of_hierarchy(hierarchy: str, own: Sequence[str] = ()) -> tuple[Level, ...]:
    """Returns the levels of a hierarchy, finest first.

    Args:
        hierarchy: one of `HIERARCHIES`, or columns of levels of one of them, joined by commas; or
            `OWN_HIERARCHY`.
        own: names of the levels of the latter, without the landmark.

    Raises:
        ValueError: it is neither, or does not begin with the landmark and go up from it.

    Example:
        >>> [level.title for level in levels_of_hierarchy("landmark_id,country")]
        ['landmark', 'country']
    """
    if hierarchy == OWN_HIERARCHY:
        above = (Level(one, re.sub(r"\W", "_", one), one, f"same {one}") for one in own)
        return (_LANDMARK, *above)
    if hierarchy in HIERARCHIES:
        return HIERARCHIES[hierarchy]
    names = hierarchy.split(",")
    for levels in HIERARCHIES.values():
        chosen = tuple(level for level in levels if level.column in names)
        if [level.column for level in chosen] == names and chosen[0] is _LANDMARK and chosen[1:]:
            return chosen
    ways = " or ".join(",".join(one.column for one in levels) for levels in HIERARCHIES.values())
    raise ValueError(
        f"hierarchy must be {', '.join(HIERARCHIES)}, {OWN_HIERARCHY}, or levels finest first, "
        f"joined by commas, of {ways}, got {hierarchy!r}"
    )


# A super-category with votes of a landmark's classes, and what ranks it among the others.
CANDIDATE = pa.struct(
    [
        pa.field("hierarchical_label", pa.string(), nullable=False),
        pa.field("votes", pa.int32(), nullable=False),  # number of the landmark's classes with it
        # the most specific of these classes, and its number of landmarks; on a tie of votes, the
        # fewest landmarks win
        pa.field("class_qid", pa.string(), nullable=False),
        pa.field("landmarks", pa.int64(), nullable=False),
    ]
)


PLACE_COLUMNS = tuple(
    field
    for field in PLACES.schema
    if field.name not in {"split", "landmark_id", "qid", "status", "error"}
)
"""Where a landmark is, since when and in which style."""

BY_CLASS = "class"
"""`method` of a label from a class of the landmark."""
FILLED_RULE = "filled"
"""`rule` and `decision` of a label from FILLS."""

_CLASSES = pa.field("classes", pa.list_(CLASS))  # every class of the landmark, by Q-id
_PROVENANCE = pa.field(
    "provenance",
    pa.struct(
        [
            # ok: labelled. Otherwise the reason: a status of the scrape, "not_scraped", or the
            # decision on the deciding class (no class of the landmark gives a label)
            pa.field("status", pa.string(), nullable=False),
            pa.field("revision_id", pa.int64()),  # of the category's page
            pa.field("class_qid", pa.string()),  # the deciding class
            # on that class: assigned | ignored by a person; proposed | proposed_ignore: accepted
            # unseen; undecided. filled: no class gives a label, it is from FILLS
            pa.field("decision", pa.string()),
            pa.field("reviewer", pa.string()),  # who decided on the class, or accepted the fill
            # origin of the label: class, or the method of FILLS. Null: no label
            pa.field("method", pa.string()),
            # of FILLS if filled; of the deciding class's proposal if it was accepted unseen;
            # otherwise null
            pa.field("confidence", pa.float32()),
            # the least confidence required of such a proposal, 0 if none was required; null if
            # there was no such proposal
            pa.field("accepted_above", pa.float64()),
        ]
    ),
    nullable=False,
)
# The same without nesting, because pandas and spreadsheets turn structs into Python objects.
FLAT_PROVENANCE = tuple(
    pa.field(field.name, field.type) for field in _PROVENANCE.type if field.name != "status"
)
_FLAT_CLASSES = (
    pa.field("class_qids", pa.string()),  # of `classes`, separated by spaces
    pa.field("class_labels", pa.string()),  # of `classes`, separated by "; "
)


def _labels(*, nullable: bool) -> tuple[pa.Field, ...]:
    return (
        # label of the deciding class; as published, even if no super-category follows from it
        pa.field("supercategory", pa.string()),
        pa.field("hierarchical_label", pa.string(), nullable=nullable),
        pa.field("natural_or_human_made", pa.string(), nullable=nullable),
        pa.field("category", pa.string()),  # Commons category URL
        pa.field("qid", pa.string()),  # of the landmark
    )


def _annotations(split: str, folder: str, *more: pa.Field) -> Dataset:
    """Returns a table of images with labels; with fields of its own, labels may be unknown."""
    return Dataset(
        path=f"annotations/{folder}/{split}-*.parquet",
        stage="annotate",
        levels=_LEVELS,
        schema=schema(
            required("image_id", pa.string()),
            required("landmark_id", pa.int64()),
            *_labels(nullable=bool(more)),
            *more,
            # where the landmark is: `_PLACE_LEVELS`; null: unknown, or several
            *(pa.field(level.column, pa.string()) for level in _PLACE_LEVELS),
            pa.field("in_clean", pa.bool_()),  # in train_clean.csv; null except for train
            *FLAT_PROVENANCE,
            *_FLAT_CLASSES,
            _CLASSES,
            _PROVENANCE,
        ),
        # So the pictures of one super-category are adjacent, and can be read without the others.
        layout=ParquetLayout(
            rows_per_group=_ROWS_PER_GROUP,
            plain=("image_id",),
            sorted_by=("hierarchical_label", "landmark_id", "image_id"),
        ),
    )


# A row for each image with a label from its landmark's classes.
ANNOTATIONS = {split: _annotations(split, "data") for split in ("train", "index", "test")}

# The same for each image whose landmark has a label from FILLS, if a build uses them. A split
# without such images has no shards.
FILLED = {split: _annotations(split, "filled") for split in ANNOTATIONS}

# Images of EXCLUDED whose landmark is known and its super-category is not, as deep as they are
# labelled: for training, which may learn from what is known (`hgld.losses`). Null: unknown.
PARTIAL = {
    split: _annotations(
        split,
        "partial",
        # Known levels: 1: the landmark; 2: whether it is natural too. That is the side of the best
        # guess of FILLS, and as sure as `confidence` at least, which is that of the guess.
        required("depth", pa.int8()),
    )
    for split in ANNOTATIONS
}

# Images without a label, and images whose files are not pictures. Together with ANNOTATIONS and
# FILLED, they have every image of GLDv2 once.
EXCLUDED = Dataset(
    path="annotations/excluded.parquet",
    stage="annotate",
    schema=schema(
        required("split", pa.string()),
        required("image_id", pa.string()),
        pa.field("landmark_id", pa.int64()),
        # "not_clean": a train image that is not in train_clean.csv. "no_landmark": a test image
        # without a relevant index image. "no_category": its landmark is not in GLDv2's list.
        # Otherwise why its landmark has no label, as in LANDMARK_LABELS.
        required("reason", pa.string()),
        # from FILLS, if the landmark has a row there but no label: the best guess, how often such
        # a guess is right, and its evidence, with the reason why it is not a label
        pa.field("best_guess", pa.string()),
        pa.field("confidence", pa.float32()),
        pa.field("evidence", pa.string()),
    ),
    layout=ParquetLayout(rows_per_group=100_000, plain=("image_id",)),
)
BAD_ANNOTATIONS = Dataset(
    path="annotations/bad.parquet",
    stage="annotate",
    schema=schema(
        required("split", pa.string()),
        required("image_id", pa.string()),
        pa.field("landmark_id", pa.int64()),
        required("reason", pa.string()),  # as in BAD_IMAGES
    ),
)

# The same by landmark, including those without a label, with all candidates of its classes, the
# winner first. A separate table, because 203,094 landmarks of three classes take 2 MB here, but
# 27 MB as a column of their 4.1 million images.
LANDMARK_LABELS = Dataset(
    path="annotations/landmarks.parquet",
    stage="annotate",
    schema=schema(
        required("split", pa.string()),  # the label space: "train" or "index"
        required("landmark_id", pa.int64()),
        *_labels(nullable=True),
        # why it has no label: `status` of `provenance`; null if it has one
        pa.field("reason", pa.string()),
        # how the label was found (`hgld.annotations.rule`): "only_label": all classes with a vote
        # agree. "most_votes". "most_specific": of several with equally many votes.
        # "no_vote": no class gives one. "filled": it is from FILLS
        required("rule", pa.string()),
        *FLAT_PROVENANCE,
        # when the category's page was asked for
        pa.field("fetched_at", pa.timestamp("ms", tz="UTC"), metadata=VOLATILE),
        *_FLAT_CLASSES,
        _CLASSES,
        _PROVENANCE,
        required("candidates", pa.list_(CANDIDATE)),
        # the finest of `place_names`, with its Q-id where another place has that name
        pa.field("place", pa.string()),
        *PLACE_COLUMNS,
    ),
    layout=ParquetLayout(rows_per_group=20_000),
)

# Pairs of a train and an index landmark that are of one thing, or hardly to be told apart:
# `hgld.annotations.overlap`.
OVERLAP = Dataset(
    path="annotations/overlap.parquet",
    stage="annotate",
    schema=schema(
        required("train_landmark_id", pa.int64()),
        pa.field("index_landmark_id", pa.int64()),  # null: it overlaps with a building
        # of Revisited Oxford or Paris, as its queries are named; null: with an index landmark
        pa.field("building", pa.string()),
        # same_item | part_of: one is a part of the other (P361) | same_place: their coordinates are
        # the same as far as the less exact of them is known, to 0.001 degrees at least
        required("why", pa.string()),
        pa.field("metres", pa.float64()),  # between them; null but for same_place
    ),
)

# Levels of a hierarchy of one's own, above the landmark: `hgld.annotations.levels`. Empty if the
# settings name none.
LEVELS = Dataset(
    path="annotations/levels.parquet",
    stage="hierarchy",
    schema=schema(
        required("split", pa.string()),  # the label space: "train" or "index"
        required("landmark_id", pa.int64()),
        required("level", pa.int8()),  # 1: the one above the landmark
        required("name", pa.string()),  # of the level, as in the settings
        pa.field("label", pa.string()),  # null: unknown
    ),
)

# The labels from classes, their hierarchy, and the counts of each in ANNOTATIONS.
HIERARCHY = Dataset(
    path="annotations/hierarchy.parquet",
    stage="annotate",
    schema=schema(
        required("hierarchical_label_id", pa.int32()),  # 0.. in the order of the labels
        required("hierarchical_label", pa.string()),  # unchanged: "ocean area " has a final space
        required("slug", pa.string()),  # for file names and addresses: "castle-fort"
        required("natural_or_human_made_id", pa.int32()),  # 0: human-made, 1: natural
        required("natural_or_human_made", pa.string()),
        *(required(f"{space}_landmarks", pa.int64()) for space in ("train", "index")),
        *(required(f"{split}_images", pa.int64()) for split in ("train", "index", "test")),
    ),
)

# The authors of the train images of ANNOTATIONS, then of FILLED, in the order of these tables.
CREDITS = Dataset(
    path="annotations/credits-*.parquet",
    stage="annotate",
    schema=schema(
        required("image_id", pa.string()),
        required("status", pa.string()),  # ok, or missing: GLDv2 has no credit for the image
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        pa.field("source", pa.string()),  # the page of the file on Commons
        pa.field("license", pa.string()),  # such as "CC-BY-SA-3.0"; null: an unknown address
        pa.field("license_uri", pa.string()),  # as in GLDv2
    ),
    layout=ParquetLayout(rows_per_group=100_000, plain=("image_id", "title", "source")),
)
