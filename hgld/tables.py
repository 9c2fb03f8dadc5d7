"""The schema of every table of a build, in one place.

A stage conforms its rows to these schemas before they are written (`hgld.engine.dataset`), so a
column that drifts fails in the stage that drifted. Fields marked volatile (the time of a fetch)
differ between two runs that saw the same world; they are kept in the files and left out of digests.
"""

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.dataset import Dataset, Level

_VOLATILE = {"volatile": "true"}
_CLASS = pa.struct(
    [pa.field("class_qid", pa.string(), nullable=False), pa.field("class_label", pa.string())]
)


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


# `split` is the label space as well: train and index landmark ids are different spaces.
LANDMARKS = Dataset(
    path="metadata/landmarks",
    stage="metadata",
    schema=pa.schema(
        [
            _required("split", pa.string()),  # "train" or "index"
            _required("landmark_id", pa.int64()),
            _required("category", pa.string()),  # Commons category URL, as GLDv2 gives it
        ]
    ),
)

IMAGES = Dataset(
    path="metadata/images",
    stage="metadata",
    schema=pa.schema(
        [
            _required("split", pa.string()),  # "train", "index" or "test"
            _required("image_id", pa.string()),  # 16 hex digits
            # train: in the train space. index, test: in the index space; null for a test image
            # with no relevant index image, which is most of them.
            pa.field("landmark_id", pa.int64()),
            pa.field("in_clean", pa.bool_()),  # train only: listed in train_clean.csv
            pa.field("usage", pa.string()),  # test only: Public, Private or Ignored
        ]
    ),
)

CATEGORIES = Dataset(
    path="scrape/categories",
    stage="scrape",
    schema=pa.schema(
        [
            _required("split", pa.string()),
            _required("landmark_id", pa.int64()),
            _required("category", pa.string()),
            # ok | no_page | no_item | no_p31 | redirect_loop | failed
            _required("status", pa.string()),
            pa.field("page_title", pa.string()),  # after redirects, "Category:..."
            pa.field("qid", pa.string()),  # after P301 and merges
            pa.field("revision_id", pa.int64()),  # of the Commons page
            pa.field("fetched_at", pa.timestamp("ms", tz="UTC"), metadata=_VOLATILE),
            pa.field("error", pa.string()),  # why, where more is known than the status says
        ]
    ),
)

CLASSES = Dataset(
    path="scrape/classes",
    stage="scrape",
    schema=pa.schema(
        [
            _required("split", pa.string()),
            _required("landmark_id", pa.int64()),
            _required("qid", pa.string()),
            _required("class_qid", pa.string()),
            _required("class_label", pa.string()),  # en, then mul, then the Q-id itself
            pa.field("label_language", pa.string()),  # "en", "mul", or null: no label
            # the statement's: "preferred" or "normal"; "best" where a truthy dump tells no more
            _required("rank", pa.string()),
        ]
    ),
)

SUPERCLASSES = Dataset(
    path="scrape/superclasses",
    stage="scrape",
    schema=pa.schema(
        [
            _required("class_qid", pa.string()),  # a class of CLASSES
            _required(
                "depth", pa.int32()
            ),  # steps of P279 from it, the fewest; 1 is its direct one
            _required("superclass_qid", pa.string()),
            _required("superclass_label", pa.string()),
            pa.field("label_language", pa.string()),
            _required("status", pa.string()),  # ok | failed: the label could not be fetched
            pa.field("error", pa.string()),
        ]
    ),
)

# What a refresh of the scrape found: `hgld.scrape.refresh`.
LANDMARK_CHANGES = Dataset(
    path="scrape/landmark_changes",
    stage="refresh",
    schema=pa.schema(
        [
            _required("split", pa.string()),
            _required("landmark_id", pa.int64()),
            # new, gone: the landmark has a class it did not have, or had one.
            # changed: a class has another label or rank.
            # status: no class differs, the landmark's status or item does.
            _required("change", pa.string()),
            _required("status_before", pa.string()),
            _required("status_after", pa.string()),
            pa.field("qid_before", pa.string()),
            pa.field("qid_after", pa.string()),
            pa.field("class_qid", pa.string()),  # null where change is status
            pa.field("label_before", pa.string()),  # null where the class is new
            pa.field("label_after", pa.string()),  # null where it is gone
            pa.field("rank_before", pa.string()),
            pa.field("rank_after", pa.string()),
        ]
    ),
)

CLASS_CHANGES = Dataset(
    path="scrape/class_changes",
    stage="refresh",
    schema=pa.schema(
        [
            _required("class_qid", pa.string()),
            # new, gone: the first landmark has it, or none any more. changed: another label, or
            # another number of landmarks.
            _required("change", pa.string()),
            pa.field("label_before", pa.string()),
            pa.field("label_after", pa.string()),
            _required("landmarks_before", pa.int64()),
            _required("landmarks_after", pa.int64()),
        ]
    ),
)

LABELS = Dataset(
    path="labels/classes",
    stage="embed",
    schema=pa.schema(
        [
            _required("class_qid", pa.string()),
            _required("class_label", pa.string()),
            pa.field("label_language", pa.string()),
            _required("landmarks", pa.int64()),  # (split, landmark_id) pairs with this class
        ]
    ),
)

EMBEDDINGS = Dataset(
    path="labels/embeddings",
    stage="embed",
    schema=pa.schema(
        [
            _required("class_qid", pa.string()),
            _required("text", pa.string()),  # the prompt that was encoded
            _required("embedding", pa.list_(pa.float32())),  # unit norm
        ]
    ),
)

# Words of which it is known whether they are natural or human-made, encoded like the labels: the
# cluster stage proposes a cluster's side by the nearest of them, and needs no encoder for it.
EXAMPLES = Dataset(
    path="labels/examples",
    stage="embed",
    schema=pa.schema(
        [
            _required("text", pa.string()),  # the prompt that was encoded
            _required("natural_or_human_made", pa.string()),
            _required("embedding", pa.list_(pa.float32())),  # unit norm
        ]
    ),
)

CLUSTERS = Dataset(
    path="labels/clusters",
    stage="cluster",
    schema=pa.schema(
        [
            _required("class_qid", pa.string()),
            _required("class_label", pa.string()),
            _required("landmarks", pa.int64()),
            # 0-based; clusters are numbered by descending landmarks, then smallest Q-id
            _required("cluster_id", pa.int32()),
            _required("similarity", pa.float32()),  # cosine to the cluster's centre
            _required("proposed_label", pa.string()),  # one per cluster
            _required("proposed_natural_or_human_made", pa.string()),
        ]
    ),
)

TAXONOMY = Dataset(
    path="review/taxonomy",
    stage="review",
    schema=pa.schema(
        [
            _required("class_qid", pa.string()),
            _required("class_label", pa.string()),
            _required("landmarks", pa.int64()),
            # assigned | ignored: a person's decision. proposed: the cluster's, accepted unseen.
            # undecided: no decision yet, takes no part in annotation.
            _required("decision", pa.string()),
            pa.field("hierarchical_label", pa.string()),
            pa.field("natural_or_human_made", pa.string()),
            pa.field("reviewer", pa.string()),
        ]
    ),
)


# The one place that says which columns of the annotations are levels: training, benchmark and
# report take them from here, as many as there are.
_LEVELS = (
    Level(
        column="landmark_id",
        name="landmark",
        title="landmark",
        shared="same landmark",
    ),
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


def _annotations(split: str) -> Dataset:
    return Dataset(
        path=f"annotations/{split}",
        stage="annotate",
        levels=_LEVELS,
        schema=pa.schema(
            [
                _required("image_id", pa.string()),
                pa.field("landmark_id", pa.int64()),
                # text of the deciding class; as published, also where no label follows from it
                pa.field("supercategory", pa.string()),
                pa.field("hierarchical_label", pa.string()),
                pa.field("natural_or_human_made", pa.string()),
                pa.field("category", pa.string()),
                pa.field("qid", pa.string()),
                pa.field("classes", pa.list_(_CLASS)),  # every class of the landmark, by Q-id
                pa.field(
                    "provenance",
                    pa.struct(
                        [
                            # ok: labelled. Else why not: a status of the scrape, "not_scraped",
                            # "ignored" or "undecided" (every class of the landmark is one of
                            # the two), or "no_landmark"
                            pa.field("status", pa.string(), nullable=False),
                            pa.field("revision_id", pa.int64()),
                            pa.field("class_qid", pa.string()),  # the deciding class
                            # on that class: assigned | proposed | ignored | undecided
                            pa.field("decision", pa.string()),
                            pa.field("reviewer", pa.string()),
                        ]
                    ),
                    nullable=False,
                ),
            ]
        ),
    )


ANNOTATIONS = {split: _annotations(split) for split in ("train", "index", "test")}


def _image_files(split: str) -> Dataset:
    return Dataset(
        path=f"images/records/{split}",
        stage=f"images-{split}",
        schema=pa.schema(
            [
                # empty where a row stands for a whole tar, or a file in it that is no image
                _required("image_id", pa.string()),
                _required("tar", pa.string()),  # where it came from, such as images_000.tar
                pa.field("tar_md5", pa.string()),  # null: unknown
                # ok | failed, or bad: it cannot be decoded, and no file was made of it
                _required("status", pa.string()),
                pa.field("path", pa.string()),  # relative to the workspace
                pa.field("size_bytes", pa.int64()),  # this and the next: null unless ok
                pa.field("sha256", pa.string()),  # of the file
                # width x height; of the bad ones, of those alone that have too many
                pa.field("pixels", pa.int64()),
                pa.field("error", pa.string()),
            ]
        ),
    )


IMAGE_FILES = {split: _image_files(split) for split in ("train", "index", "test")}


def _bad_images(split: str) -> Dataset:
    return Dataset(
        path=f"images/bad_images/{split}",
        stage=f"images-{split}",
        schema=pa.schema(
            [
                _required("image_id", pa.string()),
                _required("tar", pa.string()),
                _required("reason", pa.string()),
            ]
        ),
    )


# The rows of IMAGE_FILES whose status is bad, so that nobody has to look for them.
BAD_IMAGES = {split: _bad_images(split) for split in IMAGE_FILES}


def qid_number(qid: str) -> int:
    """Returns the number of a Q-id: wherever Q-ids are put in order, older items come first.

    Example:
        >>> sorted(["Q10", "Q9"], key=qid_number)
        ['Q9', 'Q10']
    """
    return int(qid[1:])


def qid_numbers(qids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the `qid_number` of each Q-id of a column, as int64."""
    return pc.utf8_slice_codeunits(qids, 1).cast(pa.int64())
