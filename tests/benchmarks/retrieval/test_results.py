import json
import math

import pytest

from hgld.benchmarks.retrieval.results import (
    RESULTS_FILE,
    read_results,
    to_json,
)
from hgld.benchmarks.retrieval.statistics.summary import measures_of
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from tests.benchmarks.retrieval.report.made_up import CONTINENT, LEVELS, results_of


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
    results.methods[0].measures["asi"] = measures_of({"": [math.nan]})[""]
    text = to_json(results)
    assert json.loads(text)["methods"][0]["measures"]["asi"]["mean"] is None
    assert "NaN" not in text
    write_text(workspace.path(RESULTS_FILE), text)
    assert math.isnan(read_results(workspace).methods[0].measures["asi"].mean)


def test_without_results_it_says_to_run_the_benchmark(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="benchmark"):
        read_results(workspace)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": 0}',
        '{"format": 4, "levels": []}',
        '{"format": 5, "metadata": 7}',
        '{"format": 5, "metadata": {}}',
    ],
)
def test_what_are_no_results_is_refused(workspace: Workspace, text: str) -> None:
    write_text(workspace.path(RESULTS_FILE), text)
    with pytest.raises(InputError, match="results"):
        read_results(workspace)
