"""The rows of the scrape, from what is known about titles, items and classes. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hgld.scrape.knowledge import Failure, Knowledge, superclasses
from hgld.scrape.wikimedia.titles import title_of_url
from hgld.scrape.wikimedia.wikidata import EVIDENCE, Entities, Found, is_qid, merged
from hgld.tables import qid_number


def rows_of_landmark(
    row: dict[str, Any], known: Knowledge
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns a landmark's row of CATEGORIES and its rows of CLASSES.

    Args:
        row: its split, landmark_id and category.
        known: facts or failure of each key that the landmark needs.

    Returns:
        Column to value; a missing column is null. Only a landmark with status ok has classes.
    """
    try:
        title = title_of_url(row["category"])
    except ValueError as error:
        return {**row, "status": "no_page", "error": str(error)}, []
    landing = known.landing(title)
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
    found = known.landmark(landing)
    if isinstance(found, Failure):
        return {**category, "status": "failed", "error": found.error}, []
    category["qid"] = found.qid
    if not found.classes:
        return {**category, "status": "no_p31"}, []
    return category, _class_rows(row, found, known.classes)


def _without_item(category: dict[str, Any], named: str) -> dict[str, Any]:
    """Returns the row of a landmark that ends at no page, or at a page without an item."""
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


def rows_of_superclasses(
    classes: Iterable[str], known: Entities, depth: int
) -> Iterator[dict[str, Any]]:
    """Yields the superclasses of each class, each at its smallest depth.

    Args:
        classes: Q-ids.
        known: facts or failure of each class.
        depth: how many steps up.

    Yields:
        Rows of SUPERCLASSES, by class, depth and superclass.
    """
    for class_qid in sorted(classes, key=qid_number):
        seen, level = {class_qid}, [class_qid]
        for step in range(1, depth + 1):
            above = [qid for qid in superclasses(level, known) if qid not in seen]
            seen.update(above)
            level = sorted(above, key=qid_number)
            for qid in level:
                label, language = known[qid].label() if qid in known else ("", None)
                error = known.failed.get(qid)
                yield {
                    "class_qid": class_qid,
                    "depth": step,
                    "superclass_qid": qid,
                    "superclass_label": label or qid,
                    "label_language": language,
                    "status": "failed" if error else "ok",
                    "error": error,
                }


def rows_of_evidence(classes: Sequence[str], known: Entities) -> Iterator[dict[str, Any]]:
    """Yields the names of classes in other ontologies, by class, property and value.

    Args:
        classes: Q-ids, in order.
        known: facts or failure of each class, or of the class it was merged into.

    Yields:
        Rows of CLASS_EVIDENCE; a missing column is null.
    """
    for class_qid in classes:
        end = merged(class_qid, known)
        if error := known.failed.get(end):
            yield {"class_qid": class_qid, "status": "failed", "error": error}
            continue
        for prop in EVIDENCE:
            for value in known[end].best_texts(prop):
                yield {"class_qid": class_qid, "property": prop, "value": value, "status": "ok"}
