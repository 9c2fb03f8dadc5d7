import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")
pytest.importorskip("playwright", reason="needs playwright: pip install playwright")

from hgld.benchmarks.reviewing import keys
from hgld.benchmarks.reviewing.building import call_hgld
from hgld.benchmarks.reviewing.chromium import PROGRAM, started_chromium
from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.keys import KnownBuild, count_keys
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.benchmarks.reviewing.typist import Typist
from hgld.errors import InputError
from hgld.review.log.decisions import read_decisions
from hgld.tables import PROPOSALS
from tests.worlds.review.lists import CASCADES, write_small_review

needs_chromium = pytest.mark.skipif(
    shutil.which(PROGRAM) is None, reason=f"needs {PROGRAM}: apt-get install {PROGRAM}"
)
# Two of the first cluster are known to be of one other name, one of the second to be ignored.
KNOWN = {"Q1131316": "lake", "Q15324": "lake", "Q200004": None, "Q34038": "waterfall"}


@pytest.mark.browser
@needs_chromium
def test_known_answers_are_given_and_other_proposals_accepted(tmp_path: Path) -> None:
    workspace = write_small_review(tmp_path / "build")
    proposed = {
        row["class_qid"]: row["proposed_label"] for row in workspace.read(PROPOSALS).to_pylist()
    }
    found = count_keys(KnownBuild(workspace.root, KNOWN))
    decided = {
        qid: one.hierarchical_label and one.hierarchical_label.strip()
        for qid, one in read_decisions(workspace).items()
    }
    assert decided.keys() == proposed.keys()
    assert {qid: decided[qid] for qid in KNOWN} == KNOWN
    assert (found["classes"], found["decided"], found["clusters"]) == (16, 16, 4)
    assert (found["known"], found["known_right_at_the_end"]) == (4, 4)
    wrong = [qid for qid, one in KNOWN.items() if (proposed[qid] or "").strip() != (one or "")]
    assert found["known_proposed_wrong"] == len(wrong) >= 2
    ignored = sum(one is None for one in decided.values())
    assert found["sheet_cells"] == 2 * (16 - ignored) + ignored
    assert found["keys"] == sum(found["pressed"].values()) >= 4 + len(wrong)
    # Each landmark has one class, but for the first, which has the second class too.
    assert found["landmarks"] == sum(landmarks for _, _, landmarks, _ in CASCADES) - 1


@pytest.mark.browser
@needs_chromium
def test_a_name_that_the_page_does_not_find_ends_the_review(tmp_path: Path) -> None:
    workspace = write_small_review(tmp_path / "build")
    with started_chromium() as browser, ServedPage(workspace.root) as server:
        desk = Desk(browser.new_page(), server.url).open(reviewer="ann")
        qid = desk.members()[0].qid
        with pytest.raises(RuntimeError, match="the page does not find 'zzyzx'"):
            Typist(desk, {qid: "zzyzx"}).review()


def test_a_list_is_built_with_its_landmarks_and_known_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, official = tmp_path / "labels.csv", tmp_path / "official.csv"
    labels.write_text("label,qids,items_seen\nwaterfall,Q34038,9\nlake,Q23397,0\n")
    official.write_text(
        "supercategory,hierarchical_label,natural_or_human_made\nlake,,\nbridge,bridge,human-made\n"
    )

    def build(*arguments: str) -> None:
        assert arguments[:2] == ("cluster", "--labels")
        assert Path(arguments[2]).read_text().split() == [
            "label,qids,count",
            "waterfall,Q34038,9",
            "lake,Q23397,1",
        ]
        write_small_review(tmp_path / "list")

    monkeypatch.setattr(keys, "call_hgld", build)
    found = keys.list_build(tmp_path / "list", labels, official)
    assert found == KnownBuild(tmp_path / "list", {"Q23397": None})


def test_what_hgld_says_is_told_where_it_fails(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no_such_list"):
        call_hgld(
            "cluster", "--labels", str(tmp_path / "no_such_list"), "--out", str(tmp_path / "x")
        )


def test_the_figures_are_written_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {
        "keys": 4, "classes": 9, "clusters": 3, "keys_a_cluster": {"median": 1.0},
        "keys_a_landmark": 0.5, "sheet_cells": 18, "cells_a_landmark": 2.25,
    }  # fmt: skip
    monkeypatch.setattr(keys, "demo_build", lambda root: KnownBuild(root, {}))
    monkeypatch.setattr(keys, "list_build", lambda root, *_: KnownBuild(root, {}))
    monkeypatch.setattr(keys, "count_keys", lambda _: figures)
    out = tmp_path / "keys.json"
    keys.main(["--labels", "a", "--official", "b", "--out", str(out), "--note", "quiet"])
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["lists"] == {"the demo's classes": figures, "real labels": figures}
    assert report["metadata"]["note"] == "quiet"
    assert "4 keys for 9 classes in 3 clusters, 1 a cluster" in capsys.readouterr().out
