import json
import math

import pytest

from hgld.benchmarks.retrieval.results import RESULTS_FILE, Measure, read_results, to_json
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from tests.benchmarks.retrieval.test_report import CONTINENT, LEVELS, results_of


def test_a_measure_leaves_undefined_queries_out() -> None:
    # Mean of 0.2, 0.4, 0.9 is 0.5; squared deviations .09 + .01 + .16 = .26, / 2 / 3 = .0433.
    found = Measure.of([0.2, math.nan, 0.4, 0.9])
    assert found.mean == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(math.sqrt(0.26 / 2 / 3))
    assert (found.queries, found.undefined) == (3, 1)


def test_a_measure_of_nothing_is_nan_and_never_zero() -> None:
    found = Measure.of([math.nan])
    assert math.isnan(found.mean)
    assert math.isnan(found.standard_error)
    assert (found.queries, found.undefined) == (0, 1)


def test_one_query_has_a_mean_and_no_spread() -> None:
    found = Measure.of([0.75])
    assert found.mean == 0.75
    assert math.isnan(found.standard_error)


def test_results_come_back_as_they_were_written(workspace: Workspace) -> None:
    results = results_of("Église \u202e <b>")
    write_text(workspace.path(RESULTS_FILE), to_json(results))
    assert read_results(workspace) == results


def test_results_of_any_number_of_levels_come_back(workspace: Workspace) -> None:
    for levels in (LEVELS[:2], (*LEVELS, CONTINENT)):
        results = results_of(levels=levels)
        text = to_json(results)
        assert [level["title"] for level in json.loads(text)["levels"]] == [
            level.title for level in levels
        ]
        write_text(workspace.path(RESULTS_FILE), text)
        assert read_results(workspace) == results


def test_nan_is_null_in_the_file_and_nan_again_when_read(workspace: Workspace) -> None:
    results = results_of()
    results.methods[0].measures["asi"] = Measure.of([math.nan])
    text = to_json(results)
    assert json.loads(text)["methods"][0]["measures"]["asi"]["mean"] is None
    assert "NaN" not in text
    write_text(workspace.path(RESULTS_FILE), text)
    assert math.isnan(read_results(workspace).methods[0].measures["asi"].mean)


def test_without_results_it_says_to_run_the_benchmark(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="is not there yet; run `hgld benchmark`"):
        read_results(workspace)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot read"),
        ("[]", "format 2, got None"),
        ('{"format": 0}', "format 2, got 0"),
        ('{"format": 1, "level_names": []}', "format 2, got 1; delete it and run"),
        ('{"format": 2, "metadata": {}}', "does not hold whole benchmark results"),
    ],
)
def test_what_are_no_results_is_refused(workspace: Workspace, text: str, message: str) -> None:
    write_text(workspace.path(RESULTS_FILE), text)
    with pytest.raises(InputError, match=message):
        read_results(workspace)
