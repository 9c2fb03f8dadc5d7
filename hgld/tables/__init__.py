"""The schema of every table of a build, in one place.

A stage conforms its rows to these schemas before it writes them (`hgld.engine.dataset`), so a
column that drifts fails in its own stage. Fields marked volatile (the time of a fetch) differ
between otherwise equal runs; they are kept in the files and left out of digests.
"""

from hgld.tables.agreement import SUSPECTS
from hgld.tables.annotations import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    BY_CLASS,
    CANDIDATE,
    CREDITS,
    EXCLUDED,
    FILLED,
    FILLED_RULE,
    FLAT_PROVENANCE,
    HIERARCHY,
    LANDMARK_LABELS,
    LEVELS,
    OVERLAP,
    OWN_HIERARCHY,
    PARTIAL,
    PLACE_COLUMNS,
    levels_of_hierarchy,
)
from hgld.tables.choice import LabelOrigin, OriginChoice
from hgld.tables.fields import of_split, qid_number, qid_numbers
from hgld.tables.images import BAD_IMAGES, IMAGE_FILES
from hgld.tables.labels import (
    CENTRES,
    CLUSTER_CHANGES,
    CLUSTER_PROPOSALS,
    CLUSTERS,
    EMBEDDINGS,
    FILL_CHECKS,
    FILLS,
    LABELS,
    PICTURE_VOTES,
    PROPOSALS,
    WORDS,
)
from hgld.tables.metadata import ATTRIBUTIONS, IMAGES, LANDMARKS
from hgld.tables.release import LABEL_CHANGES, NOT_COMPARED, TOLD_OF_LANDMARK
from hgld.tables.review import DECIDED, FILL_DECISIONS, TAXONOMY
from hgld.tables.scrape import (
    ANSWER_LISTS,
    CATEGORIES,
    CLASS_CHANGES,
    CLASS_EVIDENCE,
    CLASSES,
    FACTS,
    LANDMARK_CHANGES,
    PARENTS,
    PLACE_CHANGES,
    PLACE_MISSING,
    PLACES,
    SUPERCLASSES,
)

__all__ = [
    "ANNOTATIONS", "ANSWER_LISTS", "ATTRIBUTIONS", "BAD_ANNOTATIONS", "BAD_IMAGES", "BY_CLASS",
    "CANDIDATE", "CATEGORIES", "CENTRES", "CLASSES", "CLASS_CHANGES", "CLASS_EVIDENCE", "CLUSTERS",
    "CLUSTER_CHANGES", "CLUSTER_PROPOSALS", "CREDITS", "DECIDED", "EMBEDDINGS", "EXCLUDED", "FACTS",
    "FILLED", "FILLED_RULE", "FILLS", "FILL_CHECKS", "FILL_DECISIONS", "FLAT_PROVENANCE",
    "HIERARCHY", "IMAGES", "IMAGE_FILES", "LABELS", "LABEL_CHANGES", "LANDMARKS",
    "LANDMARK_CHANGES", "LANDMARK_LABELS", "LEVELS", "NOT_COMPARED", "OVERLAP", "OWN_HIERARCHY",
    "PARENTS", "PARTIAL", "PICTURE_VOTES", "PLACES", "PLACE_CHANGES", "PLACE_COLUMNS",
    "PLACE_MISSING", "PROPOSALS", "SUPERCLASSES", "SUSPECTS", "TAXONOMY", "TOLD_OF_LANDMARK",
    "WORDS", "LabelOrigin", "OriginChoice", "levels_of_hierarchy", "of_split", "qid_number",
    "qid_numbers",
]  # fmt: skip
