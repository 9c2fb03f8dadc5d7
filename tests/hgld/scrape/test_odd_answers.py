"""Answers that no table could hold, and answers that only seem to say "nothing".

The spoiled answer is sent with status 200, whole, and as JSON that Python reads.
"""

import json

import pytest

from hgld.scrape.archive import COMMONS_PAGES
from hgld.scrape.verify import archive_findings
from hgld.tables import CATEGORIES, CLASSES
from tests.worlds.wikimedia.scraping import STATUSES, Small, kept_answers, written
from tests.worlds.wikimedia.small import Server

_CAFE = '"title": "Category:Caf\\u00e9 & Bar"'
_DEEP = "[" * 100_000 + "]" * 100_000
_ITEM = '"value": "http://www.wikidata.org/entity/Q105"'


_LABEL = '"neighborhood in Utrecht (university"'
_NUMBER = '"parentid": 0'
_QUERY = '{"batchcomplete": true, "query"'


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    ("service", "where", "part", "odd"),
    [
        # What is odd in kind; `tests/hgld/scrape/wikimedia` has every part that may be odd.
        ("commons", _CAFE, _NUMBER, _NUMBER.replace("0", "NaN")),
        ("commons", _CAFE, _NUMBER, _NUMBER.replace("0", _DEEP)),
        ("commons", _CAFE, '"Q6"', '"Q6\udce9"'),
        ("sparql", _ITEM, "Q105", f"Q{1 << 63}"),
        ("sparql", _LABEL, _LABEL, '"Caf\udce9"'),
        # Whole answers of another form.
        ("commons", _QUERY, "", '{"error": {"code": 7, "info": "\\ud800"}}'),
        ("commons", _QUERY, "", '{"query": {"pages": 7}}'),
        ("commons", _QUERY, "", '{"query": {}, "warnings": ["\\ud800"]}'),
        ("commons", _QUERY, "", '{"query": {}, "continue": {"x": [1]}}'),
        ("commons", _QUERY, "", "7"),
        ("commons", _QUERY, "", _DEEP),
    ],
    ids=[
        "NaN",
        "nested",
        "bytes",
        "number",
        "label",
        "error",
        "pages",
        "warning",
        "onward",
        "7",
        "deep",
    ],
)
def test_an_odd_answer_fails_its_rows_and_no_other_and_is_not_kept(
    small: Small, server: Server, service: str, where: str, part: str, odd: str
) -> None:
    def spoil(_: str, text: str) -> str:
        spoiled = text.replace(part, odd) if part else odd
        return spoiled if where in text else text

    server.spoils = spoil
    report = small.scrape(attempts=1)
    assert service in server.fired
    failed = {9} if part else set(range(1, 15))
    assert small.statuses() == STATUSES | dict.fromkeys(failed, "failed")
    assert report.manifest.failed == len(failed)
    # The text of the error can be written and read, and says who answered.
    error = written(small.workspace, CATEGORIES)[8]["error"]
    assert getattr(server, service) in error
    assert "\n" not in error
    assert archive_findings(small.workspace) == []
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
        if service != "commons" or server.fired:
            return text
        titles = server.hits[-1][1]["titles"].split("|")
        return json.dumps({"query": {"pages": [{"title": one, "missing": True} for one in titles]}})

    server.spoils = spoil
    assert small.scrape().manifest.outputs == small.clean
    assert server.fired == ["commons"]
    # The doubted answer is not kept beside the others.
    keys = [key for one in kept_answers(small.workspace.path(COMMONS_PAGES)) for key in one.keys]
    assert len(keys) == len(set(keys))
