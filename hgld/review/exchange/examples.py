"""A few landmarks of each class, so that a reviewer sees what it is about."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import CATEGORIES, CLASSES

_SHOWN = 3


def example_landmarks(workspace: Workspace) -> dict[str, Sequence[str]]:
    """Returns the names of a few landmarks of each class, by `class_qid`: their Commons categories.

    The first are those that have the fewest other classes, and so show this one best; then those of
    the smallest numbers. A name that several landmarks share is shown once.

    Args:
        workspace: a build; where its landmarks were not scraped, or not to the end, nothing is
            shown.
    """
    try:
        classes = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"]).to_pylist()
        categories = workspace.read(
            CATEGORIES, ["split", "landmark_id", "category", "page_title"]
        ).to_pylist()
    except MissingInputError:
        return {}
    titles = {(row["split"], row["landmark_id"]): _title(row) for row in categories}
    of_landmark: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in classes:
        of_landmark[row["split"], row["landmark_id"]].add(row["class_qid"])
    # Train landmarks come before those of the index, which were not chosen for being clear.
    order = sorted(of_landmark, key=lambda key: (len(of_landmark[key]), key[0] != "train", key[1]))
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for key in order:
        title = titles.get(key, "")
        for qid in of_landmark[key] if title else ():
            if len(found[qid]) < _SHOWN:
                found[qid].setdefault(title)
    return {qid: tuple(examples) for qid, examples in found.items()}


def category_link(name: str) -> str:
    """Returns the address of a Commons category.

    Example:
        >>> category_link("Tower of London")
        'https://commons.wikimedia.org/wiki/Category:Tower_of_London'
    """
    return f"https://commons.wikimedia.org/wiki/Category:{quote(name.replace(' ', '_'))}"


def _title(row: Mapping[str, str | None]) -> str:
    """Returns the name of a landmark's category: as the scrape found it, or GLDv2 has it."""
    title = row["page_title"] or unquote(row["category"] or "")
    return title.rpartition("Category:")[2].replace("_", " ").strip()
