"""What is known of the landmarks of queries, and the figures by it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.retrieval.protocol import protocol_of_build
from hgld.benchmarks.retrieval.report import FEW_GROUPS, MOST_LABELS, trait_tables
from hgld.benchmarks.retrieval.results import Results, Row, metrics_of, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.benchmarks.retrieval.traits import traits_of
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, OVERLAP
from tests.benchmarks.datasets.worlds import ground_truth, write_revisited
from tests.benchmarks.retrieval.conftest import protocol_of
from tests.benchmarks.retrieval.made_up import html_of, results_of, with_mean
from tests.worlds.benchmark_builds import CONFIG, LANDMARKS, tables_of_landmarks
from tests.worlds.builders import table_of, write_stage
from tests.worlds.pages.reading import PageReader

UNKNOWN = ["unknown"]
BY_LANDMARK = {
    "seen in training": {11: ["no"], 12: ["yes"], 21: ["no"], 31: ["yes"], 32: ["no"]},
    "country": {
        11: ["United States"],
        12: ["Italy"],
        21: ["Germany"],
        31: ["Italy", "Germany", "Q39"],  # of whose country alone there is no landmark
        32: UNKNOWN,
    },
    "continent": {
        11: ["North America"],
        12: ["Europe"],
        21: ["Europe"],
        31: UNKNOWN,
        32: ["Europe"],
    },
    "century": {11: ["20th"], 12: ["11th"], 21: ["12th"], 31: UNKNOWN, 32: ["1st BCE"]},
    "style": {11: UNKNOWN, 12: ["Baroque", "Gothic"], 21: ["Gothic"], 31: UNKNOWN, 32: UNKNOWN},
}


def annotate_again(build: Workspace, seen: tuple[int, ...] | None) -> None:
    """Has the overlap be another one; None: as a version that knew neither it nor places."""
    kept = [*(ANNOTATIONS[one] for one in ("index", "test")), EXCLUDED]
    kept += [FILLED[one] for one in ("index", "test")]
    tables = [] if seen is None else tables_of_landmarks(seen)
    write_stage(build, [*((one, build.read(one)) for one in kept), *tables])


def test_queries_are_told_apart_by_what_the_build_knows_of_their_landmarks(
    build: Workspace,
) -> None:
    protocol = protocol_of_build(build, with_pictures=True)
    found = traits_of(protocol, build)
    of_query = [int(one[1:3]) for one in protocol.queries.image_ids.to_pylist()]
    assert {*of_query} == {*LANDMARKS}
    assert found.pop("super-category") == [[LANDMARKS[one][0]] for one in of_query]
    assert found == {
        title: [labels[one] for one in of_query] for title, labels in BY_LANDMARK.items()
    }


def test_each_label_has_the_mean_over_its_queries_and_a_change_of_the_tables_is_seen(
    benchmarked: Workspace,
) -> None:
    def means(level: str) -> dict[str, float]:
        rows = read_results(benchmarked.path("benchmarks")).rows
        own = (row for row in rows if (row.metric, row.against, row.level) == ("h_ap", "", level))
        return {row.label: row.mean for row in own if row.method == "after happier"}

    # Each landmark but the bridges has a super-category of its own, and three queries.
    of_kind, found = means("super-category"), means("country")
    bridges, castle, ocean = (of_kind[one] for one in ("bridge", "castle / fort", "ocean area "))
    italian = 2 * found["Italy"] - ocean
    assert np.mean([found["United States"], italian]) == pytest.approx(bridges)
    assert found["Q39"] == pytest.approx(ocean)
    assert found["Germany"] == pytest.approx(np.mean([castle, ocean]))
    assert means("seen in training")["yes"] == pytest.approx(found["Italy"])
    assert run_benchmark(benchmarked, CONFIG).skipped
    annotate_again(benchmarked, (31,))
    run_benchmark(benchmarked, CONFIG)
    assert means("seen in training")["yes"] == pytest.approx(ocean)
    annotate_again(benchmarked, None)
    run_benchmark(benchmarked, CONFIG)
    assert means("seen in training") == means("country") == {}
    assert "of several countries" not in benchmarked.path("benchmarks/report.html").read_text()


def test_a_building_of_revisited_is_seen_where_a_train_landmark_overlaps_with_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    content = ground_truth()
    names = ["all_souls_000013", "ashmolean_000058", "oxford_000317", "paris_eiffel_000128"]
    content |= {"qimlist": names, "gnd": 2 * content["gnd"]}  # type: ignore[operator]
    protocol = protocol_of("roxford5k", write_revisited(tmp_path, content))
    assert traits_of(protocol, workspace) == {}
    rows = [{"train_landmark_id": 1, "building": "all_souls", "why": "same_place"}]
    rows += [{"train_landmark_id": 2, "building": "eiffel", "why": "same_place"}]
    rows += [{"train_landmark_id": 2, "index_landmark_id": 5, "why": "same_item"}]
    write_stage(workspace, [*tables_of_landmarks(), (OVERLAP, table_of(OVERLAP, rows))])
    assert traits_of(protocol, workspace) == {
        "seen in training": [["yes"], ["no"], UNKNOWN, ["yes"]]
    }


def made_of(level: str, groups: dict[str, int]) -> Results:
    like = Row(method="before", metric="h_ap", level=level, undefined=0)
    rows = [
        with_mean(dataclasses.replace(like, label=label, queries=2 * count, groups=count), 0.4)
        for label, count in groups.items()
    ]
    after = [dataclasses.replace(row, method="after") for row in rows]
    results = results_of()
    without = [row for row in results.rows if row.level != "country"]
    return dataclasses.replace(results, rows=(*without, *rows, *after))


def test_labels_of_most_landmarks_are_shown_and_centuries_in_their_order() -> None:
    groups = {f"land {one}": 3 + one for one in range(MOST_LABELS + 2)} | {"unknown": 2}
    results = made_of("country", dict(sorted(groups.items())))
    [table] = trait_tables(results, metrics_of(results)[0])
    assert [row.groups for row in table.rows] == [*range(MOST_LABELS + 4, 4, -1), 2]
    assert (table.title, table.known, table.hidden) == ("country", 11 - 4, 2)
    centuries = {"12th": 9, "1st": 1, "21st": 8, "2nd BCE": 3, "3rd": 2, "5th BCE": 4}
    results = made_of("century", centuries)
    [table] = trait_tables(results, metrics_of(results)[0])
    assert [row.label for row in table.rows] == ["5th BCE", "2nd BCE", "1st", "3rd", "12th", "21st"]
    assert (table.known, table.hidden) == (11, 0)


def test_the_report_says_how_many_are_known_and_marks_those_of_few_landmarks() -> None:
    html = html_of(made_of("style", {"Gothic": FEW_GROUPS, "Baroque": 1, "unknown": 3}))
    text = PageReader(html).text
    assert "Known of 5 of 11 queries." in text
    assert f"Gothic{2 * FEW_GROUPS}{FEW_GROUPS}40.0[37.5, 42.5]40.0[37.5, 42.5]" in text
    muted = '<tr class="muted"><th scope="row"><bdi>{}</bdi>'
    assert [muted.format(one) in html for one in ("Gothic", "Baroque", "unknown")] == [
        *(False, True, True)
    ]


def test_bounds_stand_beside_the_leading_metric_and_are_not_tested() -> None:
    results = results_of()
    assert "taken to differ" not in html_of(results)
    bounds = [
        dataclasses.replace(row, metric=f"h_ap_if_{one}", mean=mean)
        for one, mean in (("differs", 0.11), ("agrees", 0.22))
        for row in results.rows
        if row.metric == "h_ap" and not row.label and not row.against
    ]
    results = dataclasses.replace(results, rows=(*results.rows, *bounds))
    assert [one.key for one in metrics_of(results)][:4] == [
        "h_ap",
        "h_ap_if_differs",
        "h_ap_if_agrees",
        "ndcg",
    ]
    text = PageReader(html_of(results)).text
    assert "H-APH-AP if unknown differH-AP if unknown agreeNDCG" in text
    assert "taken to differ" in text
