"""The classes of all landmarks: their vectors, groups and proposals."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import required, schema

LABELS = Dataset(
    path="labels/classes",
    stage="embed",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),
        pa.field("label_language", pa.string()),
        required("landmarks", pa.int64()),  # (split, landmark_id) pairs with this class
    ),
)

EMBEDDINGS = Dataset(
    path="labels/embeddings",
    stage="embed",
    schema=schema(
        required("class_qid", pa.string()),
        required("text", pa.string()),  # the encoded text; one line per prompt
        required("embedding", pa.list_(pa.float32())),  # unit norm
    ),
)

# Phrases of the taxonomy, each an example of its super-category, encoded like the labels, so that
# proposals compare vectors without an encoder.
WORDS = Dataset(
    path="labels/words",
    stage="embed",
    schema=schema(
        required("text", pa.string()),  # the encoded text, as in EMBEDDINGS
        required("phrase", pa.string()),
        required("hierarchical_label", pa.string()),
        required("natural_or_human_made", pa.string()),
        required("kind", pa.string()),  # name, alias, wordnet or openstreetmap
        required("embedding", pa.list_(pa.float32())),  # unit norm
    ),
)

CLUSTERS = Dataset(
    path="labels/clusters",
    stage="cluster",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),
        required("landmarks", pa.int64()),
        # Kept from run to run, so there may be gaps. The first run numbers from 0 by descending
        # landmarks, then smallest Q-id; a new cluster gets an unused number.
        required("cluster_id", pa.int32()),
        required("similarity", pa.float32()),  # cosine to the cluster's centre
    ),
)

CENTRES = Dataset(
    path="labels/centres",
    stage="cluster",
    schema=schema(
        required("cluster_id", pa.int32()),
        required("classes", pa.int64()),
        required("landmarks", pa.int64()),  # over its classes; one with two counts twice
        # mean of its classes' vectors (EMBEDDINGS) at unit norm
        required("centre", pa.list_(pa.float32())),
    ),
)

# Where the classes of each cluster came from and went, in the last run that changed a cluster.
CLUSTER_CHANGES = Dataset(
    path="labels/cluster_changes",
    stage="cluster",
    schema=schema(
        # kept: classes that stayed in the cluster.
        # split: classes that left a cluster that still exists.
        # merged: classes that came from a cluster that no longer exists.
        # new, gone: classes that are new in the build, or no longer in it.
        required("change", pa.string()),
        pa.field("cluster_id_before", pa.int32()),  # null where new
        pa.field("cluster_id_after", pa.int32()),  # null where gone
        required("classes", pa.int64()),
    ),
)

# One row for each class, even if several classes have the same label.
PROPOSALS = Dataset(
    path="labels/proposals",
    stage="propose",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),
        required("landmarks", pa.int64()),
        required("cluster_id", pa.int32()),
        required("similarity", pa.float32()),  # cosine to the cluster's centre
        pa.field("proposed_label", pa.string()),  # the likeliest answer; null: ignore the class
        # of the proposed label; of the runner-up if that is null
        pa.field("proposed_natural_or_human_made", pa.string()),
        required("proposed_action", pa.string()),  # accept | ignore | ask
        # how often such proposals are right: measured, calibration.csv of hgld.labels.proposing
        required("confidence", pa.float32()),
        # decided: by a person. automatic: right at least 99 times in 100. likely. doubtful: ask
        required("tier", pa.string()),
        required("evidence", pa.string()),  # in words, the strongest first
        pa.field("runner_up", pa.string()),  # null: ignore the class
        required("runner_up_confidence", pa.float32()),
    ),
)

CLUSTER_PROPOSALS = Dataset(
    path="labels/cluster_proposals",
    stage="propose",
    schema=schema(
        required("place", pa.int32()),  # in the reviewer's order: 0 settles most
        required("cluster_id", pa.int32()),
        required("name", pa.string()),  # never empty; made from the members only
        required("classes", pa.int64()),
        required("open", pa.int64()),  # classes without a decision
        required("landmarks", pa.int64()),
        pa.field("proposed_label", pa.string()),  # of most landmarks; null: ignore them
        pa.field("proposed_natural_or_human_made", pa.string()),
        required("share", pa.float32()),  # share of the landmarks with this proposed label
        required("confidence", pa.float32()),  # mean of the members with it
        # landmarks x (1.05 - confidence) of its open classes: what a review of it is worth
        required("settles", pa.float64()),
    ),
)

# The votes of pictures for each landmark without a labelled class: `hgld.labels.looks`.
PICTURE_VOTES = Dataset(
    path="labels/picture_votes",
    stage="look",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        # ok; "no_picture" that can be decoded; "failed": its pictures differ from their records,
        # so fetch them again
        required("status", pa.string()),
        pa.field("best_guess", pa.string()),  # the majority vote; null without pictures
        # mean confidence of the pictures that voted for it, 0 to 1, and their share of all
        # pictures; null without pictures
        pa.field("confidence", pa.float32()),
        pa.field("share", pa.float32()),
        required("pictures", pa.int32()),  # number of pictures looked at
        required("left_out", pa.int32()),  # number of damaged ones
        required("evidence", pa.string()),  # in words
        # digest of all inputs of the row: a later run with the same inputs reuses the row
        required("made_from", pa.string()),
    ),
)

# The guess for each landmark without a labelled class: `hgld.labels.fills`.
FILLS = Dataset(
    path="labels/fills",
    stage="fill",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        pa.field("category", pa.string()),  # Commons category URL, as in LANDMARKS
        # ok: it has a label. unsure: the best guess is not sure enough, or there is none
        required("status", pa.string()),
        pa.field("hierarchical_label", pa.string()),  # this and the next: null unless ok
        pa.field("natural_or_human_made", pa.string()),
        # the best guess and its side, whatever the status
        pa.field("best_guess", pa.string()),
        pa.field("best_guess_side", pa.string()),
        # how often such a guess is right, 0 to 1, measured on held-out labelled landmarks; 1 if a
        # person accepted it; null without a super-category to choose
        pa.field("confidence", pa.float32()),
        # in words, the strongest first, then what stands near, of which nothing is decided;
        # without a label, it ends with the reason
        required("evidence", pa.string()),
        # the kinds of evidence, joined by "+": words, parents, pictures; or reviewed: a person
        # accepted it
        required("method", pa.string()),
        pa.field("reviewer", pa.string()),  # who accepted it
    ),
)

# Guesses for held-out labelled landmarks, and guesses that a held-out model makes although a person
# refused them: they show how often guesses of each method are right.
FILL_CHECKS = Dataset(
    path="labels/fill_checks",
    stage="fill",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        pa.field("hierarchical_label", pa.string()),  # null: a person refused this guess
        required("best_guess", pa.string()),
        required("confidence", pa.float32()),
        required("method", pa.string()),  # as in FILLS
    ),
)
