"""Fills measured with a tenth of the words; `make soak` measures them on official names."""

import json
from pathlib import Path

import pytest

from hgld.benchmarks.labels import fills
from hgld.benchmarks.labels.fills import main
from hgld.labels.fills.lexicon import Lexicon, read_lexicon
from tests.benchmarks.labels.conftest import labelled

__all__ = ["labelled"]  # a fixture


def test_every_way_is_measured(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_lexicon()
    # All nouns as names take most of the time.
    few = Lexicon(reader=read.reader, nouns=read.nouns, examples=read.examples[::100])
    monkeypatch.setattr(fills, "read_lexicon", lambda: few)
    out = tmp_path / "fills.json"
    main(["--labelled", str(labelled), "--out", str(out)])
    report = json.loads(out.read_text(encoding="utf-8"))
    results = report["results"]
    assert results["fill"]["all"] == results["plain"]["all"] == 100.0
    assert report["metadata"]["labelled"] == 120
