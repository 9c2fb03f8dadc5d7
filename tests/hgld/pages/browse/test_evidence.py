from pathlib import Path

import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.pages.browse.folder import Row
from hgld.pages.browse.pages import BrowsePages
from hgld.tables import FILLS
from tests.hgld.annotations.release.worlds import decide
from tests.hgld.annotations.world import CHURCH, HERITAGE, MUSEUM, PARISH
from tests.hgld.pages.browse.world import NOTE
from tests.worlds.builders import table_of, write_stage


def shown(pages: BrowsePages, space: str, number: int) -> Row:
    return pages.landmark(pages.landmarks.rows[space, number])


def test_a_label_names_its_classes_who_decided_on_them_and_what_changed(pages: BrowsePages) -> None:
    one = shown(pages, "train", 2)
    (church,) = one["classes"]
    assert (church["class_qid"], church["cluster"]) == (CHURCH, "buildings (cluster 7)")
    for each in (one, church):
        assert (each["who"], each["when"], each["note"]) == ("ann", "2025-02-03", NOTE)
    change = shown(pages, "index", 1)["change"]
    assert change["why"] == "decision reviewer label relabelled"


def test_a_label_of_which_the_build_has_another_decision_says_so(build: Workspace) -> None:
    assert not shown(BrowsePages(build.root), "train", 2)["is_older"]
    decide(build, {CHURCH: ("proposed", "church", "human-made")})
    assert shown(BrowsePages(build.root), "train", 2)["is_older"]


def test_each_class_has_its_label_and_each_image_who_made_it(pages: BrowsePages) -> None:
    one = shown(pages, "train", 1)
    assert {each["class_qid"]: (each["label"], each["is_deciding"]) for each in one["classes"]} == {
        CHURCH: ("church", False),
        PARISH: ("church", True),
        MUSEUM: ("museum", False),
        HERITAGE: ("", False),
    }
    assert [each["class_qid"] for each in one["classes"] if "ignored" in each["how"]] == [HERITAGE]
    assert all(image["picture"] for image in one["images"])
    made = [(image["author"], image["license"]) for image in one["images"]]
    assert made == [("Zo\u00eb & Co", "CC-BY-SA-3.0-DE"), ("Ann", "CC-BY-2.0")]
    statuses = [image["status"] for image in shown(pages, "index", 1)["images"]]
    assert statuses == [None, None]  # GLDv2 has credits of train images only


def test_a_release_alone_shows_what_its_tables_hold(alone: Path, pages: BrowsePages) -> None:
    one, whole = shown(BrowsePages(alone), "train", 1), shown(pages, "train", 1)
    assert (one["how"], one["who"]) == (whole["how"], whole["who"])
    assert one["when"] == ""
    # Of the classes that did not decide it tells what they voted for, and not who said so.
    told = {
        each["class_qid"]: (each["label"], bool(each["how"]), each["cluster"])
        for each in one["classes"]
    }
    assert (told[PARISH], told[MUSEUM]) == (("church", True, ""), ("museum", False, ""))
    assert {each["picture"] for each in one["images"]} == {""}
    assert {each["author"] for each in one["images"]} == {"Ann", "Zo\u00eb & Co"}


@pytest.mark.parametrize(("label", "who"), [("church", ""), ("igloo", "eve")])
def test_a_label_that_no_class_gives_says_so_and_how_sure_it_is(
    build: Workspace, label: str, who: str
) -> None:
    fill = {"split": "train", "landmark_id": 3, "status": "ok", "hierarchical_label": label}
    fill |= {"natural_or_human_made": "human-made", "best_guess": label, "confidence": 0.875}
    fill |= {"evidence": "is named one", "method": "words+parents", "reviewer": who or None}
    write_stage(build, [(FILLS, table_of(FILLS, [fill]))])
    run_annotate(build, AnnotateConfig(train="all", fills=True))
    pages = BrowsePages(build.root)
    one = shown(pages, "train", 3)
    group = pages.landmarks.group(pages.landmarks.rows["train", 3])
    assert (group.label, group.slug) == (label, label)
    assert (one["who"], one["note"]) == (who, "is named one")
    assert "88%" in one["how"]
    assert (one["left_out"], one["images"]) == (0, [])
    assert f"labels/{label}/index.html" in (pages.text("index.html") or "")
