"""Answers that no table could hold, and answers that only seem to say "nothing".

The spoiled answer is sent with status 200, whole, and as JSON that Python reads.
"""

import json
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from hgld.scrape.archive import COMMONS_PAGES
from hgld.scrape.verify import archive_findings
from hgld.tables import CATEGORIES, CLASSES
from tests.worlds.wikimedia.scraping import STATUSES, Small, kept_answers
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
    "NaN where nobody reads": _in_cafe('"parentid": 0', '"parentid": NaN'),
    "nesting where nobody reads": _in_cafe('"parentid": 0', f'"parentid": {_DEEP}'),
    "class beyond 2^63": _in_item("Q105", f"Q{1 << 63}"),
    "no UTF-8": ("sparql", lambda t: t.replace(_LABEL, '"Caf\udce9"')),
    "no UTF-8 from Commons": _in_cafe('"Q6"', '"Q6\udce9"'),
}
"""What is odd in kind; `tests/hgld/scrape/wikimedia` has every part that may be odd."""


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD.keys())
def test_an_odd_answer_fails_its_rows_and_no_other_and_is_not_kept(
    small: Small, server: Server, odd: tuple[str, Callable[[str], str]]
) -> None:
    service, change = odd
    server.spoils = lambda name, text: change(text) if name == service else text
    report = small.scrape(attempts=2)
    assert service in server.fired
    assert small.statuses() == STATUSES | {9: "failed"}
    assert report.manifest.failed == 1
    # The text of the error can be written and read, and says who answered.
    (shard,) = small.workspace.shards(CATEGORIES)
    error = pq.read_table(shard)["error"][8].as_py()
    assert (server.commons if service == "commons" else server.sparql) in error
    assert "\n" not in error
    assert archive_findings(small.workspace) == []
    server.spoils = lambda _, text: text
    report = small.scrape()
    assert report.manifest.outputs == small.clean


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "answer",
    [
        '{"error": {"code": 7, "info": "\\ud800"}}',
        '{"query": {"pages": 7}}',
        '{"query": {}, "warnings": ["\\ud800"]}',
        '{"query": {}, "continue": {"x": [1]}}',
        "7",
        _DEEP,
    ],
    ids=["error", "pages", "warning", "continue", "number", "deep"],
)
def test_an_answer_of_another_form_is_failed_rows_and_no_more(
    small: Small, server: Server, answer: str
) -> None:
    server.spoils = lambda service, text: answer if service == "commons" else text
    report = small.scrape(attempts=1)
    assert "commons" in server.fired
    assert report.manifest.failed == 14
    assert not small.workspace.path("raw").exists()
    server.spoils = lambda _, text: text
    assert small.scrape().manifest.outputs == small.clean


@pytest.mark.fault(55, "odd but valid text through to the tables")
def test_odd_but_valid_text_comes_through_exactly(small: Small, server: Server) -> None:
    odd = "\u202eright to left\u202c e\u0301 \U0010ffff \x7f\x85\ufffe\ufeff"
    label = f' "\\" =1+1 | <b> {odd} {"x" * 10_000} '
    server.spoils = lambda _, text: text.replace(_LABEL, json.dumps(label))
    for replay in (False, True):
        small.scrape(replay=replay)
        rows = small.workspace.read(CLASSES).to_pylist()
        assert [row["class_label"] for row in rows if row["landmark_id"] == 9] == [label]
    assert server.fired == ["sparql"]


@pytest.mark.fault(56, "empty answer that means no answer")
@pytest.mark.parametrize("times", [1, 2])
def test_a_service_that_answers_nothing_for_a_while_is_not_believed(
    small: Small, server: Server, times: int
) -> None:
    def spoil(service: str, text: str) -> str:
        is_empty = service == "sparql" and server.fired.count("sparql") < times
        return '{"results": {"bindings": []}}' if is_empty else text

    server.spoils = spoil
    report = small.scrape()
    assert server.fired == ["sparql"] * times
    wrong = small.statuses().items() - STATUSES.items()
    # Asked twice in vain it is not known, and that is said.
    assert {status for _, status in wrong} <= {"failed"}
    assert bool(wrong) == (times == 2)
    assert report.manifest.failed == len(wrong)
    assert small.scrape().manifest.outputs == small.clean


@pytest.mark.fault(58, "all pages of a batch missing")
def test_a_batch_whose_pages_are_all_missing_is_asked_once_more_before_it_is_believed(
    small: Small, server: Server
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
    report = small.scrape()
    assert server.fired == ["commons"]
    assert report.manifest.outputs == small.clean
    # The doubted answer is not kept beside the others.
    keys = [key for one in kept_answers(small.workspace.path(COMMONS_PAGES)) for key in one.keys]
    assert len(keys) == len(set(keys))
