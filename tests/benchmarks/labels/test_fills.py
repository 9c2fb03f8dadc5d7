import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels import fills
from hgld.benchmarks.labels.fills import Guessed, figures, main, read_labelled_names
from hgld.labels.fills.guessing.lexicon import Lexicon, read_lexicon


def test_figures_are_those_of_the_surest_guesses(labelled: Path) -> None:
    names = read_labelled_names(labelled)
    guess = np.where(np.arange(140) < 90, "church", "lake")  # 30 lakes are wrong
    confidence = np.where(np.arange(140) < 60, 0.9, 0.5)
    found = figures(names, Guessed(guess=guess, confidence=confidence))
    # 120 labelled: 60 churches and 30 lakes are right; the surest half are the churches.
    assert (found["all"], found["surest_30"], found["surest_50"]) == (75.0, 100.0, 100.0)
    assert found["sides"] == 75.0
    assert found["sides_surest_70"] == round(100 * 60 / 84, 1)  # then 24 lakes that are wrong
    assert found["covered_at_95"] == 50.0
    assert found["ece"] == pytest.approx((60 * 0.1 + 60 * 0.0) / 120, abs=1e-4)
    blanks = figures(names, Guessed(guess=guess, confidence=confidence), blanks=True)
    assert blanks["all"] == round(100 * 90 / 140, 1)


def test_every_way_is_measured(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_lexicon()
    # All nouns as names take most of the time.
    few = Lexicon(reader=read.reader, nouns=read.nouns, examples=read.examples[::100])
    monkeypatch.setattr(fills, "read_lexicon", lambda: few)
    out = tmp_path / "fills.json"
    main(["--labelled", str(labelled), "--out", str(out), "--note", "made up"])
    report = json.loads(out.read_text(encoding="utf-8"))
    results = report["results"]
    assert results["fill"]["all"] == results["plain"]["all"] == 100.0
    assert results["the taxonomy alone"]["all"] >= 50.0  # of few nouns
    assert results["fill"] != results["with blank rows"]
    assert "without either" in results
    assert {name for name in results if name.startswith("learned")} == {
        f"learned from {count}" for count in ("200", "566", "1,500")
    }
    assert report["metadata"]["labelled"] == 120
