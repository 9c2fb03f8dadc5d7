import json
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")
pytest.importorskip("playwright", reason="needs playwright: pip install playwright")

from hgld.benchmarks.reviewing import keys
from hgld.benchmarks.reviewing.building import call_hgld
from hgld.benchmarks.reviewing.keys import KnownBuild
from hgld.errors import InputError
from tests.worlds.review.lists import write_small_review


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
