import dataclasses
import math
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.leaderboard import (
    NamedResults,
    main,
    read_named,
    render_leaderboard,
    standings_of,
)
from hgld.benchmarks.retrieval.results import Results
from hgld.errors import MissingInputError
from tests.benchmarks.retrieval.made_up import HOSTILE, LEVELS, Page, changed, results_of
from tests.benchmarks.retrieval.test_results import write


def on_other_data(results: Results) -> Results:
    metadata: dict[str, object] = {**results.metadata, "annotation_digests": {"test": "other"}}
    return dataclasses.replace(results, metadata=metadata)


def named(name: str, results: Results) -> NamedResults:
    return NamedResults(name=name, source=f"{name}/benchmarks", results=results)


def only_before(mean: float) -> Results:
    results = results_of("rival", means=(mean, 0.0))
    return dataclasses.replace(results, methods=results.methods[:1])


def written(folder: Path, results: Results) -> Path:
    folder.mkdir(parents=True)
    write(folder, results)
    return folder


def test_methods_of_the_same_data_share_a_table_best_first() -> None:
    first = results_of()
    one, other = standings_of(
        [named("one", first), named("other", on_other_data(first)), named("two", only_before(0.4))]
    )
    assert [(each.name, method.title) for each, method in one.methods] == [
        ("one", "after Space Needle"),
        ("two", "before rival"),
        ("one", "before Space Needle"),
    ]
    assert [method.title for _, method in other.methods] == [
        "after Space Needle",
        "before Space Needle",
    ]
    assert (one.name, one.has_sources, other.name, other.has_sources) == (
        *("one", True),
        *("other", False),
    )
    assert (one.best["h_ap"], one.best["mistake_severity_at_1"]) == (0.475, 0.3)
    assert [metric.level for metric in one.metrics] == ["all levels"] * 4 + ["landmark"] * 3


def test_a_set_has_the_metrics_of_its_own_levels() -> None:
    coarse = results_of(levels=LEVELS[1:])
    revisited = results_of(levels=(), data_set="roxford5k")
    flat = results_of(levels=LEVELS[:1], data_set="cub200")
    found = standings_of([named("coarse", coarse), named("x", revisited), named("y", flat)])
    assert found[0].metrics[-1].key == f"r_at_10_{LEVELS[1].name}"
    assert [one.key for one in found[1].metrics][:2] == ["ap_medium", "p_at_1_medium"]
    assert found[1].metrics[-1].key == "p_at_10_hard"
    assert [one.title for one in found[2].metrics] == ["mAP", "mAP@R", "mAP@100", "R@1", "R@10"]


def test_what_has_no_value_comes_last_and_is_not_the_best() -> None:
    results = changed(
        results_of(),
        lambda row: dataclasses.replace(row, mean=math.nan) if row.method == "after" else row,
    )
    (found,) = standings_of([named("one", results)])
    assert [method.name for _, method in found.methods] == ["before", "after"]
    assert found.best["h_ap"] == 0.3


def test_the_page_shows_every_row_and_asks_nobody() -> None:
    html = render_leaderboard([named(HOSTILE, results_of(HOSTILE, is_drawn=True))])
    page = Page(html)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert page.text.count(HOSTILE) == 3  # the data, and the method of two rows
    assert page.text.count("drawings, not photographs") == 1
    assert page.text.count("(best)") == 7
    assert "47.5 ± 0.5 (best)[45.0, 50.0]" in page.text


def test_results_are_named_by_their_data_set_or_build_or_as_one_says(tmp_path: Path) -> None:
    written(tmp_path / "tokyo/benchmarks", results_of())
    sop = results_of(levels=LEVELS[:1], data_set="sop")
    written(tmp_path / "tokyo/benchmarks/sop/comparisons/rival", sop)
    own, rival = read_named(str(tmp_path))
    assert (own.name, rival.name) == ("tokyo", "sop")
    assert rival.source == f"{tmp_path}/tokyo/benchmarks/sop/comparisons/rival"
    assert repr(own.results) == repr(results_of())
    named_edo = list(read_named(f"edo={tmp_path}"))
    assert {one.name for one in named_edo} == {"edo"}
    assert named_edo[0].source == "edo/tokyo/benchmarks"
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="results"):
        list(read_named(str(tmp_path / "empty")))


def test_the_command_of_the_docs_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(Path("a/benchmarks"), results_of())
    written(Path("b/benchmarks"), on_other_data(results_of()))
    assert main(["a/benchmarks", "b/benchmarks", "--out", "all.html"]) == 0
    page = Page(Path("all.html").read_text(encoding="utf-8"))
    assert page.text.count("after Space Needle") == 2
    headings = [line.strip() for line in page.text.splitlines() if line.strip() in {"a", "b"}]
    assert headings == ["a", "b"]
    Path("b/benchmarks/results.csv").write_text("x")
    assert main(["b/benchmarks", "--out", "all.html"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_committed_leaderboard_is_what_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[3]
    monkeypatch.chdir(root)
    assert main(["benchmarks/results/retrieval", "--out", str(tmp_path / "page.html")]) == 0
    committed = root / "benchmarks/results/retrieval/leaderboard.html"
    pages = (one.read_text("utf-8") for one in (committed, tmp_path / "page.html"))
    said, expected = (Page(text).text for text in pages)
    assert said == expected
