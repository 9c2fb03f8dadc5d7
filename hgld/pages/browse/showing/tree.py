"""The hierarchy, and the landmarks of a label page by page."""

import pyarrow as pa
import pyarrow.compute as pc

from hgld.pages.browse.showing.sights import Sights
from hgld.pages.browse.showing.wording import reason_words
from hgld.pages.browse.state.landmarks import BrowsedLandmarks, LandmarkGroup
from hgld.pages.browse.views import (
    CountedClass,
    GroupPage,
    LandmarkAt,
    LandmarkRow,
    NodeView,
    SideView,
    TreeView,
)
from hgld.pages.serving.wikimedia import landmark_name, wikidata_url

ROWS = 120
"""Landmarks on a page of a label."""
_CLASSES = 12
_SIDES = ("natural", "human-made")


def node_view(sights: Sights, group: LandmarkGroup) -> NodeView:
    """Returns a label, or a reason for none, with what hangs on it."""
    rows = range(group.start, group.end)
    return NodeView(
        slug=group.slug,
        title=group.label or f"no label: {reason_words(group.reason)}",
        side=group.side,
        landmarks=len(rows),
        images=int(sights.landmarks.images[group.start : group.end].sum()),
        cover=sights.cover_of_any(rows),
    )


def tree_view(nodes: list[NodeView], landmarks: BrowsedLandmarks) -> TreeView:
    """Returns the whole hierarchy.

    Args:
        nodes: of each group, in their order.
        landmarks: all of them.
    """
    labels = sorted(
        (one for one in nodes if one.side), key=lambda one: (-one.landmarks, -one.images, one.title)
    )
    found = (*_SIDES, *sorted({one.side for one in labels} - set(_SIDES)))
    sides = []
    for side in found:
        mine = tuple(one for one in labels if one.side == side)
        if mine:
            sides.append(
                SideView(
                    side, mine, sum(one.landmarks for one in mine), sum(one.images for one in mine)
                )
            )
    reasons = tuple(one for one in nodes if not one.side)
    return TreeView(
        sides=tuple(sides),
        reasons=reasons,
        landmarks=len(landmarks),
        images=sum(one.images for one in nodes),
        labels=len(labels),
        unlabelled=sum(one.landmarks for one in reasons),
    )


def group_pages(group: LandmarkGroup) -> int:
    """Returns how many pages the landmarks of a label take; one where there is none."""
    return max(1, -(-(group.end - group.start) // ROWS))


def group_view(sights: Sights, group: LandmarkGroup, node: NodeView, page: int) -> GroupPage:
    """Returns a page of the landmarks of a label.

    Args:
        sights: shows images.
        group: the label.
        node: the same in the tree.
        page: from 1.
    """
    start = group.start + (page - 1) * ROWS
    rows = range(start, min(start + ROWS, group.end))
    classes = _classes(sights.landmarks.table.slice(group.start, group.end - group.start))
    return GroupPage(
        node=node,
        reason=group.reason,
        rows=landmark_rows_of(sights, rows),
        classes=tuple(classes[:_CLASSES]),
        more_classes=max(0, len(classes) - _CLASSES),
        page=page,
        pages=group_pages(group),
        first=start - group.start + 1,
    )


def landmark_rows_of(
    sights: Sights, rows: "range | list[int]", nodes: list[NodeView] | None = None
) -> tuple[LandmarkRow, ...]:
    """Returns landmarks as they stand in a list.

    Args:
        sights: shows images.
        rows: of the landmarks.
        nodes: of each group, where the list is of several.
    """
    landmarks = sights.landmarks
    columns = ["category", "supercategory", "split", "landmark_id"]
    told = landmarks.table.select(columns).take(pa.array(rows, pa.int64())).to_pylist()
    return tuple(
        LandmarkRow(
            at=landmark_at(landmarks, row),
            name=name_of(one["category"], one["split"], one["landmark_id"]),
            class_label=one["supercategory"] or "",
            images=int(landmarks.images[row].sum()),
            cover=cover,
            node=nodes[int(landmarks.group_of[row])] if nodes else None,
        )
        for row, one, cover in zip(rows, told, sights.covers(rows), strict=True)
    )


def landmark_at(landmarks: BrowsedLandmarks, row: int) -> LandmarkAt:
    """Returns where the page of a landmark is."""
    group = landmarks.groups[int(landmarks.group_of[row])]
    space, number = (landmarks.table[name][row].as_py() for name in ("split", "landmark_id"))
    return LandmarkAt(space, number, group.slug, row - group.start)


def name_of(category: str | None, space: str, number: int) -> str:
    """Returns the name of a landmark: its Commons category, or its number.

    Example:
        >>> name_of("http://commons.wikimedia.org/wiki/Category:Lac_d%27Annecy", "train", 7)
        "Lac d'Annecy"
        >>> name_of(None, "train", 7)
        'train landmark 7'
    """
    return (landmark_name(category) if category else "") or f"{space} landmark {number}"


def _classes(table: pa.Table) -> list[CountedClass]:
    """Returns the classes that decide, those of most landmarks first."""
    known = table.filter(pc.is_valid(table["class_qid"]))
    counts = known.group_by("class_qid").aggregate([([], "count_all"), ("supercategory", "min")])
    order = [("count_all", "descending"), ("class_qid", "ascending")]
    return [
        CountedClass(
            row["class_qid"],
            row["supercategory_min"] or row["class_qid"],
            wikidata_url(row["class_qid"]),
            row["count_all"],
        )
        for row in counts.sort_by(order).to_pylist()
    ]
