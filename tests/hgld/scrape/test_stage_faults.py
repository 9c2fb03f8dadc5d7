"""The scrape through every fault that the services have, odd answers, and kills.

Every fault is proven to have fired, and must leave what a clean run leaves: the same digests.
An odd answer is sent with status 200, whole, and as JSON that Python reads.
"""

import itertools
import json
from pathlib import Path

import pytest

from hgld.errors import FetchError
from hgld.scrape.verify import archive_findings
from hgld.tables import CATEGORIES, CLASSES
from tests.worlds.wikimedia import kills
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.scraping import STATUSES, Small, write_categories, written
from tests.worlds.wikimedia.small import Server, serving

_CUT_OFF = (
    b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":The SPARQL operation has been cancelled'
)
_WARNING = b'{"batchcomplete":true,"warnings":{"query":{"warnings":"Unrecognized"}},"query":{}}'

_TRANSIENT: dict[str, Fault] = {
    "429": reply(429, b"", Retry_After="7"),
    "maxlag": reply(200, b'{"error":{"code":"maxlag","lag":7}}', Retry_After="5"),
    "HTML with 200": reply(200, b"<html>Sorry</html>", Content_Type="text/html"),
    "cut-off JSON": reply(200, _CUT_OFF),
    "204": reply(204, b""),
    "206": reply(206, b'{"query":{"pages":[]},"results":{"bindings":[]}}'),
    "not UTF-8": reply(200, b'{"results": "\xff'),
    "JSON that is no result": reply(200, b"[1, 2]"),
    "JSON of another form": reply(200, b'{"query":{"pages":[{}]},"results":{"bindings":[{}]}}'),
    "a warning and no page": reply(200, _WARNING),
}


@pytest.mark.fault(155, "API that says later")
@pytest.mark.fault(156, "429, 5xx, HTML, cut, short, dripping, stalled or no answer")
@pytest.mark.parametrize("where", [("commons", 0), ("sparql", 2)], ids=str)
@pytest.mark.parametrize("fault", _TRANSIENT.values(), ids=_TRANSIENT.keys())
@pytest.mark.usefixtures("waits")
def test_a_fault_that_passes_leaves_no_trace(
    small: Small, server: Server, where: tuple[str, int], fault: Fault
) -> None:
    server.faults[where] = fault
    report = small.scrape()
    if report.manifest.failed:  # a query of one item that failed is not repeated in the same run
        report = small.scrape()
    assert server.fired == [where[0]]
    assert report.manifest.outputs == small.clean


@pytest.mark.fault(154, "title or item that a service refuses")
@pytest.mark.parametrize(
    ("service", "bad"), [("commons", "Category:Café & Bar"), ("sparql", "wd:Q6 ")]
)
def test_one_refused_key_does_not_fail_its_batch(
    small: Small, server: Server, service: str, bad: str
) -> None:
    if service == "commons":
        server.refusal = reply(200, b'{"error":{"code":"internal_api_error_Thing","info":"no"}}')
    server.refuses = lambda name, text: name == service and bad in text
    assert small.scrape().manifest.failed == 1
    assert server.fired
    assert small.statuses() == STATUSES | {9: "failed"}
    server.refuses = None
    assert small.scrape().manifest.outputs == small.clean


@pytest.mark.fault(153, "service that fails for good")
@pytest.mark.parametrize("service", ["commons", "sparql"])
@pytest.mark.usefixtures("waits")
def test_what_came_before_a_failure_is_kept(small: Small, server: Server, service: str) -> None:
    server.faults.update({(service, number): reply(503, b"oops") for number in range(1, 200)})
    assert small.scrape(attempts=2).manifest.failed > 0
    assert small.statuses().keys() == STATUSES.keys()
    kept = len(server.hits)
    server.faults.clear()
    assert small.scrape().manifest.outputs == small.clean
    assert len(server.hits) - kept < 20


def test_a_service_that_only_fails_is_left(small: Small, server: Server, tmp_path: Path) -> None:
    path = write_categories(tmp_path / "many.csv", *map(str, range(400)))
    server.always["commons"] = reply(500, b"oops")
    assert small.scrape(path, attempts=1).manifest.failed == 400
    assert server.count("commons") == 12


@pytest.mark.fault(152, "server that is not there")
def test_a_service_that_is_not_there_ends_the_run_at_once(small: Small, server: Server) -> None:
    server.always["commons"] = reply(403, b"no")
    with pytest.raises(FetchError, match="403"):
        small.scrape()
    assert server.count("commons") == 1
    server.always.clear()
    with serving() as gone:
        nowhere = gone.sparql
    with pytest.raises(FetchError, match="/query"):
        small.scrape(sparql=nowhere)
    asked = server.count("commons")
    assert small.scrape().manifest.outputs == small.clean
    assert server.count("commons") == asked


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
    ids=range(11),
)
def test_an_odd_answer_fails_its_rows_and_is_not_kept(
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
def test_an_empty_answer_is_not_believed(small: Small, server: Server, times: int) -> None:
    def spoil(service: str, text: str) -> str:
        is_empty = service == "sparql" and server.fired.count("sparql") < times
        return '{"results": {"bindings": []}}' if is_empty else text

    server.spoils = spoil
    report = small.scrape(keys_per_request=3)
    assert server.fired == ["sparql"] * times
    wrong = small.statuses().items() - STATUSES.items()
    # Asked twice in vain it is not known, and that is said.
    assert {status for _, status in wrong} <= {"failed"}
    assert bool(wrong) == (times == 2)
    assert report.manifest.failed == len(wrong)
    assert small.scrape().manifest.outputs == small.clean


@pytest.mark.fault(151, "scrape killed at any write or moment")
@pytest.mark.parametrize("first", [0, 45])
@pytest.mark.parametrize("kill", kills.KILLS.values(), ids=kills.KILLS)
def test_a_killed_run_repeats_at_most_one_request(
    tmp_path: Path, kill: kills.Kill, first: int
) -> None:
    kill(tmp_path, itertools.count(first, 90))
