"""From a title to its page, its landmark and its rows, on answers shaped as MediaWiki's."""

import pytest

from hgld.scrape.knowledge import Failure, Knowledge, superclasses
from hgld.scrape.rows import rows_of_evidence, rows_of_landmark, rows_of_superclasses
from hgld.scrape.wikimedia.commons import CommonsPages, Landing
from hgld.scrape.wikimedia.wikidata import Entities, Entity, Found
from tests.worlds.wikimedia import answers
from tests.worlds.wikimedia.answers import answer_of, entity_with, read_pages, soft_page


def end(title: str, pages: CommonsPages, texts: dict[str, str]) -> tuple[str, str, str]:
    """Returns the status, title and item where a title leads by way of soft redirects."""
    landing = Knowledge(pages=pages, redirects=answers.read_texts(texts)).walk(title)
    assert isinstance(landing, Landing)
    return landing.status, landing.title, landing.qid


def test_soft_and_hard_redirects_in_one_ring_are_a_loop() -> None:
    hard = [{"from": "Category:B", "to": "Category:A"}]
    query = {"redirects": hard, "pages": [soft_page("Category:A")]}
    pages = read_pages(["Category:A", "Category:B"], query)
    assert end("Category:A", pages, {"Category:A": "{{Seecat|B}}"})[0] == "redirect_loop"


@pytest.mark.parametrize(("hops", "status"), [(10, "ok"), (11, "redirect_loop")])
def test_a_chain_of_soft_redirects_is_followed_only_so_far(hops: int, status: str) -> None:
    titles = [f"Category:{number}" for number in range(hops + 1)]
    found = [*(soft_page(title) for title in titles[:-1]), {"title": titles[-1], "pageid": 1}]
    texts = {f"Category:{n}": f"{{{{Seecat|{n + 1}}}}}" for n in range(hops)}
    assert end(titles[0], read_pages(titles, {"pages": found}), texts)[0] == status


def test_a_marked_page_with_an_item_of_its_own_or_without_a_target_is_the_end() -> None:
    page = soft_page("Category:A", pageprops={"wikibase_item": "Q1"})
    pages = read_pages(["Category:A"], {"pages": [page]})
    assert end("Category:A", pages, {}) == ("ok", "Category:A", "Q1")
    pages = read_pages(["Category:A"], {"pages": [soft_page("Category:A")]})
    assert end("Category:A", pages, {"Category:A": "nothing"}) == ("ok", "Category:A", "")


def test_pages_moved_to_and_fro_and_then_deleted_are_no_pages() -> None:
    missing = [{"title": title, "missing": True} for title in "AB"]
    known = Knowledge(pages=read_pages([*"AB"], {"pages": missing}), follows_moves=True)
    assert known.walk("A") == (known.moves, "A")
    for title, target in ("AB", "BA"):
        move = {"type": "move", "action": "move", "params": {"target_title": target}}
        events = [{"type": "delete", "action": "delete"}, move]
        known.moves.add(answer_of(title, {"logevents": events}))
    landing = known.walk("A")
    assert isinstance(landing, Landing)
    assert (landing.status, landing.error) == ("no_page", "last in its log: delete")
    # Where moves are not followed nobody looks there.
    known.follows_moves = False
    assert known.walk("A") == known.pages["A"]


def test_a_title_that_cannot_be_followed_says_which_answer_is_to_blame() -> None:
    pages = [{"title": "A", "missing": True}, soft_page("B")]
    known = Knowledge(follows_moves=True, pages=read_pages(["A", "B"], {"pages": pages}))
    known.moves.failed["A"] = "no log"
    known.redirects.failed["B"] = "no text"
    known.pages.failed["C"] = "no page"
    failures = [known.landing(title) for title in "ABC"]
    assert failures == [Failure("no log"), Failure("no text"), Failure("no page")]


def _entities(**facts: Entity) -> Entities:
    entities = Entities()
    entities.update(facts)
    return entities


def test_a_landmark_is_known_when_its_item_and_each_of_its_classes_are() -> None:
    item = {"title": "A", "pageprops": {"wikibase_item": "Q1"}}
    page = read_pages(["A"], {"pages": [item]})["A"]
    known = Knowledge(classes=_entities(Q10=Entity(), Q11=Entity(merged_into="Q12")))
    known.items.failed["Q1"] = "no item"
    assert known.landmark(page) == Failure("no item")
    known.items.update({"Q1": entity_with("P31", "Q10", "Q11")})
    found = Found(qid="Q1", classes={"Q10": "normal", "Q11": "normal"})
    assert known.landmark(page) == found
    # What a class was merged into is asked for in its place, and fails in its place.
    known.classes.failed["Q12"] = "no class"
    assert known.landmark(page) == Failure("no class")


def test_superclasses_are_those_of_what_classes_were_merged_into_each_once() -> None:
    known = _entities(
        Q1=Entity(merged_into="Q2"),
        Q2=entity_with("P279", "Q5", "Q4"),
        Q3=entity_with("P279", "Q4"),
        Q5=Entity(merged_into="Q6"),
    )
    assert list(superclasses(["Q1", "Q2", "Q3", "Q9"], known)) == ["Q4", "Q6"]


_ROW = {"split": "index", "landmark_id": 7, "category": "http://x/wiki/A"}


def _known(qid: str = "Q1") -> Knowledge:
    """Returns what is known of page A with an item, and of classes Q10, Q11 (merged) and Q12."""
    page = {"title": "A", "revisions": [{"revid": 5}], "pageprops": {"wikibase_item": qid}}
    known = Knowledge(pages=read_pages(["A"], {"pages": [page]}))
    tower, turm = Entity(labels=(("en", "tower"),)), Entity(labels=(("mul", "Turm"),))
    known.classes.update(
        {"Q10": tower, "Q9": turm, "Q11": Entity(merged_into="Q9"), "Q12": Entity()}
    )
    return known


def test_a_landmark_has_a_row_of_each_class_by_number_merged_ones_once() -> None:
    known = _known()
    known.items.update({"Q1": entity_with("P31", "Q12", "Q11", "Q10", "Q9", rank="preferred")})
    row, classes = rows_of_landmark(_ROW, known)
    page = {"page_title": "A", "revision_id": 5, "fetched_at": answers.TIME}
    assert row == {**_ROW, **page, "status": "ok", "error": None, "qid": "Q1"}
    key = ("index", 7, "Q1")
    assert [tuple(one.values()) for one in classes] == [
        (*key, "Q9", "Turm", "mul", "preferred"),
        (*key, "Q10", "tower", "en", "preferred"),
        (*key, "Q12", "Q12", None, "preferred"),
    ]


def test_a_landmark_that_cannot_have_an_item_or_whose_item_failed_says_so() -> None:
    row, classes = rows_of_landmark(_ROW, _known("L5"))
    assert (row["status"], row.get("qid"), classes) == ("no_item", None, [])
    assert "L5" in str(row["error"])
    known = _known()
    known.items.failed["Q1"] = "no item"
    row, classes = rows_of_landmark(_ROW, known)
    assert (row["status"], row["error"], classes) == ("failed", "no item", [])


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
        *entity_with("P8814", "00001740-n").statements,
        *entity_with("P1282", "Tag:b", "Key:a").statements,
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
