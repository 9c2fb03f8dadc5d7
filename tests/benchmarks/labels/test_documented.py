"""The figures of docs/labels.md are those of the JSON files beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parents[3]
_RESULTS = _HERE / "benchmarks/results/labels/fills.json"
_COLUMNS = ("all", "surest_30", "surest_50", "sides_surest_70", "covered_at_95")
_WORDS = {
    "as it is": "fill",
    "blank rows counted, as wrong": "with blank rows",
    "without what words mean": "without what words mean",
    "without the taxonomy's nouns as names": "without the taxonomy's nouns as names",
    "without either": "without either",
    "learned from 1,500 names": "learned from 1,500",
    "learned from 566": "learned from 566",
    "learned from 200": "learned from 200",
    "the taxonomy alone, nothing learned": "the taxonomy alone",
    "TF-IDF and logistic regression, its own probability": "plain",
}
_STRENGTHS = ("weak", "middling", "strong")


def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_RESULTS.read_text(encoding="utf-8"))
    return found


def words_rows(found: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of the table of words."""
    for name, key in _WORDS.items():
        figures = found["results"][key]
        cells = [name, *(f"{figures[column]:.1f}" for column in _COLUMNS), f"{figures['ece']:.3f}"]
        yield f"| {' | '.join(cells)} |"


def method_rows(found: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of the table of methods; none of what was not measured yet."""
    parts = found.get("by_method", {})
    sections = {f"{one} parents": parts["parents"][one] for one in _STRENGTHS if "parents" in parts}
    if "pictures" in parts:
        sections["photographs"] = parts["pictures"]["without parents"]
        sections["photographs, middling parents"] = parts["pictures"]["with parents"]
    for where, combinations in sections.items():
        for name, figures in combinations.items():
            if name == "shares":
                continue
            cells = [where, name, f"{figures['landmarks']:,}"]
            cells += [f"{figures[column]:.1f}" for column in _COLUMNS]
            cells.append(f"{figures['ece']:.3f}")
            yield f"| {' | '.join(cells)} |"


def test_each_line_of_the_tables_is_in_the_page() -> None:
    page = (_HERE / "docs/labels.md").read_text(encoding="utf-8").splitlines()
    for line in (*words_rows(report()), *method_rows(report())):
        assert line in page


def test_what_was_made_up_is_called_so() -> None:
    measured = report().get("by_method", {})
    assert all("made up" in part["what"] for part in measured.values())
    assert "linear probe" in measured.get("pictures", {}).get("what", "linear probe")
    page = (_HERE / "docs/labels.md").read_text(encoding="utf-8")
    assert "made up" in page
    assert "stand-in" in page
