import dataclasses
import math
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.report.leaderboard import (
    NamedResults,
    main,
    read_named,
    render_leaderboard,
    standings_of,
)
from hgld.benchmarks.retrieval.results import Results, to_json
from hgld.errors import MissingInputError
from tests.benchmarks.retrieval.report.made_up import (
    HOSTILE,
    KEYS,
    LEVELS,
    Page,
    measure,
    results_of,
)


def on_other_data(results: Results) -> Results:
    metadata = {**results.metadata}
    metadata["annotation_digests"] = {"test": "other"}
    return dataclasses.replace(results, metadata=metadata)


def named(name: str, results: Results) -> NamedResults:
    return NamedResults(name=name, source=f"{name}.json", results=results)


def test_methods_of_the_same_data_share_a_table_best_first() -> None:
    first = results_of()
    rival = dataclasses.replace(
        first.methods[0], title="rival", measures=dict.fromkeys(KEYS, measure(0.4))
    )
    second = dataclasses.replace(first, methods=(rival,))
    one, other = standings_of(
        [named("one", first), named("other", on_other_data(first)), named("again", second)]
    )
    assert [(each.source, each.method.title) for each in one.methods] == [
        ("one.json", "after Space Needle"),
        ("again.json", "rival"),
        ("one.json", "before Space Needle"),
    ]
    assert [each.method.title for each in other.methods] == [
        "after Space Needle",
        "before Space Needle",
    ]
    assert (one.name, one.has_sources, other.name, other.has_sources) == (
        *("one", True),
        *("other", False),
    )
    h_ap, severity = 0, 3
    assert [each.is_best[h_ap] for each in one.methods] == [True, False, False]
    assert [each.is_best[severity] for each in one.methods] == [False, False, True]
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
    results = results_of()
    nothing = dataclasses.replace(measure(0.9), mean=math.nan, queries=0)
    after = dataclasses.replace(results.methods[1], measures=dict.fromkeys(KEYS, nothing))
    results = dataclasses.replace(results, methods=(after, results.methods[0]))
    (found,) = standings_of([named("one", results)])
    assert [one.method.name for one in found.methods] == ["before", "after"]
    assert [any(one.is_best) for one in found.methods] == [True, False]


def test_the_page_shows_every_row_and_asks_nobody() -> None:
    html = render_leaderboard([named(HOSTILE, results_of(HOSTILE, is_drawn=True))])
    page = Page(html)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert page.text.count(HOSTILE) == 3  # the data, and the method of two rows
    assert page.text.count("drawings, not photographs") == 1
    assert page.text.count("(best)") == 7
    assert "47.5 ± 0.5 (best)[45.0, 50.0]" in page.text
    assert "http" not in html.replace(HOSTILE, "").replace("http-equiv", "").replace(
        "&#34;http://evil.example/x.js&#34;", ""
    )


def test_files_are_named_by_their_build_or_as_one_says(tmp_path: Path) -> None:
    path = tmp_path / "tokyo/benchmarks/results.json"
    path.parent.mkdir(parents=True)
    path.write_text(to_json(results_of()))
    copied = tmp_path / "kyoto.json"
    copied.write_text(path.read_text())
    (tokyo,), (edo,), (kyoto,) = (
        list(read_named(one)) for one in (str(path), f"edo={path}", str(copied))
    )
    assert [one.name for one in (tokyo, edo, kyoto)] == ["tokyo", "edo", "kyoto"]
    assert (tokyo.source, edo.source) == (path.as_posix(), "edo")
    assert tokyo.results == results_of()


def test_a_folder_stands_for_all_results_in_it(tmp_path: Path) -> None:
    results = results_of()
    contents = {
        "tokyo/benchmarks/results.json": results,
        "tokyo/benchmarks/cub200/results.json": results_of(levels=LEVELS[:1], data_set="cub200"),
        "kyoto/benchmarks/results.json": on_other_data(results),
        "kyoto/benchmarks/cub200/results.json": results_of(levels=LEVELS[:1], data_set="cub200"),
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(to_json(content))
    (tmp_path / "kyoto/benchmarks/other.json").write_text("{}")
    found = standings_of(list(read_named(str(tmp_path))))
    assert [(one.name, len(one.methods)) for one in found] == [
        *(("cub200", 4), ("kyoto", 2), ("tokyo", 2)),
    ]
    assert {one.source for one in found[0].methods} == {
        (tmp_path / name).as_posix() for name in contents if "cub200" in name
    }
    text = render_leaderboard(list(read_named(str(tmp_path))))
    assert text.count("<h2>") == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="results"):
        list(read_named(str(tmp_path / "empty")))


def test_one_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "results.json", tmp_path / "page.html"
    path.write_text(to_json(results_of()))
    assert main([f"a={path}", f"b={path}", "--out", str(out)]) == 0
    assert out.read_text().count("after Space Needle") == 2
    path.write_text('{"format": 2}')
    assert main([str(path), "--out", str(out)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main([str(path), "--out", str(tmp_path / "no/page.html")]) == 1


def test_the_command_of_the_docs_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        path = Path(f"{name}/benchmarks/results.json")
        path.parent.mkdir(parents=True)
        results = results_of() if name == "a" else on_other_data(results_of())
        path.write_text(to_json(results), encoding="utf-8")
    main(["a/benchmarks/results.json", "b/benchmarks/results.json", "--out", "all.html"])
    page = Page(Path("all.html").read_text(encoding="utf-8"))
    assert page.text.count("after Space Needle") == 2
    headings = [line.strip() for line in page.text.splitlines() if line.strip() in {"a", "b"}]
    assert headings == ["a", "b"]
    main(["a/benchmarks", "--out", "all.html"])
    page = Page(Path("all.html").read_text(encoding="utf-8"))
    assert page.text.count("after Space Needle") == 1


def test_the_committed_leaderboard_is_what_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[4]
    monkeypatch.chdir(root)
    assert main(["benchmarks/results", "--out", str(tmp_path / "page.html")]) == 0
    written = (tmp_path / "page.html").read_text(encoding="utf-8")
    committed = root / "benchmarks/results/retrieval/leaderboard.html"
    assert committed.read_text(encoding="utf-8") == written
    assert written.count("<h2>") == 2
