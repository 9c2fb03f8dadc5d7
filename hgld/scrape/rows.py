"""The rows of the scrape, from what is known of titles, items and classes. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from hgld.scrape.live.gather import Failure, Sources, superclasses
from hgld.scrape.wikimedia.wikidata import Entities, Found, is_qid, merged
from hgld.tables import qid_number


def landmark_rows(
    row: dict[str, Any], title: tuple[str, str], sources: Sources
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns a landmark's row of CATEGORIES and its rows of CLASSES.

    Args:
        row: its split, landmark_id and category.
        title: of the page that the category's URL names, and an empty text; or an empty text, and
            why it names none.
        sources: what is known, after `gather`.

    Returns:
        Column to value; a column that is not there is null. Only a landmark whose status is ok has
        classes.
    """
    if not title[0]:
        return {**row, "status": "no_page", "error": title[1]}, []
    landing = sources.landing(title[0])
    if isinstance(landing, Failure):
        return {**row, "status": "failed", "error": landing.error}, []
    category = {
        **row,
        "status": landing.status,
        "page_title": landing.title or None,
        "revision_id": landing.revision_id,
        "fetched_at": landing.fetched_at,
        "error": landing.error or None,
    }
    if landing.status != "ok" or not is_qid(landing.qid):
        return _without_item(category, landing.qid), []
    found = sources.landmark(landing)
    if isinstance(found, Failure):
        return {**category, "status": "failed", "error": found.error}, []
    category["qid"] = found.qid
    if not found.classes:
        return {**category, "status": "no_p31"}, []
    return category, _class_rows(row, found, sources.knowledge.classes)


def _without_item(category: dict[str, Any], named: str) -> dict[str, Any]:
    """Returns the row of a landmark that ends at no page, or at one that names no item."""
    if category["status"] != "ok":
        return category
    no_qid = f"the page's item is {named!r}, which is no Q-id" if named else None
    return {**category, "status": "no_item", "error": no_qid or category["error"]}


def _class_rows(row: dict[str, Any], found: Found, known: Entities) -> list[dict[str, Any]]:
    # Two classes may have been merged into one.
    ranks = {merged(qid, known): rank for qid, rank in found.classes.items()}
    rows = []
    for qid in sorted(ranks, key=qid_number):
        label, language = known[qid].label()
        rows.append(
            {
                "split": row["split"],
                "landmark_id": row["landmark_id"],
                "qid": found.qid,
                "class_qid": qid,
                "class_label": label or qid,
                "label_language": language,
                "rank": ranks[qid],
            }
        )
    return rows


def superclass_rows(
    classes: Iterable[str], sources: Sources, depth: int
) -> Iterator[dict[str, Any]]:
    """Yields what lies above each class, each superclass at its smallest depth.

    Args:
        classes: Q-ids.
        sources: what is known, after `gather`.
        depth: how many steps up.

    Yields:
        Rows of SUPERCLASSES, by class, depth and superclass.
    """
    known = sources.knowledge.classes
    for class_qid in sorted(classes, key=qid_number):
        seen, level = {class_qid}, [class_qid]
        for step in range(1, depth + 1):
            above = [qid for qid in superclasses(level, known) if qid not in seen]
            seen.update(above)
            level = sorted(above, key=qid_number)
            for qid in level:
                label, language = known[qid].label() if qid in known else ("", None)
                error = sources.classes.failed.get(qid)
                yield {
                    "class_qid": class_qid,
                    "depth": step,
                    "superclass_qid": qid,
                    "superclass_label": label or qid,
                    "label_language": language,
                    "status": "failed" if error else "ok",
                    "error": error,
                }
