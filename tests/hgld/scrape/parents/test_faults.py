"""What the parents stage does where Commons, the disk or a kill stand in its way."""

import pytest

from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, FetchError, InputError, MissingInputError
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.parents.stage import STAGE
from hgld.scrape.verify import archive_findings, parents_findings
from tests.hgld.scrape.parents.asking import LEVELS, asked_titles, failed_titles, run_small
from tests.worlds.wikimedia.faults import Fault, hang_up, reply
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server


@pytest.mark.fault(156, "429, 5xx, HTML, cut, short, dripping, stalled or no answer")
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (2, reply(503, b"oops")),
        (0, reply(200, b'{"error":{"code":"maxlag","lag":7}}')),
        (2, reply(200, b'{"query":', Content_Length="100")),
        (0, reply(200, b'{"query":{"pages":[{}]}}')),
        (2, reply(200, b'{"batchcomplete":true,"query":{}}')),
        (0, hang_up),
    ],
    ids=["503", "maxlag", "short", "odd", "no page", "hang up"],
)
@pytest.mark.usefixtures("waits")
def test_a_fault_that_passes_leaves_no_trace(
    server: Server, scraped: Workspace, whole: dict[str, str], fault: Fault, number: int
) -> None:
    server.faults["commons", number] = fault
    report = run_small(scraped, server)
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
    assert stage_status(scraped, STAGE).state == "incomplete"
    server.refuses = None
    server.hits.clear()
    assert run_small(scraped, server).manifest.outputs == whole
    assert asked_titles(server) == [[bad]]


def test_a_refusal_ends_the_run_and_what_was_answered_is_kept(
    server: Server, scraped: Workspace, whole: dict[str, str]
) -> None:
    server.faults["commons", 1] = reply(403, b"no")
    with pytest.raises(FetchError, match="403"):
        run_small(scraped, server)
    assert scraped.manifest(STAGE.name) is None
    server.faults.clear()
    server.hits.clear()
    assert run_small(scraped, server).manifest.outputs == whole
    assert asked_titles(server)[0] == LEVELS[0][4:]


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
    with pytest.raises(DamagedError, match=first.name):
        run_small(scraped, server, replay=True)
    manifest = scraped.manifest(STAGE.name)
    assert manifest is not None
    assert manifest.outputs == before
    assert archive_findings(scraped) == []
    assert [path for path, _ in parents_findings(scraped)] == [f"{COMMONS_PARENTS}/{first.name}"]
    server.hits.clear()
    again = Workspace(scraped.root, remakes=True)
    assert run_small(again, server).manifest.outputs == before
    assert asked_titles(server) == [LEVELS[0][:4]]
    assert parents_findings(scraped) == []
