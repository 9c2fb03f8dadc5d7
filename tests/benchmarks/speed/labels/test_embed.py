import argparse
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.speed.labels import embed
from hgld.labels.embedding.encoders import OpenClipEncoder


def test_a_small_run_writes_costs_differences_and_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "memory_apart", lambda *_: 7.5)
    monkeypatch.setattr(embed, "_MOST_TIME", 1e9)  # of a machine that is busy with tests
    labels = tmp_path / "labels.csv"
    labels.write_text("label,count\nchurch,3\nold church,2\nlake,1\n", encoding="utf-8")
    out = tmp_path / "embed.json"
    sizes = ["--labels", "3", "--plain-labels", "2", "--rounds", "2"]
    given = ["--file", str(labels), "--models", "RN50", "--note", "a test"]
    embed.main(["--out", str(out), *sizes, *given])
    report = json.loads(out.read_text(encoding="utf-8"))
    rows = [(row["model"], row["method"], row["labels"]) for row in report["results"]]
    assert rows == [("RN50", "plain", 2), ("RN50", "float32", 3), ("RN50", "bfloat16", 3)]
    for row in report["results"]:
        assert len(row["seconds"]) == 2
        speed = row["labels"] / row["median_s"]
        assert row["labels_per_s"] == pytest.approx(speed, rel=0.01, abs=0.06)  # of one decimal
        assert row["extra_mb"] == 7.5
    assert report["time_a_label_over_plain"].keys() == {"RN50, float32", "RN50, bfloat16"}
    differences = report["largest_cosine_difference_from_plain"]
    assert differences["RN50, float32"] < 1e-6
    assert 1e-7 < differences["RN50, bfloat16"] < 1e-3
    assert len(report["bars"]) == 4
    assert report["metadata"]["note"] == "a test"
    assert "cosine difference: RN50, float32" in capsys.readouterr().out


def test_vectors_that_are_not_those_of_the_plain_loop_end_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "memory_apart", lambda *_: 7.5)
    monkeypatch.setattr(embed, "_MOST_TIME", 1e9)
    encode = OpenClipEncoder.encode
    monkeypatch.setattr(
        OpenClipEncoder, "encode", lambda self, texts: np.roll(encode(self, texts), 1, axis=0)
    )
    sizes = ["--labels", "4", "--plain-labels", "4", "--rounds", "1", "--models", "RN50"]
    with pytest.raises(SystemExit):
        embed.main(["--out", str(tmp_path / "embed.json"), *sizes])
    assert "over the bar: cosine difference: RN50, float32" in capsys.readouterr().err
    assert (tmp_path / "embed.json").exists()


def test_the_memory_of_a_way_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("label\nchurch\nlake\n", encoding="utf-8")
    options = argparse.Namespace(file=labels, labels=2, plain_labels=2, seed=0, threads=1)
    assert 0 <= embed.memory_apart("RN50", "plain", options) < 2_000


def test_the_phrases_of_the_taxonomy_are_drawn_under_the_default_prompt() -> None:
    texts = embed.label_texts(None, 50, seed=1)
    assert len(set(texts)) == 50
    assert all(text.startswith("A picture of a ") for text in texts)
    assert texts != embed.label_texts(None, 50, seed=2)
