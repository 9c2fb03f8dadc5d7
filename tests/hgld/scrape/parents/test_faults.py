"""What the parents stage does where Commons, the disk or a kill stand in its way."""

import signal
from pathlib import Path

import pytest

from hgld.benchmarks.faults.command import fork_server
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, FetchError, InputError, MissingInputError
from hgld.flows.steps import verify_build
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.parents.stage import STAGE
from hgld.scrape.stage import run_scrape
from hgld.scrape.verify import archive_findings, parents_findings
from tests.hgld.scrape.parents.asking import LEVELS, asked_titles, failed_titles, run_small
from tests.worlds.wikimedia.faults import Fault, hang_up, reply, stall
from tests.worlds.wikimedia.lab import fast_config, parents_child
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server, serving


@pytest.mark.fault(156, "429, 5xx, HTML, cut, short, dripping, stalled or no answer")
@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize(
    "fault",
    [
        reply(429, b"", Retry_After="0"),
        reply(503, b"oops"),
        reply(200, b"<html>Sorry</html>"),
        reply(200, b'{"error":{"code":"maxlag","lag":7}}'),
        reply(200, b'{"query":', Content_Length="100"),
        reply(200, b'{"query":{"pages":[{}]}}'),
        reply(200, b'{"batchcomplete":true,"query":{}}'),
        hang_up,
        stall(1.0),
    ],
    ids=["429", "503", "HTML", "maxlag", "short", "odd", "no page", "hang up", "stall"],
)
def test_a_fault_that_passes_leaves_no_trace(
    server: Server, scraped: Workspace, whole: dict[str, str], fault: Fault, number: int
) -> None:
    server.faults["commons", number] = fault
    report = run_small(scraped, server, read_timeout_s=0.5)
    assert server.fired == ["commons"]
    assert report.manifest.outputs == whole


@pytest.mark.fault(154, "title or item that a service refuses")
@pytest.mark.parametrize("bad", ["Category:Castle", "Category:Churches in Bergamo"])
def test_a_title_that_is_refused_fails_the_rows_that_need_it_and_is_tried_again_alone(
    server: Server, scraped: Workspace, whole: dict[str, str], bad: str
) -> None:
    server.refusal = reply(200, b'{"error":{"code":"internal_api_error_Thing","info":"no"}}')
    server.refuses = lambda _, text: bad in text.split("|")
    report = run_small(scraped, server)
    assert server.fired
    failed = {bad} if bad in FOUND_PARENTS else {"Category:Bare", "Category:Ranks"}
    assert failed_titles(scraped).keys() == failed
    assert report.manifest.failed == len(failed)
    status = stage_status(scraped, STAGE)
    assert (status.state, status.reason[:13]) == ("incomplete", f"{len(failed)} rows failed")
    server.refuses = None
    server.hits.clear()
    assert run_small(scraped, server).manifest.outputs == whole
    assert asked_titles(server) == [[bad]]


def test_a_refusal_ends_the_run_and_what_was_answered_is_kept(
    server: Server, scraped: Workspace, whole: dict[str, str]
) -> None:
    server.faults["commons", 1] = reply(403, b"no")
    with pytest.raises(FetchError, match="refuses with 403"):
        run_small(scraped, server)
    assert scraped.manifest(STAGE.name) is None
    server.faults.clear()
    server.hits.clear()
    assert run_small(scraped, server).manifest.outputs == whole
    assert asked_titles(server)[0] == LEVELS[0][4:]


@pytest.mark.fault(151, "scrape killed at any write or moment")
@pytest.mark.slow
def test_a_run_killed_at_any_write_repeats_at_most_one_request(
    categories: Path, tmp_path: Path, whole: dict[str, str]
) -> None:
    context, die_at = fork_server(), 0
    while True:
        root = tmp_path / str(die_at)
        with serving() as server:
            run_scrape(Workspace(root), fast_config(server), categories)
            server.hits.clear()
            child = context.Process(target=parents_child, args=(root, fast_config(server), die_at))
            child.start()
            child.join(60)
            if child.exitcode == 0:
                break
            assert child.exitcode == -signal.SIGKILL
            assert run_small(Workspace(root), server).manifest.outputs == whole
            assert len(server.hits) <= 4 + 1
        die_at += 1
    # Before and after each answer, the shard and the manifest.
    assert die_at >= 2 * (4 + 1 + 1)


def test_a_contact_is_asked_for_only_where_there_is_something_to_ask(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise InputError("who is calling?")

    monkeypatch.setattr("hgld.scrape.live.parents.require_contact", refuse)
    with pytest.raises(InputError, match="who is calling"):
        run_small(scraped, server)
    assert server.hits == []
    monkeypatch.undo()
    run_small(scraped, server)
    monkeypatch.setattr("hgld.scrape.live.parents.require_contact", refuse)
    scraped.manifest_path(STAGE.name).unlink()
    run_small(scraped, server)


def test_it_needs_a_scrape_that_is_whole(server: Server, workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="hgld scrape"):
        run_small(workspace, server)


@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_a_replay_names_a_damaged_answer_and_leaves_what_stands(
    server: Server, scraped: Workspace
) -> None:
    before = run_small(scraped, server).manifest.outputs
    first = scraped.path(COMMONS_PARENTS) / "000000.json.gz"
    first.write_bytes(first.read_bytes()[:-1])
    named = r"commons-parents/000000\.json\.gz has other bytes than were written: the parents stand"
    with pytest.raises(DamagedError, match=named):
        run_small(scraped, server, replay=True)
    manifest = scraped.manifest(STAGE.name)
    assert manifest is not None
    assert manifest.outputs == before
    assert archive_findings(scraped) == []
    damage = "has other bytes than were written"
    assert parents_findings(scraped) == [("raw/commons-parents/000000.json.gz", damage)]
    found = [one for one in verify_build(scraped, {}, deep=False) if one.what]
    assert [one.path for one in found] == ["raw/commons-parents/000000.json.gz"]
    assert "`hgld parents --force` with" in found[0].what
    server.hits.clear()
    again = Workspace(scraped.root, remakes=True)
    assert run_small(again, server).manifest.outputs == before
    assert asked_titles(server) == [LEVELS[0][:4]]
    assert parents_findings(scraped) == []
