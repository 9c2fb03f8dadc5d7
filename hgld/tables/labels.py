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
        required("text", pa.string()),  # what was encoded; of several prompts a line each
        required("embedding", pa.list_(pa.float32())),  # unit norm
    ),
)

# Phrases of the taxonomy, each an example of its super-category, encoded like the labels: proposals
# are made by the nearest of them, and need no encoder for it.
WORDS = Dataset(
    path="labels/words",
    stage="embed",
    schema=schema(
        required("text", pa.string()),  # what was encoded, as in EMBEDDINGS
        required("phrase", pa.string()),
        required("hierarchical_label", pa.string()),
        required("natural_or_human_made", pa.string()),
        required("kind", pa.string()),  # name, alias, wordnet or openstreetmap
        required("embedding", pa.list_(pa.float32())),  # unit norm
    ),
)

# Where each class lies on the map of all labels: near vectors are neighbours there.
LABEL_MAP = Dataset(
    path="labels/map",
    stage="map",
    schema=schema(
        required("class_qid", pa.string()),
        # 0 to 1, to the right and up, both at one scale; classes of equal vectors share a place
        required("x", pa.float32()),
        required("y", pa.float32()),
    ),
)

CLUSTERS = Dataset(
    path="labels/clusters",
    stage="cluster",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),
        required("landmarks", pa.int64()),
        # Kept from run to run, so that there may be gaps. At first they are numbered from 0 by
        # descending landmarks, then smallest Q-id; a new cluster gets a number none had.
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

# From where the classes of each cluster came, and where they went: what the last run that moved a
# class between clusters did to those of the run before it.
CLUSTER_CHANGES = Dataset(
    path="labels/cluster_changes",
    stage="cluster",
    schema=schema(
        # kept: the classes that are in the cluster as before.
        # split: those that left a cluster that goes on, for another.
        # merged: those that another cluster has taken from one that does not go on.
        # new, gone: those that the build did not have before, or has no more.
        required("change", pa.string()),
        pa.field("cluster_id_before", pa.int32()),  # null where new
        pa.field("cluster_id_after", pa.int32()),  # null where gone
        required("classes", pa.int64()),
    ),
)

# One row for each class, also where several classes have one label.
PROPOSALS = Dataset(
    path="labels/proposals",
    stage="propose",
    schema=schema(
        required("class_qid", pa.string()),
        required("class_label", pa.string()),
        required("landmarks", pa.int64()),
        required("cluster_id", pa.int32()),
        required("similarity", pa.float32()),  # cosine to the cluster's centre
        pa.field("proposed_label", pa.string()),  # null where the action is ignore
        # of the proposed label; where the action is ignore, of the runner-up
        pa.field("proposed_natural_or_human_made", pa.string()),
        required("proposed_action", pa.string()),  # accept | ignore | ask
        # how often such proposals are right: measured, calibration.csv of hgld.labels.proposing
        required("confidence", pa.float32()),
        # decided: by a person. automatic: right at least 99 times in 100. likely. doubtful: ask
        required("tier", pa.string()),
        required("evidence", pa.string()),  # in words, the strongest first
        pa.field("runner_up", pa.string()),  # null: it is to ignore the class
        required("runner_up_confidence", pa.float32()),
    ),
)

CLUSTER_PROPOSALS = Dataset(
    path="labels/cluster_proposals",
    stage="propose",
    schema=schema(
        required("place", pa.int32()),  # in the reviewer's order: 0 settles most
        required("cluster_id", pa.int32()),
        required("name", pa.string()),  # never empty; made of the members only
        required("classes", pa.int64()),
        required("open", pa.int64()),  # classes without a decision
        required("landmarks", pa.int64()),
        pa.field("proposed_label", pa.string()),  # of most landmarks; null: ignore them
        pa.field("proposed_natural_or_human_made", pa.string()),
        required("share", pa.float32()),  # of the landmarks, that are proposed this label
        required("confidence", pa.float32()),  # mean of the members that are
        # landmarks x uncertainty of its open classes: the mistakes to expect without a review
        required("settles", pa.float64()),
    ),
)

# What the pictures of each landmark that no class gives a label say: `hgld.labels.looks`.
PICTURE_VOTES = Dataset(
    path="labels/picture_votes",
    stage="look",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        # ok, "no_picture" that can be decoded, or "failed": its pictures are not as they were
        # recorded, which fetching them again mends
        required("status", pa.string()),
        pa.field("best_guess", pa.string()),  # what most of them say; null without pictures
        # how sure these are of it on average, 0 to 1, and which share of all its pictures they
        # are; null without pictures
        pa.field("confidence", pa.float32()),
        pa.field("share", pa.float32()),
        required("pictures", pa.int32()),  # that were looked at
        required("left_out", pa.int32()),  # damaged ones
        required("evidence", pa.string()),  # in words
        # digest of all that the row was made from: a later run takes it over where that is
        # the same
        required("made_from", pa.string()),
    ),
)

# What became of each landmark that no class gives a label: `hgld.labels.fills`.
FILLS = Dataset(
    path="labels/fills",
    stage="fill",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        pa.field("category", pa.string()),  # Commons category URL, as LANDMARKS has it
        # ok: it has a label. unsure: the best guess is not sure enough, or there is none
        required("status", pa.string()),
        pa.field("hierarchical_label", pa.string()),  # this and the next: null unless ok
        pa.field("natural_or_human_made", pa.string()),
        # the label in front, and its side, whatever the status
        pa.field("best_guess", pa.string()),
        pa.field("best_guess_side", pa.string()),
        # how often such a guess is right, 0 to 1: measured on labelled landmarks held out; 1
        # where a person said so; null without a super-category to choose
        pa.field("confidence", pa.float32()),
        # in words, the strongest first; where there is no label, it ends with why
        required("evidence", pa.string()),
        # the kinds of evidence it was made of, joined by "+": words, parents, pictures; or
        # reviewed: a person accepted it
        required("method", pa.string()),
        pa.field("reviewer", pa.string()),  # who accepted it
    ),
)

# Guesses for landmarks that have a label, by models that did not see them, and guesses that such a
# model makes and a person has refused: how often guesses of each method are right.
FILL_CHECKS = Dataset(
    path="labels/fill_checks",
    stage="fill",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        pa.field("hierarchical_label", pa.string()),  # null: a person refused this guess
        required("best_guess", pa.string()),
        required("confidence", pa.float32()),
        required("method", pa.string()),  # as FILLS has them
    ),
)
