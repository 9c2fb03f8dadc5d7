"""THE RULE: which class of a landmark decides on its label."""

import pyarrow as pa
import pyarrow.compute as pc

from hgld.errors import MissingInputError
from hgld.tables import qid_numbers


def deciding_classes(classes: pa.Table, taxonomy: pa.Table) -> pa.Table:
    """Chooses, for each landmark, the class that decides on its label.

    1. Each class of the landmark that is assigned or proposed is one vote for its super-category.
       Ignored and undecided classes have no vote.
    2. The super-category with most votes wins. Of equal ones, the one that has the most specific
       of their classes.
    3. The deciding class is the most specific class of that super-category. Where no class has a
       vote, it is the most specific class of all, which gives the landmark a text and no label.

    A class is more specific than another if fewer landmarks have it; of equal ones, if its Q-id
    has the smaller number. So `church building` with `parish church` and `tourist attraction`
    (ignored) is a church by two votes, and its text is that of the rarer of the two.

    Args:
        classes: rows of CLASSES; a repeated row counts once.
        taxonomy: rows of TAXONOMY, one for each class that occurs.

    Returns:
        One row for each landmark that has a class, in no particular order: split, landmark_id,
        class_qid (the deciding class), class_label, decision, reviewer, hierarchical_label and
        natural_or_human_made.

    Raises:
        MissingInputError: a class that the taxonomy lacks: it was made from another scrape.
    """
    ranked = taxonomy.append_column("number", qid_numbers(taxonomy["class_qid"]))
    ranked = ranked.sort_by([("landmarks", "ascending"), ("number", "ascending")])
    place = pc.index_in(classes["class_qid"], value_set=ranked["class_qid"]).cast(pa.int64())
    if place.null_count:
        unknown = classes["class_qid"].filter(pc.is_null(place))[0]
        raise MissingInputError(
            f"class {unknown} of the scrape is not in the taxonomy, which is older; run "
            f"`hgld embed`, `hgld cluster` and `hgld review` again"
        )
    rows = pa.table(
        {
            "split": classes["split"],
            "landmark_id": classes["landmark_id"],
            "place": place,  # 0: the most specific class of all
            "hierarchical_label": ranked["hierarchical_label"].take(place),
        }
    )
    rows = rows.group_by(rows.column_names).aggregate([])
    groups = rows.group_by(["split", "landmark_id", "hierarchical_label"]).aggregate(
        [([], "count_all"), ("place", "min")]
    )
    has_vote = pc.is_valid(groups["hierarchical_label"])
    votes = pc.if_else(has_vote, groups["count_all"], 0)
    # One number orders as (votes, specificity) does, since place < size.
    size = max(len(ranked), 1)
    groups = groups.append_column(
        "score", pc.subtract(pc.multiply(votes, size), groups["place_min"])
    )
    best = groups.group_by(["split", "landmark_id"]).aggregate([("score", "max")])
    score = best["score_max"]
    votes = pc.divide(pc.add(score, size - 1), size)
    place = pc.subtract(pc.multiply(votes, size), score)
    columns = (
        *("class_qid", "class_label", "decision", "reviewer"),
        *("hierarchical_label", "natural_or_human_made"),
    )
    deciding = ranked.select(columns).take(place)
    return pa.table(
        {"split": best["split"], "landmark_id": best["landmark_id"]}
        | {name: deciding[name] for name in columns}
    )
