"""The scrape through every fault that the services have, and through kills.

Every fault is proven to have fired, and must leave what a clean run leaves: the same digests.
"""

import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hgld.benchmarks.faults.command import fork_server
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError
from hgld.scrape.stage import EVIDENCE_STAGE, ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia.faults import Fault, drip, hang_up, reply, stall
from tests.worlds.wikimedia.lab import STATUSES, fast_config, scrape_child, statuses_of
from tests.worlds.wikimedia.small import Server, serving

_CUT_OFF = (
    b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":The SPARQL operation has been cancelled'
)
_WARNING = b'{"batchcomplete":true,"warnings":{"query":{"warnings":"Unrecognized"}},"query":{}}'

_TRANSIENT: dict[str, Fault] = {
    "429 with seconds": reply(429, b"", Retry_After="0"),
    "429 with a date": reply(429, b"", Retry_After="Wed, 25 Nov 2020 10:00:00 GMT"),
    "429 malformed": reply(429, b"", Retry_After="soon"),
    "500": reply(500, b"oops"),
    "503": reply(503, b"oops", Retry_After="0"),
    "504": reply(504, b"too slow"),
    "HTML with 200": reply(200, b"<html>Sorry</html>", Content_Type="text/html"),
    "cut-off JSON": reply(200, _CUT_OFF),
    "short body": reply(200, b'{"query":', Content_Length="100"),
    "longer body than announced": reply(200, b'{"results":{"bindings":[]}}', Content_Length="9"),
    "not UTF-8": reply(200, b'{"results": "\xff'),
    "JSON that is no result": reply(200, b"[1, 2]"),
    "JSON of another form": reply(200, b'{"query":{"pages":[{}]},"results":{"bindings":[{}]}}'),
    "hang up": hang_up,
    "stall": stall(1.5),
    "drip": drip(0.05),
    "drip of headers": drip(0.05, "headers"),
    "drip of the size of a chunk": drip(0.05, "size of a chunk"),
}


@pytest.mark.fault(156, "429, 5xx, HTML, cut, short, dripping, stalled or no answer")
@pytest.mark.parametrize(
    "where", [("commons", 0), ("commons", 2), ("sparql", 0), ("sparql", 2)], ids=str
)
@pytest.mark.parametrize("fault", _TRANSIENT.values(), ids=_TRANSIENT.keys())
def test_a_fault_that_passes_leaves_no_trace(
    server: Server,
    categories: Path,
    workspace: Workspace,
    clean: dict[str, str],
    where: tuple[str, int],
    fault: Fault,
) -> None:
    server.faults[where] = fault
    config = fast_config(server, read_timeout_s=0.5, deadline_s=0.5)
    report = run_scrape(workspace, config, categories)
    if report.manifest.failed:  # a query of one item that failed is not repeated in the same run
        report = run_scrape(workspace, config, categories)
    assert server.fired == [where[0]]
    assert report.manifest.outputs == clean
    assert statuses_of(workspace) == STATUSES


@pytest.mark.fault(155, "API that says later")
@pytest.mark.parametrize("code", ["maxlag", "ratelimited", "readonly"])
def test_an_api_error_that_says_later_is_waited_out_without_any_header(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str], code: str
) -> None:
    server.faults["commons", 0] = reply(200, b'{"error":{"code":"%s","lag":7}}' % code.encode())
    report = run_scrape(workspace, fast_config(server), categories)
    assert server.fired == ["commons"]
    assert report.manifest.outputs == clean


def test_a_warning_is_logged_and_does_no_harm(
    server: Server,
    categories: Path,
    workspace: Workspace,
    clean: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.faults["commons", 0] = reply(200, _WARNING)
    report = run_scrape(workspace, fast_config(server), categories)
    assert "Unrecognized" in caplog.text
    assert server.fired == ["commons"]
    # That answer spoke of no title: it was asked for once more, in halves, and not kept.
    assert report.manifest.outputs == clean
    assert statuses_of(workspace) == STATUSES


@pytest.mark.fault(154, "title or item that a service refuses")
@pytest.mark.parametrize(("service", "bad"), [("commons", "Category:Café & Bar"), ("sparql", "Q6")])
def test_one_key_that_a_service_refuses_does_not_fail_its_batch(
    server: Server,
    categories: Path,
    workspace: Workspace,
    clean: dict[str, str],
    service: str,
    bad: str,
) -> None:
    marker = f"wd:{bad} " if service == "sparql" else bad
    if service == "commons":
        error = b'{"error":{"code":"internal_api_error_Thing","info":"no"}}'
        server.refusal = reply(200, error)
    server.refuses = lambda name, text: name == service and marker in text
    report = run_scrape(workspace, fast_config(server), categories)
    assert server.fired
    assert statuses_of(workspace) == STATUSES | {9: "failed"}
    assert report.manifest.failed == 1
    server.refuses = None
    before = len(server.hits)
    report = run_scrape(workspace, fast_config(server), categories)
    assert report.manifest.outputs == clean
    # The page or the item, and then its class; and evidence of all classes, in two batches.
    assert len(server.hits) - before <= 3 + 2


def test_a_malformed_id_is_no_item_and_reaches_no_query(
    server: Server, tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {"Category:Evil": {"pageprops": {"wikibase_item": "Q1 } } #"}}}
    monkeypatch.setattr("tests.worlds.wikimedia.small.PAGES", pages)
    path = tmp_path / "evil.csv"
    path.write_text("landmark_id,category\n1,http://x/wiki/Category:Evil\n", encoding="utf-8")
    run_scrape(workspace, fast_config(server), path)
    assert server.count("sparql") == 0
    (row,) = workspace.read(CATEGORIES).to_pylist()
    # Not `failed`: asking again would get the same, and hold up the build for ever.
    assert row["status"] == "no_item"
    assert "is no Q-id" in row["error"]


@pytest.mark.fault(153, "service that fails for good")
@pytest.mark.parametrize("service", ["commons", "sparql"])
def test_a_service_that_fails_for_good_gives_failed_rows_and_keeps_what_it_gave(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str], service: str
) -> None:
    config = fast_config(server, attempts=2)
    server.faults.update({(service, number): reply(503, b"oops") for number in range(1, 200)})
    report = run_scrape(workspace, config, categories)
    assert report.manifest.failed > 0
    assert set(statuses_of(workspace)) == set(STATUSES)
    kept = len(server.hits)
    server.faults.clear()
    report = run_scrape(workspace, config, categories)
    assert report.manifest.outputs == clean
    assert len(server.hits) - kept < 20


def test_a_service_that_fails_again_and_again_is_left_alone(
    server: Server, tmp_path: Path, workspace: Workspace
) -> None:
    path = tmp_path / "many.csv"
    rows = [f"{n},http://x/wiki/Category:{n}" for n in range(400)]
    path.write_text("\n".join(["landmark_id,category", *rows]) + "\n", encoding="utf-8")
    server.always["commons"] = reply(500, b"oops")
    report = run_scrape(workspace, fast_config(server, attempts=1), path)
    assert server.count("commons") == 12
    assert report.manifest.failed == 400


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_ends_the_run_at_once(
    server: Server, categories: Path, workspace: Workspace, status: int
) -> None:
    server.always["commons"] = reply(status, b"no")
    with pytest.raises(FetchError, match=f"refuses with {status}"):
        run_scrape(workspace, fast_config(server), categories)
    assert server.count("commons") == 1


@pytest.mark.fault(152, "server that is not there")
def test_a_server_that_is_not_there_is_one_clear_error(
    server: Server, categories: Path, workspace: Workspace, clean: dict[str, str]
) -> None:
    with serving() as gone:
        nowhere = gone.sparql
    with pytest.raises(FetchError, match=r"cannot reach .*/query: connection refused") as caught:
        run_scrape(workspace, fast_config(server, sparql=nowhere), categories)
    assert "rerun: what was fetched is kept" in str(caught.value)
    asked = server.count("commons")
    report = run_scrape(workspace, fast_config(server), categories)
    assert server.count("commons") == asked
    assert report.manifest.outputs == clean


def test_an_error_answer_is_never_archived(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    server.always["commons"] = reply(200, b'{"error":{"code":"badvalue","info":"no"}}')
    run_scrape(workspace, fast_config(server), categories)
    assert server.fired
    assert list(workspace.path("raw").rglob("*.gz")) == []


def test_a_clock_that_jumps_changes_no_row(
    server: Server,
    categories: Path,
    workspace: Workspace,
    clean: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jumps = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=d) for d in _zigzag())
    monkeypatch.setattr("hgld.scrape.live.services.now", lambda: next(jumps))
    report = run_scrape(workspace, fast_config(server), categories)
    assert report.manifest.outputs == clean


def _zigzag() -> Iterator[int]:
    for day in range(1, 1000):
        yield -day
        yield day


def _child(root: Path, config: ScrapeConfig, categories: Path, die_at: int) -> int | None:
    context = fork_server()
    child = context.Process(target=scrape_child, args=(root, config, categories, die_at))
    child.start()
    child.join(60)
    return child.exitcode


@pytest.mark.fault(151, "scrape killed at any write or moment")
@pytest.mark.slow
def test_a_run_killed_at_any_write_repeats_at_most_one_batch(
    categories: Path, tmp_path: Path, clean: dict[str, str]
) -> None:
    with serving() as server:
        assert _child(tmp_path / "whole", fast_config(server), categories, -1) == 0
        needed = len(server.hits)
    evidence = Workspace(tmp_path / "whole").manifest(EVIDENCE_STAGE.name)
    assert evidence is not None
    die_at = 0
    while True:
        root = tmp_path / str(die_at)
        with serving() as server:
            code = _child(root, fast_config(server), categories, die_at)
            if code == 0:
                break
            assert code == -signal.SIGKILL
            report = run_scrape(Workspace(root), fast_config(server), categories)
            assert report.manifest.outputs == clean
            again = Workspace(root).manifest(EVIDENCE_STAGE.name)
            assert again is not None
            assert again.outputs == evidence.outputs
            assert len(server.hits) <= needed + 1
        die_at += 1
    # Before and after each answer, each shard and the two manifests.
    assert die_at >= 2 * (needed + 3 + 1 + 1 + 1)


@pytest.mark.fault(151, "scrape killed at any write or moment")
@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_as_if_nothing_had_happened(
    categories: Path, tmp_path: Path, clean: dict[str, str]
) -> None:
    context = fork_server()
    moments = random.Random(0)
    killed = 0
    for number in range(25):
        root = tmp_path / str(number)
        with serving() as server:
            config = fast_config(server)
            child = context.Process(target=scrape_child, args=(root, config, categories, -1))
            child.start()
            # A moment of the run: when so many requests have come, and a little later.
            after = moments.randrange(15)
            while len(server.hits) < after and child.is_alive():
                time.sleep(0.001)
            time.sleep(moments.random() * 0.01)
            child.kill()
            child.join(60)
            killed += child.exitcode == -signal.SIGKILL
            report = run_scrape(Workspace(root), config, categories)
            assert report.manifest.outputs == clean
            assert len(statuses_of(Workspace(root))) == len(STATUSES)
    assert killed >= 20
