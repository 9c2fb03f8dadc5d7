"""The rows of the scrape, from what is known."""

from hgld.scrape.knowledge import Knowledge
from hgld.scrape.rows import rows_of_evidence, rows_of_landmark, rows_of_superclasses
from hgld.scrape.wikimedia.titles import TitleOrError
from hgld.scrape.wikimedia.wikidata import CATEGORY_ITEM, Entities, Entity
from tests.worlds.wikimedia.answers import TIME, entity_with, read_pages

_ROW = {"split": "index", "landmark_id": 7, "category": "http://x/wiki/A"}


def _known(qid: str = "Q1", **page: object) -> Knowledge:
    """Returns what is known of page A with an item, and of classes Q10, Q11 (merged) and Q12."""
    props = {"pageprops": {"wikibase_item": qid}} if qid else {}
    pages = [{"title": "A", "pageid": 1, "revisions": [{"revid": 5}], **props, **page}]
    known = Knowledge(pages=read_pages(["A"], {"pages": pages}))
    labels = {"Q10": Entity(labels={"en": "tower"}), "Q9": Entity(labels={"mul": "Turm"})}
    known.classes.update(labels | {"Q11": Entity(merged_into="Q9"), "Q12": Entity()})
    return known


def test_a_landmark_has_a_row_of_each_class_by_number_merged_ones_once() -> None:
    known = _known()
    known.items.update({"Q1": entity_with("P31", "Q12", "Q11", "Q10", "Q9", rank="preferred")})
    row, classes = rows_of_landmark(_ROW, TitleOrError("A"), known)
    page = {"page_title": "A", "revision_id": 5, "fetched_at": TIME}
    assert row == {**_ROW, **page, "status": "ok", "error": None, "qid": "Q1"}
    key = ("index", 7, "Q1")
    assert [tuple(one.values()) for one in classes] == [
        (*key, "Q9", "Turm", "mul", "preferred"),
        (*key, "Q10", "tower", "en", "preferred"),
        (*key, "Q12", "Q12", None, "preferred"),
    ]


def test_a_landmark_without_classes_says_where_its_way_ended_or_failed() -> None:
    def end(known: Knowledge, title: str = "A", error: str = "") -> tuple[str, str | None]:
        row, classes = rows_of_landmark(_ROW, TitleOrError(title, error), known)
        assert classes == []
        assert row.get("qid") == ("Q1" if row["status"] == "no_p31" else None)
        assert row.get("page_title") != ""  # it is null
        return row["status"], row["error"]

    known = _known()
    known.items.update({"Q1": entity_with("P31", CATEGORY_ITEM)})
    assert end(known) == ("no_p31", None)
    assert end(_known("")) == ("no_item", None)
    status, error = end(_known("L5"))
    assert (status, "L5" in str(error)) == ("no_item", True)
    assert end(_known(missing=True)) == ("no_page", None)
    assert end(known, "", "names no page") == ("no_page", "names no page")
    # Or what could not be learned.
    known = _known()
    known.items.failed["Q1"], known.pages.failed["B"] = "no item", "no page"
    assert end(known) == ("failed", "no item")
    assert end(known, "B") == ("failed", "no page")


def test_superclasses_stand_at_their_smallest_depth_and_never_above_themselves() -> None:
    known = Entities()
    known.update({"Q1": entity_with("P279", "Q30", "Q4"), "Q4": entity_with("P279", "Q5")})
    known.update({"Q30": entity_with("P279", "Q4", "Q1", "Q5", labels={"en": "x"})})
    known.failed["Q5"] = "no answer"
    rows = [tuple(row.values()) for row in rows_of_superclasses(["Q30", "Q1"], known, 2)]
    assert rows == [
        ("Q1", 1, "Q4", "Q4", None, "ok", None),
        ("Q1", 1, "Q30", "x", "en", "ok", None),
        ("Q1", 2, "Q5", "Q5", None, "failed", "no answer"),
        ("Q30", 1, "Q1", "Q1", None, "ok", None),
        ("Q30", 1, "Q4", "Q4", None, "ok", None),
        ("Q30", 1, "Q5", "Q5", None, "failed", "no answer"),
    ]
    assert list(rows_of_superclasses(["Q1"], known, 0)) == []


def test_evidence_is_of_what_a_class_was_merged_into_by_property_and_value() -> None:
    known = Entities()
    both = (
        entity_with("P8814", "00001740-n").statements
        | entity_with("P1282", "Tag:b", "Key:a").statements
    )
    found = {"Q1": Entity(merged_into="Q2"), "Q2": Entity(statements=both)}
    known.update({**found, "Q3": Entity(merged_into="Q4")})
    known.failed["Q4"] = "no answer"
    assert list(rows_of_evidence(["Q1", "Q3"], known)) == [
        {"class_qid": "Q1", "property": "P1282", "value": "Key:a", "status": "ok"},
        {"class_qid": "Q1", "property": "P1282", "value": "Tag:b", "status": "ok"},
        {"class_qid": "Q1", "property": "P8814", "value": "00001740-n", "status": "ok"},
        {"class_qid": "Q3", "status": "failed", "error": "no answer"},
    ]
