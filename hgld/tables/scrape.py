"""What Wikimedia says of each landmark and each class."""

import pyarrow as pa

from hgld.engine.dataset import Dataset
from hgld.tables.fields import VOLATILE, required, schema

CATEGORIES = Dataset(
    path="scrape/categories",
    stage="scrape",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        required("category", pa.string()),
        # ok | no_page | no_item | no_p31 | redirect_loop | failed
        required("status", pa.string()),
        pa.field("page_title", pa.string()),  # after redirects, "Category:..."
        pa.field("qid", pa.string()),  # after P301 and merges
        pa.field("revision_id", pa.int64()),  # of the Commons page
        pa.field("fetched_at", pa.timestamp("ms", tz="UTC"), metadata=VOLATILE),
        pa.field("error", pa.string()),  # why, where more is known than the status says
    ),
)

CLASSES = Dataset(
    path="scrape/classes",
    stage="scrape",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        required("qid", pa.string()),
        required("class_qid", pa.string()),
        required("class_label", pa.string()),  # en, then mul, then the Q-id itself
        pa.field("label_language", pa.string()),  # "en", "mul", or null: no label
        required("rank", pa.string()),  # the statement's: "preferred" or "normal"
    ),
)

SUPERCLASSES = Dataset(
    path="scrape/superclasses",
    stage="scrape",
    schema=schema(
        required("class_qid", pa.string()),  # a class of CLASSES
        required("depth", pa.int32()),  # steps of P279 from it, the fewest; 1 is its direct one
        required("superclass_qid", pa.string()),
        required("superclass_label", pa.string()),
        pa.field("label_language", pa.string()),
        required("status", pa.string()),  # ok | failed: the label could not be fetched
        pa.field("error", pa.string()),
    ),
)

# What Wikidata's best statements say that a class is called elsewhere: `hgld.scrape.stage`. A
# class that has none has no row. It may be incomplete where the classes are whole: whoever can do
# without it takes its one file, `scrape/class_evidence/00000.parquet`, as an input file.
CLASS_EVIDENCE = Dataset(
    path="scrape/class_evidence",
    stage="evidence",
    schema=schema(
        required("class_qid", pa.string()),  # a class of CLASSES
        # P1282: OpenStreetMap's tag or key, such as Tag:amenity=cafe. P1709: the URL of a class
        # of another ontology, of any scheme. P8814: a synset of WordNet 3.1. Null: failed.
        pa.field("property", pa.string()),
        pa.field("value", pa.string()),  # as Wikidata has it; null where it failed
        required("status", pa.string()),  # ok | failed: the class could not be asked about
        pa.field("error", pa.string()),
    ),
)

# The parents on Commons of categories whose landmarks have no class, and of some that have one, to
# learn from: `hgld.scrape.parents`. Whoever can do without them takes its one file,
# `scrape/parents/00000.parquet`, as an input file.
PARENTS = Dataset(
    path="scrape/parents",
    stage="parents",
    schema=schema(
        required("page_title", pa.string()),  # of CATEGORIES: "Category:..."
        required("status", pa.string()),  # ok | no_page | failed
        # the titles of its parents without "Category:", hidden ones left out, by title
        required("parents", pa.list_(pa.string())),
        # those of its parents' parents that are not among them, where they were asked for
        required("grandparents", pa.list_(pa.string())),
        pa.field("fetched_at", pa.timestamp("ms", tz="UTC"), metadata=VOLATILE),
        pa.field("error", pa.string()),
    ),
)

# What a refresh of the scrape found: `hgld.scrape.refresh`.
LANDMARK_CHANGES = Dataset(
    path="scrape/landmark_changes",
    stage="refresh",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        # new, gone: the landmark has a class it did not have, or had one.
        # changed: a class has another label or rank.
        # status: no class differs, the landmark's status or item does.
        required("change", pa.string()),
        required("status_before", pa.string()),
        required("status_after", pa.string()),
        pa.field("qid_before", pa.string()),
        pa.field("qid_after", pa.string()),
        pa.field("class_qid", pa.string()),  # null where change is status
        pa.field("label_before", pa.string()),  # null where the class is new
        pa.field("label_after", pa.string()),  # null where it is gone
        pa.field("rank_before", pa.string()),
        pa.field("rank_after", pa.string()),
    ),
)

CLASS_CHANGES = Dataset(
    path="scrape/class_changes",
    stage="refresh",
    schema=schema(
        required("class_qid", pa.string()),
        # new, gone: the first landmark has it, or none any more. changed: another label, or
        # another number of landmarks.
        required("change", pa.string()),
        pa.field("label_before", pa.string()),
        pa.field("label_after", pa.string()),
        required("landmarks_before", pa.int64()),
        required("landmarks_after", pa.int64()),
    ),
)


def _answer_lists(stage: str) -> Dataset:
    return Dataset(
        path=f"scrape/answers/{stage}.parquet",
        stage=stage,
        schema=schema(
            # of a list in raw/, relative to the workspace
            pa.field("path", pa.string(), nullable=False, metadata=VOLATILE),
            pa.field("sha256", pa.string(), nullable=False, metadata=VOLATILE),
        ),
    )


# The lists of answers in raw/ as they were when a stage ended, which proves them: `hgld verify`.
ANSWER_LISTS = {stage: _answer_lists(stage) for stage in ("scrape", "evidence", "parents")}
