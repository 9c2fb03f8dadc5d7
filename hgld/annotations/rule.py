"""THE RULE: which class of a landmark decides its label, and which labels lost."""

import pyarrow as pa
import pyarrow.compute as pc

from hgld.errors import MissingInputError
from hgld.tables import CANDIDATE, qid_numbers


def deciding_classes(classes: pa.Table, taxonomy: pa.Table) -> pa.Table:
    """Chooses, for each landmark, the class that decides its label.

    1. Each assigned or proposed class of the landmark is one vote for its super-category. Ignored
       and undecided classes have no vote.
    2. The super-category with the most votes wins. In a tie, the one with the most specific class
       wins.
    3. The deciding class is the most specific class of the winner. If no class has a vote, it is
       the most specific class overall, which gives the landmark a text but no label.

    A class is more specific than another if fewer landmarks have it; in a tie, if the number of its
    Q-id is smaller. For example, a landmark with `church building`, `parish church` and `tourist
    attraction` (ignored) is a church by two votes, and its text is the rarer class of the two.

    Args:
        classes: rows of CLASSES; a repeated row counts once.
        taxonomy: rows of TAXONOMY, one for each class that occurs.

    Returns:
        One row for each landmark with a class, sorted by split and landmark_id: split, landmark_id,
        class_qid (the deciding class), class_label, decision, reviewer, confidence, accepted_above,
        hierarchical_label, natural_or_human_made, and candidates: every super-category with a vote,
        the winner first (`hgld.tables.CANDIDATE`).

    Raises:
        MissingInputError: a class is not in the taxonomy, which was made from another scrape.
    """
    ranked = taxonomy.append_column("number", qid_numbers(taxonomy["class_qid"]))
    ranked = ranked.sort_by([("landmarks", "ascending"), ("number", "ascending")])
    groups = _groups(classes, ranked)
    numbered = groups.append_column("row", pa.array(range(len(groups)), pa.int64()))
    firsts = numbered.group_by(["split", "landmark_id"]).aggregate([("row", "min")])["row_min"]
    starts = firsts.combine_chunks().sort()
    deciding = groups.take(starts)
    columns = (
        *("class_qid", "class_label", "decision", "reviewer", "confidence", "accepted_above"),
        *("hierarchical_label", "natural_or_human_made"),
    )
    of_class = ranked.select(columns).take(deciding["place"])
    return pa.table(
        {"split": deciding["split"], "landmark_id": deciding["landmark_id"]}
        | {name: of_class[name] for name in columns}
        | {"candidates": _candidates(groups, starts, ranked)}
    )


def _groups(classes: pa.Table, ranked: pa.Table) -> pa.Table:
    """Groups the classes of each landmark by super-category, the best one first.

    Args:
        classes: rows of CLASSES.
        ranked: rows of TAXONOMY, the most specific class first.

    Returns:
        split, landmark_id, hierarchical_label (null for classes without a vote), votes, and place:
        the row of the most specific class in `ranked`.
    """
    place = pc.index_in(classes["class_qid"], value_set=ranked["class_qid"]).cast(pa.int64())
    if place.null_count:
        unknown = classes["class_qid"].filter(pc.is_null(place))[0]
        raise MissingInputError(
            f"class {unknown} of the scrape is not in the taxonomy, which is older; run "
            f"`hgld embed`, `hgld cluster` and `hgld review --settle` again"
        )
    rows = pa.table(
        {
            "split": classes["split"],
            "landmark_id": classes["landmark_id"],
            "place": place,  # 0: the most specific class overall
            "hierarchical_label": ranked["hierarchical_label"].take(place),
        }
    )
    rows = rows.group_by(rows.column_names).aggregate([])
    groups = rows.group_by(["split", "landmark_id", "hierarchical_label"]).aggregate(
        [([], "count_all"), ("place", "min")]
    )
    has_vote = pc.is_valid(groups["hierarchical_label"])
    votes = pc.if_else(has_vote, groups["count_all"], 0)
    groups = pa.table(
        {name: groups[name] for name in ("split", "landmark_id", "hierarchical_label")}
        | {"votes": votes, "place": groups["place_min"]}
    )
    order = [("split", "ascending"), ("landmark_id", "ascending")]
    return groups.sort_by([*order, ("votes", "descending"), ("place", "ascending")])


def _candidates(groups: pa.Table, starts: pa.Array, ranked: pa.Table) -> pa.ListArray:
    """Returns the groups with a vote of each landmark, in their order."""
    has_vote = pc.is_valid(groups["hierarchical_label"]).combine_chunks()
    before = pc.subtract(pc.cumulative_sum(has_vote.cast(pa.int32())), has_vote.cast(pa.int32()))
    voted = groups.filter(has_vote)
    ends = pa.array([len(voted)], pa.int32())
    classes = ranked.select(["class_qid", "landmarks"]).take(voted["place"])
    columns = [*voted.select(["hierarchical_label", "votes"]), *classes]
    named = pa.table(columns, names=CANDIDATE.names).cast(pa.schema(list(CANDIDATE)))
    structs = named.to_struct_array().combine_chunks()
    offsets = pa.concat_arrays([before.take(starts), ends])
    return pa.ListArray.from_arrays(offsets, structs, type=pa.list_(CANDIDATE))
