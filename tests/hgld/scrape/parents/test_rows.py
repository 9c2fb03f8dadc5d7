"""The rows of the parents."""

from typing import Any

from hgld.scrape.knowledge import FoundParents
from hgld.scrape.rows.parents import rows_of_parents
from hgld.scrape.wikimedia.parents import CategoryParents, CommonsParents
from tests.worlds.wikimedia.commons_answers import TIME


def _row(
    parents: dict[str, list[str]],
    *,
    failed: dict[str, str] | None = None,
    levels: int = 2,
    most: int = 20,
) -> dict[str, Any]:
    """Returns the row of category A."""
    known = CommonsParents()
    known.update(
        {
            f"Category:{title}": CategoryParents(fetched_at=TIME, names=tuple(names))
            for title, names in parents.items()
        }
    )
    reasons = {f"Category:{title}": reason for title, reason in (failed or {}).items()}
    found = FoundParents(known=known, failed=reasons)
    (row,) = rows_of_parents(["Category:A"], found, levels, most)
    return row


def test_grandparents_are_those_of_the_parents_that_are_not_parents_themselves() -> None:
    row = _row({"A": ["B", "C"], "B": ["C", "E"], "C": ["D", "E"]})
    assert row == {
        "page_title": "Category:A",
        "status": "ok",
        "parents": ["B", "C"],
        "grandparents": ["D", "E"],
        "fetched_at": TIME,
        "error": None,
    }


def test_categories_that_lie_in_each_other_or_in_themselves_are_not_their_own() -> None:
    row = _row({"A": ["A", "B"], "B": ["A", "B", "C"]})
    assert (row["parents"], row["grandparents"]) == (["B"], ["C"])


def test_one_level_has_no_grandparents_and_no_more_parents_than_wished_for_have_parents() -> None:
    parents = {"A": ["B", "C"], "B": ["D"], "C": ["E"]}
    assert _row(parents, levels=1)["grandparents"] == []
    row = _row(parents, most=1)
    assert (row["parents"], row["grandparents"]) == (["B", "C"], ["D"])


def test_a_row_fails_with_its_own_reason_or_that_of_a_parent_and_has_what_is_known() -> None:
    row = _row({}, failed={"A": "no answer"})
    assert (row["status"], row["error"], row["parents"]) == ("failed", "no answer", [])
    row = _row({"A": ["B", "C"], "B": ["D"]}, failed={"C": "no answer"})
    assert (row["status"], row["error"]) == ("failed", "Category:C: no answer")
    assert (row["parents"], row["grandparents"]) == (["B", "C"], ["D"])
    # Which it does not where nobody asked for the parents of that parent.
    assert _row({"A": ["B", "C"], "B": ["D"]}, failed={"C": "no"}, most=1)["status"] == "ok"
