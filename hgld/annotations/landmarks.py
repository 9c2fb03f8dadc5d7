"""Joins everything known about each landmark, and builds the tree of the labels in use.

Works on whole columns; no loop runs over landmarks.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from hgld.tables import (
    BY_CLASS,
    FILLED_RULE,
    HIERARCHY,
    LANDMARK_LABELS,
    PLACE_COLUMNS,
    PLACE_MISSING,
    of_split,
    qid_numbers,
)

LABEL_COLUMNS = ("hierarchical_label", "natural_or_human_made")
_SIDES = ("human-made", "natural")
_LONGEST_SLUG = 100  # file systems take names of 255 bytes

_GUESS_COLUMNS = ("best_guess", "best_guess_side", "confidence", "evidence", "method")  # of FILLS


def landmark_rows(
    landmarks: pa.Table,
    categories: pa.Table,
    classes: pa.Table,
    deciding: pa.Table,
    fills: pa.Table,
    places: pa.Table,
) -> pa.Table:
    """Joins everything known about each landmark.

    Args:
        landmarks: rows of LANDMARKS.
        categories: rows of CATEGORIES.
        classes: rows of CLASSES.
        deciding: the result of `deciding_classes` for these.
        fills: rows of FILLS, for landmarks that get no label from a class; may be empty.
        places: rows of PLACES; may be empty.

    Returns:
        The rows of LANDMARK_LABELS, one for each landmark: train first, then in the order of
        LANDMARKS.
    """
    landmarks = landmarks.sort_by([("split", "descending")])
    keys = landmark_keys(landmarks)
    scraped, deciding = _of_landmarks(keys, categories), _of_landmarks(keys, deciding)
    fills = _of_landmarks(keys, fills.filter(pc.is_valid(fills["hierarchical_label"])))
    classes = _of_landmarks(keys, _class_lists(classes))
    has_class = pc.is_valid(deciding["hierarchical_label"])
    is_filled = pc.and_not(pc.is_valid(fills["hierarchical_label"]), has_class)
    label, side = (pc.if_else(is_filled, fills[name], deciding[name]) for name in LABEL_COLUMNS)
    # If the scrape succeeded, the deciding class says why there is no label.
    reason = pc.coalesce(deciding["decision"], scraped["status"], "not_scraped")
    provenance = {
        "status": pc.if_else(pc.is_valid(label), "ok", reason),
        "revision_id": scraped["revision_id"],
        "class_qid": deciding["class_qid"],
        "decision": pc.if_else(is_filled, FILLED_RULE, deciding["decision"]),
        # The reviewer of the class did not decide on a filled label.
        "reviewer": pc.if_else(is_filled, fills["reviewer"], deciding["reviewer"]),
        "method": pc.if_else(is_filled, fills["method"], pc.if_else(has_class, BY_CLASS, None)),
        "confidence": pc.if_else(is_filled, fills["confidence"], deciding["confidence"]),
        "accepted_above": pc.if_else(is_filled, None, deciding["accepted_above"]),
    }
    candidates, listed = (
        pc.coalesce(column, pa.scalar([], column.type)).combine_chunks()
        for column in (deciding["candidates"], classes["classes"])
    )
    of_provenance = pa.schema(list(LANDMARK_LABELS.schema.field("provenance").type))
    columns = provenance | {
        "split": landmarks["split"],
        "landmark_id": landmarks["landmark_id"],
        "supercategory": deciding["class_label"],
        "hierarchical_label": label,
        "natural_or_human_made": side,
        "category": landmarks["category"],
        "qid": scraped["qid"],
        "reason": pc.if_else(pc.is_valid(label), None, reason),
        "rule": pc.if_else(is_filled, FILLED_RULE, _rules(candidates)),
        "fetched_at": scraped["fetched_at"],
        **{name: pc.fill_null(classes[name], "") for name in ("class_qids", "class_labels")},
        "classes": listed,
        "provenance": pa.table(provenance, schema=of_provenance).to_struct_array(),
        "candidates": candidates,
        **_placed(_of_landmarks(keys, places)),
    }
    return pa.table({name: columns[name] for name in LANDMARK_LABELS.schema.names})


def landmark_guesses(landmarks: pa.Table, fills: pa.Table) -> pa.Table:
    """Returns the best guesses for landmarks without a label.

    Args:
        landmarks: N rows of LANDMARK_LABELS.
        fills: rows of FILLS.

    Returns:
        N rows: best_guess, best_guess_side, confidence, evidence and method; null if there is a
        label or no guess.
    """
    keys = landmark_keys(landmarks)
    unlabelled = pc.if_else(pc.is_null(landmarks["hierarchical_label"]), keys, None)
    return _of_landmarks(unlabelled, fills).select(_GUESS_COLUMNS)


def partial_labels(landmarks: pa.Table, guesses: pa.Table) -> pa.Table:
    """Returns landmarks with what is known of those without a super-category.

    Args:
        landmarks: N rows of LANDMARK_LABELS.
        guesses: the result of `landmark_guesses` for these.

    Returns:
        The N rows with `depth`, as in PARTIAL: where there is a guess, with its side, confidence
        and method. Of use for landmarks without a label only.
    """
    side = guesses["best_guess_side"]
    shown = {name: landmarks[name] for name in landmarks.column_names}
    shown |= {name: guesses[name] for name in ("confidence", "method")}
    shown["natural_or_human_made"] = side
    depth = pc.add(pc.is_valid(side).cast(pa.int8()), pa.scalar(1, pa.int8()))
    return pa.table({**shown, "depth": depth})


def with_class_labels(landmarks: pa.Table) -> pa.Table:
    """Removes filled labels: the published files have only labels that come from classes.

    Args:
        landmarks: rows of LANDMARK_LABELS.
    """
    is_filled = pc.equal(landmarks["rule"], FILLED_RULE)
    shown = {name: landmarks[name] for name in landmarks.column_names}
    shown |= {name: pc.if_else(is_filled, None, shown[name]) for name in LABEL_COLUMNS}
    return pa.table(shown, schema=landmarks.schema)


def hierarchy_rows(landmarks: pa.Table, images: Mapping[str, pa.Table]) -> pa.Table:
    """Returns the labels in use, with their counts of landmarks and images.

    Args:
        landmarks: rows of LANDMARK_LABELS, of both label spaces.
        images: split to the LABEL_COLUMNS of each of its images.

    Returns:
        The rows of HIERARCHY. A label in use on both sides has a row for each side.
    """
    keys = [*LABEL_COLUMNS]
    labelled = landmarks.filter(pc.is_valid(landmarks["hierarchical_label"]))
    table = labelled.group_by(keys).aggregate([])
    counted = {f"{split}_images": rows for split, rows in images.items()}
    for space in ("train", "index"):
        counted[f"{space}_landmarks"] = of_split(labelled, space)
    for name, rows in counted.items():
        counts = rows.group_by(keys).aggregate([([], "count_all")]).rename_columns([*keys, name])
        table = table.join(counts, keys)
    table = table.sort_by([(key, "ascending") for key in keys])
    columns = {key: table[key] for key in keys}
    columns |= {name: pc.fill_null(table[name], 0) for name in counted}
    columns["natural_or_human_made_id"] = pc.index_in(table[keys[1]], value_set=pa.array(_SIDES))
    slugs = unique_slugs(table["hierarchical_label"].to_pylist())
    columns["slug"] = pa.array(slugs, pa.string())
    columns["hierarchical_label_id"] = pa.array(range(len(table)), pa.int32())
    return pa.table({name: columns[name] for name in HIERARCHY.schema.names})


def landmark_keys(rows: pa.Table) -> pa.ChunkedArray:
    """Returns a key for the landmark of each row: its label space (test uses index) and its id."""
    space = pc.if_else(pc.equal(rows["split"], "train"), "train", "index")
    return pc.binary_join_element_wise(space, rows["landmark_id"].cast(pa.string()), " ")


def with_row(images: pa.Table, landmarks: pa.Table) -> pa.Table:
    """Adds `row`, the row of each image's landmark; null if there is none."""
    row = pc.index_in(landmark_keys(images), value_set=landmark_keys(landmarks))
    return images.append_column("row", row)


def slug(label: str) -> str:
    """Returns a label for use in a file name or URL: lower-case letters, digits and hyphens.

    Accents are removed; a label without Latin letters and digits gives an empty text.

    Example:
        >>> slug("ocean area "), slug("castle / fort"), slug("Église")
        ('ocean-area', 'castle-fort', 'eglise')
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))


def unique_slugs(labels: Iterable[str]) -> list[str]:
    """Returns a slug for each label: cut if it is long, and numbered if another has it already.

    Example:
        >>> unique_slugs(["castle / fort", "castle-fort", "城"])
        ['castle-fort', 'castle-fort-2', 'label']
    """
    found: list[str] = []
    for label in labels:
        first = slug(label)[:_LONGEST_SLUG] or "label"
        numbered = (f"{first}-{number}" for number in itertools.count(2))
        found.append(next(one for one in itertools.chain([first], numbered) if one not in found))
    return found


def _rules(candidates: pa.ListArray) -> pa.Array:
    """Returns which part of the rule decided for the first candidate."""
    votes = pa.ListArray.from_arrays(candidates.offsets, candidates.values.field("votes"))
    two = pc.list_slice(votes, 0, 2, return_fixed_size_list=True).flatten()  # null for none
    first, second = (two.take(pa.array(range(place, len(two), 2), pa.int64())) for place in (0, 1))
    has_most = pc.fill_null(pc.greater(first, second), fill_value=False)
    return pc.case_when(
        pc.make_struct(pc.is_null(first), pc.is_null(second), has_most),
        *("no_vote", "only_label", "most_votes", "most_specific"),
    )


def _of_landmarks(keys: pa.ChunkedArray, rows: pa.Table) -> pa.Table:
    """Returns the row for each of the `landmark_keys`; all null if there is none."""
    return rows.take(pc.index_in(keys, value_set=landmark_keys(rows)))


def _placed(places: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Returns `place` and the PLACE_COLUMNS of rows of PLACES; null where none was asked for."""
    nothing = dict.fromkeys((field.name for field in PLACE_MISSING), "not_asked")
    columns = {
        field.name: places[field.name]
        if field.nullable
        else pc.coalesce(
            places[field.name],
            pa.scalar(nothing if field.type == PLACE_MISSING else [], field.type),
        )
        for field in PLACE_COLUMNS
    }
    qid, name = (
        pc.list_slice(columns[of].combine_chunks(), 0, 1, return_fixed_size_list=True).flatten()
        for of in ("places", "place_names")
    )
    # Two places may have one name.
    named = pa.table([qid, name], ["qid", "name"]).group_by("name")
    counts = named.aggregate([("qid", "count_distinct")])
    several = counts.filter(pc.greater(counts["qid_count_distinct"], 1))["name"].combine_chunks()
    with_qid = pc.binary_join_element_wise(name, " (", qid, ")", "")
    place = pc.if_else(pc.is_in(name, value_set=several), with_qid, name)
    return columns | {"place": place}


def _class_lists(classes: pa.Table) -> pa.Table:
    """Lists the classes of each landmark, sorted by Q-id."""
    names = ["class_qid", "class_label"]
    rows = classes.group_by(["split", "landmark_id", *names]).aggregate([])
    rows = rows.append_column("number", qid_numbers(rows["class_qid"])).sort_by("number")
    # One thread, because a multi-threaded group-by does not keep the order.
    lists = rows.group_by(["split", "landmark_id"], use_threads=False).aggregate(
        [(name, "list") for name in names]
    )
    qids, labels = (lists[f"{name}_list"].combine_chunks() for name in names)
    kind = LANDMARK_LABELS.schema.field("classes").type
    pairs = [qids.flatten(), labels.flatten()]
    named = pa.ListArray.from_arrays(qids.offsets, pc.coalesce(pairs[1], pairs[0]))
    structs = pa.StructArray.from_arrays(pairs, fields=list(kind.value_type))
    return pa.table(
        {
            **{name: lists[name] for name in ("split", "landmark_id")},
            "classes": pa.ListArray.from_arrays(qids.offsets, structs, type=kind),
            "class_qids": pc.binary_join(qids, " "),
            "class_labels": pc.binary_join(named, "; "),
        }
    )
