from pathlib import Path

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.views import LandmarkView
from hgld.tables import FILLS
from tests.hgld.annotations.world import CHURCH, DECISIONS, HERITAGE, MUSEUM, PARISH, SCRAPED
from tests.hgld.pages.browse.world import NOTE
from tests.worlds.builders import class_rows, table_of, write_stage, write_taxonomy


def shown(exhibit: Exhibit, space: str, number: int) -> LandmarkView:
    page = exhibit.landmark(space, number)
    assert page is not None
    assert page.is_single
    return page.landmarks[0]


def test_the_chain_goes_from_the_category_to_the_label_and_names_who_decided(
    exhibit: Exhibit,
) -> None:
    one = shown(exhibit, "train", 2)
    assert one.category_url == "https://commons.wikimedia.org/wiki/Category:c/2"
    assert one.revision_url == "https://commons.wikimedia.org/w/index.php?oldid=12"
    assert (one.revision_id, one.fetched) == (12, "2025-01-01")
    assert (one.qid, one.item_url) == ("Q2", "https://www.wikidata.org/wiki/Q2")
    assert [each.class_qid for each in one.classes] == [CHURCH]
    assert one.cluster == "buildings (cluster 7)"
    assert one.who == "ann"
    assert (one.when, one.note) == ("2025-02-03", NOTE)
    assert (one.node.title, one.node.side, one.reason) == ("church", "human-made", "")


def test_what_lost_is_shown_with_its_votes(exhibit: Exhibit) -> None:
    one = shown(exhibit, "train", 1)
    told = [(each.label, each.votes, each.has_won, each.slug) for each in one.candidates]
    assert told == [("church", 2, True, "church"), ("museum", 1, False, "museum")]
    assert {each.class_qid: (each.label, each.is_deciding) for each in one.classes} == {
        CHURCH: ("church", False),
        PARISH: ("church", True),
        MUSEUM: ("museum", False),
        HERITAGE: ("", False),
    }
    (ignored,) = [each for each in one.classes if each.class_qid == HERITAGE]
    assert "ignored" in ignored.decision


def test_a_landmark_without_a_label_says_why(exhibit: Exhibit) -> None:
    reasons = {number: shown(exhibit, "train", number).reason for number in (3, 4, 5)}
    for number, word in {3: "ignored", 4: "Wikidata item", 5: "not"}.items():
        assert word in reasons[number]
    assert len(set(reasons.values())) == 3
    nothing = shown(exhibit, "train", 5)
    assert (nothing.classes, nothing.candidates, nothing.revision_id) == ((), (), None)
    assert (nothing.qid, nothing.decision, nothing.rule) == ("", "", "")


def test_images_come_with_who_made_them(exhibit: Exhibit) -> None:
    one = shown(exhibit, "train", 1)
    made = {sight.image_id: (sight.author, sight.license, sight.source_url) for sight in one.sights}
    assert made == {
        "a0": ("Zo\u00eb & Co", "CC-BY-SA-3.0-DE", ""),
        "a1": ("Ann", "CC-BY-2.0", "https://c.example/1"),
    }
    assert all(sight.picture and sight.has_credit for sight in one.sights)
    assert [sight.has_credit for sight in shown(exhibit, "index", 1).sights] == [False, False]


def test_a_release_alone_shows_what_its_tables_hold(alone: Path, exhibit: Exhibit) -> None:
    one, whole = shown(Exhibit(alone), "train", 1), shown(exhibit, "train", 1)
    assert (one.cluster, one.when) == ("", "")
    assert (one.decision, one.who) == (whole.decision, whole.who)
    assert one.candidates == whole.candidates
    # Of the classes that did not decide it tells what they voted for, and not who said so.
    told = {each.class_qid: (each.label, bool(each.decision)) for each in one.classes}
    assert told[PARISH] == ("church", True)
    assert told[MUSEUM] == ("museum", False)
    assert told[HERITAGE] == ("", False)
    assert {sight.picture for sight in one.sights} == {""}
    assert {sight.author for sight in one.sights} == {"Ann", "Zo\u00eb & Co"}


def test_what_was_decided_since_is_told_and_the_label_stays(build: Workspace) -> None:
    decisions = {**DECISIONS, CHURCH: ("assigned", "chapel", "human-made")}
    write_taxonomy(build, class_rows(SCRAPED), decisions)
    assert not shown(Exhibit(build.root), "train", 2).is_older  # by the same reviewer, assigned
    decisions[CHURCH] = ("proposed", "chapel", "human-made")
    write_taxonomy(build, class_rows(SCRAPED), decisions)
    one = shown(Exhibit(build.root), "train", 2)
    assert one.is_older
    assert (one.node.title, one.who) == ("church", "ann")


def test_what_the_release_changed_stands_with_the_landmark(exhibit: Exhibit) -> None:
    change = shown(exhibit, "index", 1).change
    assert change is not None
    assert (change.change, change.before, change.after) == ("changed", "ocean area ", "lake")
    assert shown(exhibit, "train", 1).change is None


def fill(label: str, **more: object) -> dict[str, object]:
    """Returns a row of FILLS, of a landmark whose class is ignored."""
    row: dict[str, object] = {
        "split": "train",
        "landmark_id": 3,
        "status": "ok",
        "hierarchical_label": label,
        "natural_or_human_made": "human-made",
        "best_guess": label,
        "confidence": 0.875,
        "evidence": "is named one",
        "method": "words+parents",
    }
    return row | more


def test_a_label_that_no_class_gives_says_so_and_how_sure_it_is(build: Workspace) -> None:
    write_stage(build, [(FILLS, table_of(FILLS, [fill("church")]))])
    run_annotate(build, AnnotateConfig(train="all", fills=True))
    one = shown(Exhibit(build.root), "train", 3)
    assert "words+parents" in one.decision
    assert "88%" in one.decision
    assert (one.note, one.who, one.is_older) == ("is named one", "", False)
    assert one.node.title == "church"
    assert sum(one.images.values()) > 0  # its images are shown, too
    assert one.left_out == 0


def test_a_label_that_no_class_gives_to_any_landmark_has_a_page_of_its_own(
    build: Workspace,
) -> None:
    rows = [fill("igloo", method="reviewed", reviewer="eve")]
    write_stage(build, [(FILLS, table_of(FILLS, rows))])
    run_annotate(build, AnnotateConfig(train="all", fills=True))
    exhibit = Exhibit(build.root)
    one = shown(exhibit, "train", 3)
    assert (one.node.title, one.node.slug, one.node.side) == ("igloo", "igloo-filled", "human-made")
    assert one.who == "eve"
    assert "igloo" in [node.title for side in exhibit.tree.sides for node in side.nodes]


def test_an_unknown_landmark_is_none(exhibit: Exhibit) -> None:
    assert exhibit.landmark("train", 99) is None
    assert exhibit.landmark("test", 1) is None
