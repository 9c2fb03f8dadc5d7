"""Answers that no table could hold, and answers that only seem to say "nothing".

The spoiled answer is sent with status 200, whole, and as JSON that Python reads.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import (
    COMMONS_PAGES,
    SUMS,
    WIKIDATA_CLASSES,
    WIKIDATA_ITEMS,
    RawAnswer,
    RawArchive,
)
from hgld.scrape.stage import run_scrape
from hgld.scrape.verify import archive_findings
from hgld.tables import CATEGORIES, CLASSES
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.lab import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server

_CAFE = '"title": "Category:Caf\\u00e9 & Bar"'
_DEEP = "[" * 100_000 + "]" * 100_000
_ITEM = '"value": "http://www.wikidata.org/entity/Q105"'


def _in_cafe(part: str, odd: str) -> tuple[str, Callable[[str], str]]:
    """Returns what is spoiled: a part of the page answers that have the page of landmark 9."""
    return "commons", lambda text: text.replace(part, odd) if _CAFE in text else text


def _in_item(part: str, odd: str) -> tuple[str, Callable[[str], str]]:
    """Returns what is spoiled: a part of the item answers that have the item of landmark 9."""
    return "sparql", lambda text: text.replace(part, odd) if _ITEM in text else text


_LABEL = '"neighborhood in Utrecht (university"'
_ODD = {
    "revid of 2^70": _in_cafe('"revid": 1001', f'"revid": {1 << 70}'),
    "revid below 0": _in_cafe('"revid": 1001', '"revid": -1'),
    "revid a float": _in_cafe('"revid": 1001', '"revid": 1001.0'),
    "revid a text": _in_cafe('"revid": 1001', '"revid": "1001"'),
    "revid true": _in_cafe('"revid": 1001', '"revid": true'),
    "revid NaN": _in_cafe('"revid": 1001', '"revid": NaN'),
    "revid of 5,000 digits": _in_cafe('"revid": 1001', '"revid": ' + "9" * 5_000),
    "NaN where nobody reads": _in_cafe('"parentid": 0', '"parentid": NaN'),
    "too large a float where nobody reads": _in_cafe('"parentid": 0', '"parentid": 1e999'),
    "half a surrogate pair where nobody reads": _in_cafe('"parentid": 0', r'"parentid": "\ud800"'),
    "nesting where nobody reads": _in_cafe('"parentid": 0', f'"parentid": {_DEEP}'),
    "item with half a surrogate pair": _in_cafe('"Q6"', r'"Q6\udfff"'),
    "item with NUL": _in_cafe('"Q6"', r'"Q6\u0000"'),
    "item beyond 2^63": _in_cafe('"Q6"', f'"Q{1 << 63}"'),
    "item a number": _in_cafe('"Q6"', "6"),
    "pageprops a list": _in_cafe('{"wikibase_item": "Q6"}', '["Q6"]'),
    "missing a text": _in_cafe(_CAFE, f'{_CAFE}, "missing": "no"'),
    "class beyond 2^63": _in_item("Q105", f"Q{1 << 63}"),
    "class with half a surrogate pair": _in_item("Q105", r"Q105\ud800"),
    "rank of another kind": _in_item("NormalRank", "FineRank"),
    "property of another kind": _in_item('"P31"', '"P32"'),
    "value a text": _in_item(f'{{"type": "uri", {_ITEM}}}', '"Q105"'),
    "bindings an object": _in_item('"bindings": [', '"bindings": {}, "x": ['),
    "label with half a surrogate pair": ("sparql", lambda t: t.replace(_LABEL, r'"a \ud800"')),
    "label with NUL": ("sparql", lambda t: t.replace(_LABEL, r'"a \u0000"')),
    "label of two lines": ("sparql", lambda t: t.replace(_LABEL, r'"a\nb"')),
    "label a number": ("sparql", lambda t: t.replace(_LABEL, "7")),
    "label without a language": (
        "sparql",
        lambda t: t.replace(f'{_LABEL}, "xml:lang": "en"', _LABEL),
    ),
    "no UTF-8": ("sparql", lambda t: t.replace(_LABEL, '"Caf\udce9"')),
    "no UTF-8 from Commons": _in_cafe('"Q6"', '"Q6\udce9"'),
}


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD.keys())
def test_an_odd_answer_fails_its_rows_and_no_other_and_is_not_kept(
    server: Server,
    categories: Path,
    workspace: Workspace,
    clean: dict[str, str],
    odd: tuple[str, Callable[[str], str]],
) -> None:
    service, change = odd
    server.spoils = lambda name, text: change(text) if name == service else text
    report = run_scrape(workspace, fast_config(server, attempts=2), categories)
    assert service in server.fired
    assert statuses_of(workspace) == STATUSES | {9: "failed"}
    assert report.manifest.failed == 1
    # The text of the error can be written and read, and says who answered.
    (shard,) = workspace.shards(CATEGORIES)
    error = pq.read_table(shard)["error"][8].as_py()
    assert (server.commons if service == "commons" else server.sparql) in error
    assert "\n" not in error
    assert archive_findings(workspace) == []
    server.spoils = lambda _, text: text
    report = run_scrape(workspace, fast_config(server), categories)
    assert report.manifest.outputs == clean


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "answer",
    [
        '{"error": "no"}',
        '{"error": {"code": 7, "info": "\\ud800"}}',
        '{"query": []}',
        '{"query": {"pages": {}}}',
        '{"query": {"pages": 7}}',
        '{"query": 7}',
        '{"query": {}, "warnings": []}',
        '{"query": {}, "warnings": ["\\ud800"]}',
        '{"query": {}, "continue": 7}',
        '{"query": {}, "continue": {"x": [1]}}',
        f'{{"continue": {_DEEP}}}',
        "7",
        _DEEP,
    ],
    ids=lambda text: text[:50],
)
def test_an_answer_of_another_form_is_failed_rows_and_no_more(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str], answer: str
) -> None:
    server.spoils = lambda service, text: answer if service == "commons" else text
    report = run_scrape(workspace, fast_config(server, attempts=1), categories)
    assert "commons" in server.fired
    assert report.manifest.failed == 14
    server.spoils = lambda _, text: text
    assert run_scrape(workspace, fast_config(server), categories).manifest.outputs == clean


@pytest.mark.fault(55, "odd but valid text through to the tables")
@pytest.mark.parametrize(
    "label",
    [
        "\u202eright to left\u202c",
        "e\u0301 is not \u00e9",
        "\U0010ffff \U0001f3f0\u200d",
        "\x7f \x85 \x96",
        "\ufffe \ufeff",
        ' "\\" =1+1 | <b> ',
        "x" * 10_000,
    ],
    ids=ascii,
)
def test_odd_but_valid_text_comes_through_exactly(
    server: Server, categories: Path, workspace: Workspace, label: str
) -> None:
    server.spoils = lambda _, text: text.replace(_LABEL, json.dumps(label))
    run_scrape(workspace, fast_config(server), categories)
    assert server.fired == ["sparql"]
    rows = {row["landmark_id"]: row["class_label"] for row in workspace.read(CLASSES).to_pylist()}
    assert rows[9] == label
    run_scrape(workspace, fast_config(server, replay=True), categories)
    rows = {row["landmark_id"]: row["class_label"] for row in workspace.read(CLASSES).to_pylist()}
    assert rows[9] == label


def _without_rows(text: str, which: Callable[[dict[str, Any]], bool]) -> str:
    answer = json.loads(text)
    results = answer["results"]
    results["bindings"] = [binding for binding in results["bindings"] if which(binding)]
    return json.dumps(answer) if len(results["bindings"]) else '{"results": {"bindings": []}}'


def _is_of(binding: dict[str, Any], qid: str) -> bool:
    return bool(binding["entity"]["value"].endswith(f"/{qid}"))


@pytest.mark.fault(56, "empty answer that means no answer")
@pytest.mark.parametrize("times", [1, 2])
def test_a_service_that_answers_nothing_for_a_while_is_not_believed(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str], times: int
) -> None:
    def spoil(service: str, text: str) -> str:
        is_empty = service == "sparql" and server.fired.count("sparql") < times
        return _without_rows(text, lambda _: False) if is_empty else text

    server.spoils = spoil
    report = run_scrape(workspace, fast_config(server), categories)
    assert server.fired == ["sparql"] * times
    wrong = statuses_of(workspace).items() - STATUSES.items()
    # Asked twice in vain it is not known, and that is said.
    assert {status for _, status in wrong} <= {"failed"}
    assert bool(wrong) == (times == 2)
    assert report.manifest.failed == len(wrong)
    assert run_scrape(workspace, fast_config(server), categories).manifest.outputs == clean


@pytest.mark.fault(57, "answer without some of what was asked")
@pytest.mark.parametrize("is_asked_row", [True, False])
def test_an_item_without_its_row_is_asked_apart_and_fails_alone(
    server: Server,
    categories: Path,
    workspace: Workspace,
    clean: dict[str, str],
    is_asked_row: bool,
) -> None:
    def spoil(service: str, text: str) -> str:
        def stays(binding: dict[str, Any]) -> bool:
            is_row = binding["property"]["value"] == "asked"
            return not _is_of(binding, "Q6") or (is_row and not is_asked_row)

        return _without_rows(text, stays) if service == "sparql" and "/Q6" in text else text

    server.spoils = spoil
    report = run_scrape(workspace, fast_config(server), categories)
    assert "sparql" in server.fired
    if not is_asked_row:  # the service says that it was asked, and that it knows no class
        assert statuses_of(workspace) == STATUSES | {9: "no_p31"}
        return
    assert statuses_of(workspace) == STATUSES | {9: "failed"}
    assert report.manifest.failed == 1
    batches = [
        re.findall(r"wd:(Q\d+)", form["query"]) for _, form in server.hits if "query" in form
    ]
    assert [set(batch) for batch in batches if "Q6" in batch][-1] == {"Q6"}
    assert not any("Q6" in answer.keys for answer in kept_answers(workspace.path(WIKIDATA_ITEMS)))
    server.spoils = lambda _, text: text
    assert run_scrape(workspace, fast_config(server), categories).manifest.outputs == clean


@pytest.mark.fault(57, "answer without some of what was asked")
def test_a_result_that_is_cut_off_is_no_result(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str]
) -> None:
    def spoil(service: str, text: str) -> str:
        if service != "sparql" or len(server.fired) >= 3:
            return text
        answer = json.loads(text)
        del answer["results"]["bindings"][-1:]
        return json.dumps(answer)

    server.spoils = spoil
    report = run_scrape(workspace, fast_config(server), categories)
    assert len(server.fired) == 3
    assert {status for _, status in statuses_of(workspace).items() - STATUSES.items()} == {"failed"}
    assert report.manifest.failed > 0
    assert run_scrape(workspace, fast_config(server), categories).manifest.outputs == clean


@pytest.mark.fault(58, "all pages of a batch missing")
def test_a_batch_whose_pages_are_all_missing_is_asked_once_more_before_it_is_believed(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str]
) -> None:
    def spoil(service: str, text: str) -> str:
        answer = json.loads(text)
        if service != "commons" or server.fired:
            return text
        pages = answer["query"]["pages"]
        answer["query"] = {"pages": [{"title": page["title"], "missing": True} for page in pages]}
        answer["query"]["pages"] += [
            {"title": title, "missing": True} for title in ("Category:Hard", "Category:Soft")
        ]
        return json.dumps(answer)

    server.spoils = spoil
    report = run_scrape(workspace, fast_config(server), categories)
    assert server.fired == ["commons"]
    assert report.manifest.outputs == clean
    # The doubted answer is not kept beside the others.
    keys = [key for one in kept_answers(workspace.path(COMMONS_PAGES)) for key in one.keys]
    assert len(keys) == len(set(keys))


def _as_before(answer: RawAnswer) -> RawAnswer:
    """Returns an answer as it was before queries asked for a row for each item."""
    query, asked, _ = answer.request["query"].rpartition("\nUNION\n")
    assert asked
    bindings = answer.answer["results"]["bindings"]
    told = [one for one in bindings if one["property"]["value"] != "asked"]
    assert len(told) < len(bindings)
    return dataclasses.replace(
        answer, request={"query": query + "\n}"}, answer={"results": {"bindings": told}}
    )


def test_answers_of_queries_that_asked_for_no_rows_are_read_as_they_were(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str]
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    for folder in map(workspace.path, (WIKIDATA_ITEMS, WIKIDATA_CLASSES)):
        kept = kept_answers(folder)
        shutil.rmtree(folder)
        for answer in kept:
            RawArchive(folder).append(_as_before(answer))
    # As an earlier version wrote it, which had no lists either.
    for path in workspace.path("raw").rglob(SUMS):
        path.unlink()
    asked = len(server.hits)
    for replay in (True, False):
        workspace.manifest_path("scrape").unlink()
        report = run_scrape(workspace, fast_config(server, replay=replay), categories)
        assert report.manifest.outputs == clean
        assert statuses_of(workspace) == STATUSES
    assert len(server.hits) == asked
