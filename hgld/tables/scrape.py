"""Wikimedia's data on each landmark and each class."""

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
        pa.field("page_title", pa.string()),  # after redirects, "Category:..."; null for a Q-id
        pa.field("qid", pa.string()),  # after P301 and merges
        pa.field("revision_id", pa.int64()),  # of the Commons page
        pa.field("fetched_at", pa.timestamp("ms", tz="UTC"), metadata=VOLATILE),
        pa.field("error", pa.string()),  # details, if there are any beyond the status
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
        required("rank", pa.string()),  # of the statement: "preferred" or "normal"
    ),
)

SUPERCLASSES = Dataset(
    path="scrape/superclasses",
    stage="scrape",
    schema=schema(
        required("class_qid", pa.string()),  # a class of CLASSES
        required("depth", pa.int32()),  # fewest steps of P279 from it; 1: a direct superclass
        required("superclass_qid", pa.string()),
        required("superclass_label", pa.string()),
        pa.field("label_language", pa.string()),
        required("status", pa.string()),  # ok | failed: the label could not be fetched
        pa.field("error", pa.string()),
    ),
)

# Names of a class elsewhere, from Wikidata's best statements: `hgld.scrape.stage`. A class without
# any has no row. It may be incomplete although the classes are complete: stages for which it is
# optional read its only file, `scrape/class_evidence/00000.parquet`, as an input file.
CLASS_EVIDENCE = Dataset(
    path="scrape/class_evidence",
    stage="evidence",
    schema=schema(
        required("class_qid", pa.string()),  # a class of CLASSES
        # P1282: an OpenStreetMap tag or key, such as Tag:amenity=cafe. P1709: the URL of a class
        # in another ontology, of any scheme. P8814: a WordNet 3.1 synset. Null: failed.
        pa.field("property", pa.string()),
        pa.field("value", pa.string()),  # as in Wikidata; null if failed
        required("status", pa.string()),  # ok | failed: the class could not be asked about
        pa.field("error", pa.string()),
    ),
)

# What Wikidata says of the items of landmarks, of the places that they lie in, and of their
# countries, continents and styles: `hgld.scrape.places`. One row a statement that is not
# deprecated; an entity without any has no row.
FACTS = Dataset(
    path="scrape/facts",
    stage="facts",
    schema=schema(
        required("qid", pa.string()),
        # P17 country, P30 continent, P131 place, P149 style, P297 ISO 3166-1 code, P361 part of,
        # P571 inception, P576 dissolved, P625 coordinates, P1366 replaced by, P1435 heritage
        # status. Null: failed.
        pa.field("property", pa.string()),
        # a Q-id or text; of coordinates, the Q-id of their globe; null: unknown to Wikidata
        pa.field("value", pa.string()),
        pa.field("rank", pa.string()),  # "preferred" or "normal"
        pa.field("started", pa.string()),  # P580, in RDF: year 0 is 1 BCE; "unknown"
        pa.field("ended", pa.string()),  # P582
        pa.field("latitude", pa.float64()),  # degrees
        pa.field("longitude", pa.float64()),
        # of coordinates in degrees; of a time 9 for a year, 8 for a decade, 7 for a century
        pa.field("precision", pa.float64()),
        required("status", pa.string()),  # ok | failed: the entity could not be asked about
        pa.field("error", pa.string()),
    ),
)

_TEXTS = pa.list_(pa.field("element", pa.string(), nullable=False))

PLACE_MISSING = pa.struct(
    [pa.field(name, pa.string()) for name in ("coordinates", "country", "country_code")]
    + [pa.field(name, pa.string()) for name in ("continent", "places", "inception", "styles")]
)
"""Why a landmark lacks a part of it: none | unknown (to Wikidata) | several | dissolved (a state,
without one successor) | not_on_earth | imprecise (a millennium, say) | no_item | failed |
not_asked; null: it has it."""

# What follows from the facts: `hgld.scrape.places` has the rules. One row for each of CATEGORIES.
# Stages for which it is optional read the only file, `scrape/places/00000.parquet`.
PLACES = Dataset(
    path="scrape/places",
    stage="facts",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        pa.field("qid", pa.string()),
        required("status", pa.string()),  # ok | no_item | failed
        pa.field("latitude", pa.float64()),  # degrees, on Earth
        pa.field("longitude", pa.float64()),
        pa.field("coordinate_precision", pa.float64()),  # degrees; null: not stated
        pa.field("globe_qid", pa.string()),  # Q2: Earth; others have no latitude here
        required("countries", _TEXTS),  # of today, by number
        pa.field("country_qid", pa.string()),  # where there is exactly one; so the next four
        pa.field("country", pa.string()),  # its name
        pa.field("country_code", pa.string()),  # ISO 3166-1, two letters
        pa.field("continent_qid", pa.string()),
        pa.field("continent", pa.string()),
        required("places", _TEXTS),  # administrative, finest first, without the country
        required("place_names", _TEXTS),
        pa.field("inception_year", pa.int64()),  # -1: 1 BCE; there is no year 0
        pa.field("inception_precision", pa.string()),  # year | decade | century
        required("styles", _TEXTS),  # of architecture, by number
        required("style_names", _TEXTS),
        required("part_of", _TEXTS),  # what the item is a part of (P361), by number
        required("place_missing", PLACE_MISSING),
        pa.field("error", pa.string()),
    ),
)

PLACE_CHANGES = Dataset(
    path="scrape/place_changes",
    stage="facts",
    schema=schema(
        required("split", pa.string()),
        required("landmark_id", pa.int64()),
        required("column", pa.string()),  # of PLACES
        pa.field("before", pa.string()),  # a list joined by commas; null: it had none
        pa.field("after", pa.string()),
    ),
)
"""What a refresh changed in the places of landmarks; no row without one."""

# The Commons parents of categories whose landmarks have no class, and of some with a class, to
# learn from: `hgld.scrape.parents`. Stages for which they are optional read the only file,
# `scrape/parents/00000.parquet`, as an input file.
PARENTS = Dataset(
    path="scrape/parents",
    stage="parents",
    schema=schema(
        required("page_title", pa.string()),  # of CATEGORIES: "Category:..."
        required("status", pa.string()),  # ok | no_page | failed
        # titles of its parents without "Category:" and without hidden ones, sorted
        required("parents", pa.list_(pa.string())),
        # its parents' parents that are not parents too
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
        # new, gone: the landmark got a class, or lost one.
        # changed: the label or rank of a class changed.
        # status: no class changed, but the landmark's status or item did.
        required("change", pa.string()),
        required("status_before", pa.string()),
        required("status_after", pa.string()),
        pa.field("qid_before", pa.string()),
        pa.field("qid_after", pa.string()),
        pa.field("class_qid", pa.string()),  # null if change is status
        pa.field("label_before", pa.string()),  # null if the class is new
        pa.field("label_after", pa.string()),  # null if it is gone
        pa.field("rank_before", pa.string()),
        pa.field("rank_after", pa.string()),
    ),
)

CLASS_CHANGES = Dataset(
    path="scrape/class_changes",
    stage="refresh",
    schema=schema(
        required("class_qid", pa.string()),
        # new: it has its first landmark. gone: no landmark has it any more. changed: its label or
        # its number of landmarks changed.
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
            # path of a list in raw/, relative to the workspace
            pa.field("path", pa.string(), nullable=False, metadata=VOLATILE),
            pa.field("sha256", pa.string(), nullable=False, metadata=VOLATILE),
        ),
    )


# The digests of the lists of answers in raw/ when a stage ended: `hgld verify` checks them.
ANSWER_LISTS = {stage: _answer_lists(stage) for stage in ("scrape", "evidence", "facts", "parents")}
