"""The scrape through every fault that the services have.

Every fault is proven to have fired, and must leave what a clean run leaves: the same digests.
"""

from pathlib import Path

import pytest

from hgld.errors import FetchError
from hgld.http.patience import HttpPolicy
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia.faults import Fault, reply, stall
from tests.worlds.wikimedia.scraping import STATUSES, Small, write_categories
from tests.worlds.wikimedia.small import Server, serving

_CUT_OFF = (
    b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":The SPARQL operation has been cancelled'
)
_WARNING = b'{"batchcomplete":true,"warnings":{"query":{"warnings":"Unrecognized"}},"query":{}}'

_TRANSIENT: dict[str, Fault] = {
    "429": reply(429, b"", Retry_After="7"),
    "maxlag": reply(200, b'{"error":{"code":"maxlag","lag":7}}', Retry_After="5"),
    "500": reply(500, b"oops"),
    "HTML with 200": reply(200, b"<html>Sorry</html>", Content_Type="text/html"),
    "cut-off JSON": reply(200, _CUT_OFF),
    "short body": reply(200, b'{"query":', Content_Length="100"),
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


@pytest.mark.fault(156, "429, 5xx, HTML, cut, short, dripping, stalled or no answer")
@pytest.mark.usefixtures("waits")
def test_a_service_that_says_nothing_is_left_after_the_time_for_an_answer(
    small: Small, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.scrape.services.POLICY", HttpPolicy(read_timeout_s=0.2))
    server.faults["commons", 0] = server.faults["sparql", 0] = stall(60)
    report = small.scrape(attempts=9)
    assert server.fired == ["commons", "sparql"]
    assert report.manifest.outputs == small.clean


@pytest.mark.fault(154, "title or item that a service refuses")
@pytest.mark.parametrize(
    ("service", "bad"), [("commons", "Category:Café & Bar"), ("sparql", "wd:Q6 ")]
)
def test_one_key_that_a_service_refuses_does_not_fail_its_batch(
    small: Small, server: Server, service: str, bad: str
) -> None:
    if service == "commons":
        server.refusal = reply(200, b'{"error":{"code":"internal_api_error_Thing","info":"no"}}')
    server.refuses = lambda name, text: name == service and bad in text
    assert small.scrape().manifest.failed == 1
    assert server.fired
    assert small.statuses() == STATUSES | {9: "failed"}
    server.refuses = None
    before = len(server.hits)
    assert small.scrape().manifest.outputs == small.clean
    # The page or the item, and then its class; and evidence of all classes, in two batches.
    assert len(server.hits) - before <= 3 + 2


def test_a_malformed_id_reaches_no_query(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {"Category:Evil": {"pageprops": {"wikibase_item": "Q1 } } #"}}}
    monkeypatch.setattr("tests.worlds.wikimedia.small.PAGES", pages)
    small.scrape(write_categories(tmp_path / "evil.csv", "Evil"))
    assert small.server.count("sparql") == 0
    (row,) = small.workspace.read(CATEGORIES).to_pylist()
    # Not `failed`: asking again would get the same, and hold up the build for ever.
    assert row["status"] == "no_item"
    assert "is no Q-id" in row["error"]


@pytest.mark.fault(153, "service that fails for good")
@pytest.mark.parametrize("service", ["commons", "sparql"])
@pytest.mark.usefixtures("waits")
def test_what_a_service_gave_before_it_failed_is_kept(
    small: Small, server: Server, service: str
) -> None:
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
def test_a_service_that_refuses_or_is_not_there_ends_the_run_at_once(
    small: Small, server: Server
) -> None:
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
