from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.label_list import cluster_list
from hgld.labels.embedding import stage as embed
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import decided, done, look, view_of
from tests.worlds.builders import TrigramEncoder
from tests.worlds.taxonomies import write_taxonomy


def test_a_group_tells_its_classes_and_a_decided_one_stands_last_with_who_decided(
    session: ReviewSession,
) -> None:
    view = view_of(session, "c1")
    first = view.members
    assert [one.class_label for one in first] == ["lake", "mountain lake", "salt lake", "tarn"]
    assert first[0].wikidata_url == "https://www.wikidata.org/wiki/Q23397"
    assert [one.name for one in first[0].examples] == [f"Site Noël {n}" for n in (27, 28, 29)]
    row = view.row
    assert (row.classes, row.open, row.landmarks, row.matching) == (4, 4, 19, 4)
    assert row.answer.hierarchical_label == "mere / tarn"
    assert row.share == pytest.approx(11 / 19)
    by_hand = sum(one.landmarks * (1 - one.answer.confidence) for one in first)
    assert row.settles == pytest.approx(by_hand)
    done(session, "ann", "assign", "Q23397", label="mere / tarn", why="a lake, really")
    view = view_of(session, "c1")
    assert (view.row.open, view.row.share) == (3, 1.0)
    assert view.row.settles < by_hand
    lake = view.members[-1]
    assert (lake.class_label, lake.state, lake.reviewer) == ("lake", "assigned", "ann")
    assert "a lake, really" in lake.evidence
    assert (lake.answer.natural_or_human_made, lake.answer.confidence) == ("natural", 1.0)


def test_a_bare_list_of_labels_is_reviewed_without_links_and_landmarks(
    tmp_path: Path, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "load_encoder", lambda _: TrigramEncoder())
    path = tmp_path / "list.csv"
    labels = ("waterfall", "tall waterfall", "lake", "salt lake", "tarn", "bridge")
    path.write_text("label,count\n" + "".join(f"{label},3\n" for label in labels))
    taxonomy = str(write_taxonomy(tmp_path / "taxonomy"))
    sections: dict[str, dict[str, object]] = {
        "embed": {"taxonomy": taxonomy},
        "cluster": {"clusters": 2},
        "propose": {"taxonomy": taxonomy},
    }
    cluster_list(path, tmp_path / "build", sections)
    session = opener(Workspace(tmp_path / "build"))
    view = look(session, "ann").view
    assert view is not None
    assert {(one.wikidata_url, one.examples) for one in view.members} == {("", ())}
    assert look(session, "ann").progress.landmarks == 18
    done(session, "ann", "accept", all="1", g=view.row.group)
    assert look(session, "ann").progress.settled == view.row.landmarks
    assert len(decided(session)) == len(view.members)
    assert session.browsing.search("zz").landmarks == ()
