"""The figures of docs/labels.md are those of the JSON files beside it."""

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parents[3]
_COLUMNS = ("all", "surest_30", "surest_50", "sides_surest_70", "covered_at_95")


def results(name: str) -> dict[str, Any]:
    text = (_HERE / f"benchmarks/results/labels/{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_figures_of_the_page_are_those_that_were_measured() -> None:
    page = (_HERE / "docs/labels.md").read_text(encoding="utf-8")
    score = results("proposals")["published_labels"]["score"]
    assert f"{score['right']} of {score['labelled']}" in page
    assert f"{score['blank_ignored_or_asked']} of {score['blank']}" in page
    for way in ("fill", "plain"):
        figures = results("fills")["results"][way]
        told = [f"{figures[column]:.1f}" for column in _COLUMNS] + [f"{figures['ece']:.3f}"]
        assert " / ".join(told) in page
