"""The data set: the labels of each image and landmark, and the tree that they make."""

import pyarrow as pa

from hgld.engine.dataset import Dataset, Level, ParquetLayout
from hgld.tables.fields import CLASS, VOLATILE, required, schema

_ROWS_PER_GROUP = 10_000

# The one place that says which columns of the annotations are levels: training, benchmark and
# report take them from here, as many as there are.
_LEVELS = (
    Level(column="landmark_id", name="landmark", title="landmark", shared="same landmark"),
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

# A super-category that classes of a landmark have voted for, and what ranks it among the others.
CANDIDATE = pa.struct(
    [
        pa.field("hierarchical_label", pa.string(), nullable=False),
        pa.field("votes", pa.int32(), nullable=False),  # classes of the landmark that are of it
        # the most specific of these, and how many landmarks have that one; of equal votes the
        # fewest win
        pa.field("class_qid", pa.string(), nullable=False),
        pa.field("landmarks", pa.int64(), nullable=False),
    ]
)


BY_CLASS = "class"
"""`method` of a label that a class of the landmark gives."""
FILLED_RULE = "filled"
"""`rule` and `decision` of one that no class gives, and FILLS do."""

_CLASSES = pa.field("classes", pa.list_(CLASS))  # every class of the landmark, by Q-id
_PROVENANCE = pa.field(
    "provenance",
    pa.struct(
        [
            # ok: labelled. Else why not: a status of the scrape, "not_scraped", or the decision on
            # the deciding class (no class of the landmark gives a label)
            pa.field("status", pa.string(), nullable=False),
            pa.field("revision_id", pa.int64()),  # of the category's page
            pa.field("class_qid", pa.string()),  # the deciding class
            # on that class: assigned | ignored by a person; proposed | proposed_ignore, which
            # were accepted unseen; undecided. filled: no class gave a label, it is from FILLS
            pa.field("decision", pa.string()),
            pa.field("reviewer", pa.string()),  # who decided on the class, or accepted the fill
            # how the label came to be: class; or that of FILLS, where filled. Null: no label
            pa.field("method", pa.string()),
            # of FILLS, where filled; of the proposal, where that on the deciding class was
            # accepted unseen; else null
            pa.field("confidence", pa.float32()),
            # the least confidence that such a proposal had to have, 0 if any; null if none was
            pa.field("accepted_above", pa.float64()),
        ]
    ),
    nullable=False,
)
# The same without nesting, which pandas and spreadsheets make Python objects of.
FLAT_PROVENANCE = tuple(
    pa.field(field.name, field.type) for field in _PROVENANCE.type if field.name != "status"
)
_FLAT_CLASSES = (
    pa.field("class_qids", pa.string()),  # of `classes`, separated by spaces
    pa.field("class_labels", pa.string()),  # of `classes`, separated by "; "
)


def _labels(*, nullable: bool) -> tuple[pa.Field, ...]:
    return (
        # text of the deciding class; as published, also where no label follows from it
        pa.field("supercategory", pa.string()),
        pa.field("hierarchical_label", pa.string(), nullable=nullable),
        pa.field("natural_or_human_made", pa.string(), nullable=nullable),
        pa.field("category", pa.string()),  # Commons category URL
        pa.field("qid", pa.string()),  # of the landmark
    )


def _annotations(split: str, folder: str) -> Dataset:
    return Dataset(
        path=f"annotations/{folder}/{split}-*.parquet",
        stage="annotate",
        levels=_LEVELS,
        schema=schema(
            required("image_id", pa.string()),
            required("landmark_id", pa.int64()),
            *_labels(nullable=False),
            pa.field("in_clean", pa.bool_()),  # of train_clean.csv; null but for train
            *FLAT_PROVENANCE,
            *_FLAT_CLASSES,
            _CLASSES,
            _PROVENANCE,
        ),
        # So the pictures of one super-category lie side by side, and are read without the others.
        layout=ParquetLayout(
            rows_per_group=_ROWS_PER_GROUP,
            plain=("image_id",),
            sorted_by=("hierarchical_label", "landmark_id", "image_id"),
        ),
    )


# A row for each image that has a label of its landmark's classes.
ANNOTATIONS = {split: _annotations(split, "data") for split in ("train", "index", "test")}

# The same of each image whose landmark has a label and not of its classes: that of FILLS, where a
# build takes those. No shards of a split that has none.
FILLED = {split: _annotations(split, "filled") for split in ANNOTATIONS}

# The images that have none, and those whose pictures are no pictures: with ANNOTATIONS and FILLED,
# every image of GLDv2 once.
EXCLUDED = Dataset(
    path="annotations/excluded.parquet",
    stage="annotate",
    schema=schema(
        required("split", pa.string()),
        required("image_id", pa.string()),
        pa.field("landmark_id", pa.int64()),
        # "not_clean": of a train image that train_clean.csv lacks. "no_landmark": a test image
        # without relevant index image. "no_category": its landmark is not in GLDv2's list. Else
        # why its landmark has no label, as LANDMARK_LABELS has it.
        required("reason", pa.string()),
        # of FILLS, where the landmark has a row there and no label: the label in front, how
        # often such a guess is right, and what it was made of, with why it is no label
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
        required("reason", pa.string()),  # as BAD_IMAGES has it
    ),
)

# The same by landmark, those without a label too, with every label that its classes have voted
# for, the winner first. A table of its own: 203,094 landmarks of three classes take 2 MB here, and
# 27 MB as a column of their 4.1 million images.
LANDMARK_LABELS = Dataset(
    path="annotations/landmarks.parquet",
    stage="annotate",
    schema=schema(
        required("split", pa.string()),  # the label space: "train" or "index"
        required("landmark_id", pa.int64()),
        *_labels(nullable=True),
        # why it has no label: `status` of `provenance`; null where it has one
        pa.field("reason", pa.string()),
        # how the label was found (`hgld.annotations.rule`): "only_label": all classes that vote
        # give it. "most_votes". "most_specific": of several with equally many votes.
        # "no_vote": no class gives one. "filled": none did, it is from FILLS
        required("rule", pa.string()),
        *FLAT_PROVENANCE,
        # when the category's page was asked for
        pa.field("fetched_at", pa.timestamp("ms", tz="UTC"), metadata=VOLATILE),
        *_FLAT_CLASSES,
        _CLASSES,
        _PROVENANCE,
        required("candidates", pa.list_(CANDIDATE)),
    ),
    layout=ParquetLayout(rows_per_group=20_000),
)

# The labels that classes give, the tree that they make, and how much of ANNOTATIONS hangs on each.
HIERARCHY = Dataset(
    path="annotations/hierarchy.parquet",
    stage="annotate",
    schema=schema(
        required("hierarchical_label_id", pa.int32()),  # 0.. in the order of the labels
        required("hierarchical_label", pa.string()),  # as it is: "ocean area " ends in a space
        required("slug", pa.string()),  # for file names and addresses: "castle-fort"
        required("natural_or_human_made_id", pa.int32()),  # 0: human-made, 1: natural
        required("natural_or_human_made", pa.string()),
        *(required(f"{space}_landmarks", pa.int64()) for space in ("train", "index")),
        *(required(f"{split}_images", pa.int64()) for split in ("train", "index", "test")),
    ),
)

# Who made the train images of ANNOTATIONS, in its order, and then those of FILLED in that of it.
CREDITS = Dataset(
    path="annotations/credits-*.parquet",
    stage="annotate",
    schema=schema(
        required("image_id", pa.string()),
        required("status", pa.string()),  # ok, or missing: GLDv2 tells nothing of the image
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        pa.field("source", pa.string()),  # the page of the file on Commons
        pa.field("license", pa.string()),  # such as "CC-BY-SA-3.0"; null: of no known address
        pa.field("license_uri", pa.string()),  # as GLDv2 gives it
    ),
    layout=ParquetLayout(rows_per_group=100_000, plain=("image_id", "title", "source")),
)
