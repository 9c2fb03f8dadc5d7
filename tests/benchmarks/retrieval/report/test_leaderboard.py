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


def test_methods_of_the_same_data_stand_together_best_first() -> None:
    first = results_of()
    rival = dataclasses.replace(
        first.methods[0], title="rival", measures=dict.fromkeys(KEYS, measure(0.4))
    )
    second = dataclasses.replace(first, methods=(rival,))
    found = standings_of(
        [
            NamedResults(name="one", results=first),
            NamedResults(name="other", results=on_other_data(first)),
            NamedResults(name="again", results=second),
        ]
    )
    assert [(one.data, one.method.title) for one in found] == [
        ("one", "after Space Needle"),
        ("one", "rival"),
        ("one", "before Space Needle"),
        ("other", "after Space Needle"),
        ("other", "before Space Needle"),
    ]
    h_ap, severity = 0, 3
    assert [one.is_best[h_ap] for one in found] == [True, False, False, True, False]
    assert [one.is_best[severity] for one in found] == [False, False, True, False, True]
    assert [metric.level for metric in found[0].metrics] == ["all levels"] * 4 + ["landmark"] * 3


def test_results_of_other_levels_have_columns_of_their_own_finest_level() -> None:
    coarse = results_of(levels=LEVELS[1:])
    found = standings_of([NamedResults(name="coarse", results=coarse)])
    assert found[0].metrics[-1].key == f"r_at_10_{LEVELS[1].name}"


def test_what_has_no_value_comes_last_and_is_not_the_best() -> None:
    results = results_of()
    nothing = dataclasses.replace(measure(0.9), mean=math.nan, queries=0)
    after = dataclasses.replace(results.methods[1], measures=dict.fromkeys(KEYS, nothing))
    results = dataclasses.replace(results, methods=(after, results.methods[0]))
    found = standings_of([NamedResults(name="one", results=results)])
    assert [one.method.name for one in found] == ["before", "after"]
    assert [any(one.is_best) for one in found] == [True, False]


def test_the_page_shows_every_row_and_asks_nobody() -> None:
    html = render_leaderboard(
        [NamedResults(name=HOSTILE, results=results_of(HOSTILE, is_drawn=True))]
    )
    page = Page(html)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert page.text.count(HOSTILE) == 4  # the data and the method, in two rows
    assert page.text.count("drawings, not photographs") == 2
    assert page.text.count("(best)") == 7
    assert "47.5 (best)[45.0, 50.0]" in page.text
    assert "http" not in html.replace(HOSTILE, "").replace("http-equiv", "").replace(
        "&#34;http://evil.example/x.js&#34;", ""
    )


def test_files_are_named_by_their_build_or_as_one_says(tmp_path: Path) -> None:
    path = tmp_path / "tokyo/benchmarks/results.json"
    path.parent.mkdir(parents=True)
    path.write_text(to_json(results_of()))
    copied = tmp_path / "kyoto.json"
    copied.write_text(path.read_text())
    assert read_named(str(path)).name == "tokyo"
    assert read_named(f"edo={path}").name == "edo"
    assert read_named(str(copied)).name == "kyoto"
    assert read_named(str(path)).results == results_of()


def test_one_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "results.json", tmp_path / "page.html"
    path.write_text(to_json(results_of()))
    assert main([f"a={path}", f"b={path}", "--out", str(out)]) == 0
    assert out.read_text().count("after Space Needle") == 2
    path.write_text('{"format": 2}')
    assert main([str(path), "--out", str(out)]) == 1
    assert "must hold benchmark results of format 3, got 2" in capsys.readouterr().err
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
    rows = page.text.split("after Space Needle")
    assert len(rows) == 3
    assert rows[0].split()[-1] == "a"
    assert rows[1].split()[-1] == "b"
