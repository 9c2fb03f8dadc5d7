"""A few landmarks of each class, so that a reviewer sees what it is about."""

from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import quote, unquote

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import CATEGORIES, CLASSES

_SHOWN = 3
_KEY = ("split", "landmark_id")


def example_landmarks(workspace: Workspace) -> dict[str, Sequence[str]]:
    """Returns the names of a few landmarks of each class, by `class_qid`: their Commons categories.

    The first are those that have the fewest other classes, and so show this one best; then those of
    the smallest numbers. A name that several landmarks share is shown once.

    Args:
        workspace: a build; where its landmarks were not scraped, or not to the end, nothing is
            shown.
    """
    try:
        classes = workspace.read(CLASSES, [*_KEY, "class_qid"])
        categories = workspace.read(CATEGORIES, [*_KEY, "category", "page_title"])
    except MissingInputError:
        return {}
    # Columns and no rows: of 200,000 landmarks that takes a second, and not ten.
    of_landmark: dict[tuple[str, int], set[str]] = defaultdict(set)
    for split, landmark, qid in zip(*classes.to_pydict().values(), strict=True):
        of_landmark[split, landmark].add(qid)
    named = {
        (split, landmark): (category, title)
        for split, landmark, category, title in zip(*categories.to_pydict().values(), strict=True)
    }
    # Train landmarks come before those of the index, which were not chosen for being clear.
    order = sorted(
        (len(qids), split != "train", landmark, split)
        for (split, landmark), qids in of_landmark.items()
    )
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for _, _, landmark, split in order:
        wanted = [qid for qid in of_landmark[split, landmark] if len(found[qid]) < _SHOWN]
        if wanted and (title := _title(*named.get((split, landmark), ("", "")))):
            for qid in wanted:
                found[qid].setdefault(title)
    return {qid: tuple(examples) for qid, examples in found.items() if examples}


def category_link(name: str) -> str:
    """Returns the address of a Commons category.

    Example:
        >>> category_link("Tower of London")
        'https://commons.wikimedia.org/wiki/Category:Tower_of_London'
    """
    return f"https://commons.wikimedia.org/wiki/Category:{quote(name.replace(' ', '_'))}"


def _title(category: str, page_title: str | None) -> str:
    """Returns the name of a landmark's category: as the scrape found it, or GLDv2 has it."""
    title = page_title or unquote(category)
    return title.rpartition("Category:")[2].replace("_", " ").strip()
