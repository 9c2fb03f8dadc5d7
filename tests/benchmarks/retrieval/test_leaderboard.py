import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.leaderboard import NamedResults, main, read_named, standings_of
from hgld.benchmarks.retrieval.results import Results, Row
from hgld.errors import InputError
from tests.benchmarks.retrieval.made_up import LEVELS, changed, results_of
from tests.benchmarks.retrieval.test_results import write
from tests.worlds.pages.reading import PageReader


def on_other_data(results: Results, digest: str = "other") -> Results:
    return replace(results, protocol={**results.protocol, "labels": digest})


def without_after(row: Row) -> Row:
    return replace(row, mean=math.nan) if row.method == "after" else row


def named(name: str, results: Results) -> NamedResults:
    return NamedResults(name=name, source=f"{name}/benchmarks", results=results)


def rival(mean: float) -> Results:
    results = results_of("rival", means=(mean, 0.0))
    return replace(results, methods=results.methods[:1])


def test_methods_of_the_same_data_share_a_table_best_first() -> None:
    first, unknown = results_of(), changed(results_of(), without_after)
    revisited = results_of(levels=(), data_set="roxford5k")
    one, other, last, oxford = standings_of(
        [
            *(named("one", first), named("other", on_other_data(first)), named("two", rival(0.4))),
            *(named("unknown", on_other_data(unknown, "3")), named("x", revisited)),
        ]
    )
    assert [(each.name, method.title) for each, method in one.methods] == [
        ("one", "after Space Needle"),
        ("two", "before rival"),
        ("one", "before Space Needle"),
    ]
    assert other.name == "other"
    best = [[cells[each.name].is_best for _, each in one.methods] for _, cells in one.columns]
    assert (best[0], best[4]) == ([True, False, False], [False, False, True])  # H-AP, severity
    assert [metric.level for metric, _ in one.columns] == ["all levels"] * 5 + ["landmark"] * 4
    # What has no value comes last.
    assert [method.title[:6] for _, method in last.methods] == ["before", "after "]
    assert oxford.columns[-1][0].key == "p_at_10_hard"


def test_protocols_that_differ_are_told_apart_by_what_differs_first_and_not_ranked_as_one() -> None:
    results = results_of()
    other = replace(named("one", on_other_data(results)), source="b")
    unknown = replace(named("one", replace(results, protocol={})), source="c")
    found = standings_of([named("one", results), other, unknown, replace(unknown, source="d")])
    assert [one.apart for one in found] == ["", "labels", "protocol", "protocol"]
    both = [replace(named("one", results), argument="one=a"), replace(other, argument="one=b")]
    with pytest.raises(InputError, match="labels"):
        standings_of(both)


def test_the_command_names_results_by_their_data_set_or_build_or_as_one_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sop = results_of(levels=LEVELS[:1], data_set="sop")
    written = {"a/benchmarks": results_of(), "a/benchmarks/sop/comparisons/rival": sop}
    for folder, results in (written | {"b/benchmarks": on_other_data(results_of())}).items():
        Path(folder).mkdir(parents=True)
        write(Path(folder), results)
    assert main(["a/benchmarks", "edo=b", "--out", "all.html"]) == 0
    page = Path("all.html").read_text(encoding="utf-8")
    assert re.findall("<h2><bdi>(.*?)<", page) == ["a", "sop", "edo"]
    assert [one.source for one in read_named("edo=b")] == ["edo/benchmarks"]
    Path("b/benchmarks/results.csv").write_text("x")
    for folder in ("b/benchmarks", "c"):
        assert main([folder, "--out", "all.html"]) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_the_committed_leaderboard_is_what_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    assert main(["benchmarks/results/retrieval", "--out", str(tmp_path / "page.html")]) == 0
    committed = Path("benchmarks/results/retrieval/leaderboard.html")
    pages = (one.read_text("utf-8") for one in (committed, tmp_path / "page.html"))
    said, expected = (PageReader(text).text for text in pages)
    assert said == expected
