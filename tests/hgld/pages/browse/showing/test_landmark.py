from pathlib import Path

import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.views import LandmarkView
from hgld.tables import FILLS
from tests.hgld.annotations.world import CHURCH, HERITAGE, MUSEUM, PARISH
from tests.hgld.pages.browse.world import NOTE
from tests.worlds.builders import table_of, write_stage


def shown(exhibit: Exhibit, space: str, number: int) -> LandmarkView:
    page = exhibit.landmark(space, number)
    assert page is not None
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
    assert (one.cluster, one.who) == ("buildings (cluster 7)", "ann")
    assert (one.when, one.note) == ("2025-02-03", NOTE)
    assert (one.node.title, one.node.side, one.reason) == ("church", "human-made", "")
    change = shown(exhibit, "index", 1).change
    assert change is not None
    assert (change.change, change.before, change.after) == ("changed", "ocean area ", "lake")


def test_what_lost_is_shown_with_its_votes_and_images_with_who_made_them(exhibit: Exhibit) -> None:
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
    sights = {each.image_id: (each.author, each.license, each.source_url) for each in one.sights}
    assert sights["a0"] == ("Zo\u00eb & Co", "CC-BY-SA-3.0-DE", "")
    assert sights["a1"] == ("Ann", "CC-BY-2.0", "https://c.example/1")
    assert all(sight.picture and sight.has_credit for sight in one.sights)
    assert [sight.has_credit for sight in shown(exhibit, "index", 1).sights] == [False, False]


@pytest.mark.parametrize(("number", "word"), [(3, "ignored"), (4, "Wikidata item"), (5, "not")])
def test_a_landmark_without_a_label_says_why(exhibit: Exhibit, number: int, word: str) -> None:
    one = shown(exhibit, "train", number)
    assert word in one.reason
    assert (one.candidates, one.rule) == ((), "")


def test_a_release_alone_shows_what_its_tables_hold(alone: Path, exhibit: Exhibit) -> None:
    one, whole = shown(Exhibit(alone), "train", 1), shown(exhibit, "train", 1)
    assert (one.cluster, one.when) == ("", "")
    assert (one.decision, one.who) == (whole.decision, whole.who)
    assert one.candidates == whole.candidates
    # Of the classes that did not decide it tells what they voted for, and not who said so.
    told = {each.class_qid: (each.label, bool(each.decision)) for each in one.classes}
    assert (told[PARISH], told[MUSEUM]) == (("church", True), ("museum", False))
    assert {each.picture for each in one.sights} == {""}
    assert {each.author for each in one.sights} == {"Ann", "Zo\u00eb & Co"}


def test_a_label_that_no_class_gives_says_so_and_how_sure_it_is(build: Workspace) -> None:
    fill: dict[str, object] = {
        "split": "train",
        "landmark_id": 3,
        "status": "ok",
        "natural_or_human_made": "human-made",
        "confidence": 0.875,
        "evidence": "is named one",
        "method": "words+parents",
    }
    for label, slug, who in (("church", "church", ""), ("igloo", "igloo-filled", "eve")):
        row = fill | {"hierarchical_label": label, "best_guess": label, "reviewer": who or None}
        write_stage(build, [(FILLS, table_of(FILLS, [row]))])
        run_annotate(build, AnnotateConfig(train="all", fills=True))
        exhibit = Exhibit(build.root)
        one = shown(exhibit, "train", 3)
        assert (one.node.title, one.node.slug, one.who, one.is_older) == (label, slug, who, False)
        assert "88%" in one.decision
        assert (one.left_out, sum(one.images.values())) == (0, 1)
        assert label in [node.title for side in exhibit.tree.sides for node in side.nodes]
