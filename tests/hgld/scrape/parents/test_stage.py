"""The parents, asked of a small Commons: the rows, what is asked, replay, faults and kills."""

import logging
import re
import shutil
import signal
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.benchmarks.faults.command import fork_server
from hgld.engine.stage import StageReport
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, FetchError, InputError, MissingInputError
from hgld.flows.steps import known_settings, load_step, verify_build
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.parents.stage import STAGE, ParentsConfig, run_parents
from hgld.scrape.stage import run_scrape
from hgld.scrape.verify import archive_findings, parents_findings
from hgld.tables import CATEGORIES, CLASSES, PARENTS
from tests.worlds.builders import write_taxonomy
from tests.worlds.wikimedia import small as small_wikimedia
from tests.worlds.wikimedia.faults import Fault, hang_up, reply, stall
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.lab import fast_config, parents_child
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server, serving

_ABOVE = {"Bergamo", "Churches in Bergamo", "Old churches", "Ring X", "Towers in Bergamo"}
_LEVELS = [sorted(FOUND_PARENTS), sorted(f"Category:{name}" for name in _ABOVE)]


def _run(workspace: Workspace, server: Server, **settings: Any) -> StageReport:  # noqa: ANN401
    return run_parents(workspace, ParentsConfig(), fast_config(server, **settings))


def _written(workspace: Workspace) -> list[dict[str, Any]]:
    """Returns what is written, whole or not."""
    (shard,) = workspace.shards(PARENTS)
    assert shard.name == "00000.parquet"
    rows: list[dict[str, Any]] = pq.read_table(shard, partitioning=None).to_pylist()
    return rows


def _found(workspace: Workspace) -> dict[str, tuple[list[str], list[str]]]:
    rows = _written(workspace)
    assert [row["page_title"] for row in rows] == sorted({row["page_title"] for row in rows})
    return {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}


def _failed(workspace: Workspace) -> dict[str, str]:
    rows = _written(workspace)
    return {row["page_title"]: row["error"] for row in rows if row["status"] == "failed"}


def _asked(server: Server) -> list[list[str]]:
    """Returns the titles of each request for parents, in order; a continued one is there again."""
    return [form["titles"].split("|") for _, form in server.hits if "clshow" in form]


@pytest.fixture
def scraped(server: Server, categories: Path, workspace: Workspace) -> Workspace:
    """A scrape; what it asked is forgotten."""
    run_scrape(workspace, fast_config(server), categories)
    server.hits.clear()
    return workspace


@pytest.fixture
def whole(server: Server, scraped: Workspace) -> dict[str, str]:
    """The digests that an undisturbed run leaves, which is forgotten."""
    outputs = _run(scraped, server).manifest.outputs
    shutil.rmtree(scraped.path(COMMONS_PARENTS))
    shutil.rmtree(scraped.path(PARENTS.path))
    scraped.manifest_path(STAGE.name).unlink()
    server.hits.clear()
    return outputs


def test_each_category_has_its_parents_and_theirs(server: Server, scraped: Workspace) -> None:
    report = _run(scraped, server)
    assert _found(scraped) == FOUND_PARENTS
    assert {row["status"] for row in _written(scraped)} == {"ok"}
    assert all(row["fetched_at"] and row["error"] is None for row in _written(scraped))
    assert (report.manifest.rows, report.manifest.problems) == (len(FOUND_PARENTS), 0)


def test_a_parent_that_is_a_soft_redirect_lies_in_what_it_points_to(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(small_wikimedia.PARENTS, "Category:Towers in Bergamo", ["Pages with maps"])
    soft = {"Category:Towers in Bergamo": "Category:Towers in Lombardy"}
    monkeypatch.setattr(small_wikimedia, "SOFT_PARENTS", soft)
    _run(scraped, server)
    assert _found(scraped)["Category:Tower"] == (["Towers in Bergamo"], ["Towers in Lombardy"])
    assert len(_asked(server)) == sum(-(-len(level) // 4) for level in _LEVELS)  # and no more


def test_every_title_is_asked_for_once_a_level_at_a_time(
    server: Server, scraped: Workspace
) -> None:
    _run(scraped, server)
    first, second = (
        [level[start : start + 4] for start in range(0, len(level), 4)] for level in _LEVELS
    )
    asked = _asked(server)
    assert asked[: len(first)] == first
    # `Bergamo` and `Old churches` have no page of their own, the last title of all is asked alone.
    titles = [title for batch in asked[len(first) :] for title in batch]
    assert sorted(titles) == sorted({*_LEVELS[1]})
    assert len(asked) == len(first) + len(second)
    assert server.count("sparql") == 0
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    assert [list(one.keys) for one in kept] == asked
    assert all(one.endpoint == server.commons and one.fetched_at for one in kept)


def test_a_landmark_whose_classes_were_all_ignored_is_asked_about_once_that_is_known(
    server: Server, scraped: Workspace
) -> None:
    config, asking = ParentsConfig(sample_at_least=0, sample_share=0), fast_config(server)
    run_parents(scraped, config, asking)
    assert len(_written(scraped)) == 2
    classes = scraped.read(CLASSES)
    kept = classes["class_qid"][0].as_py()
    write_taxonomy(scraped, classes, {kept: ("undecided", None, None)})  # type: ignore[dict-item]
    keys = zip(*(classes[name].to_pylist() for name in ("split", "landmark_id")), strict=True)
    with_class = {
        key for key, qid in zip(keys, classes["class_qid"].to_pylist(), strict=True) if qid == kept
    }
    pages = scraped.read(CATEGORIES).to_pylist()
    asked = {
        row["page_title"]
        for row in pages
        if row["page_title"] and (row["split"], row["landmark_id"]) not in with_class
    }
    server.hits.clear()
    assert not run_parents(scraped, config, asking).skipped
    assert {row["page_title"] for row in _written(scraped)} == asked
    assert 2 < len(asked) < len(FOUND_PARENTS)
    # Only what is new is asked for, and nothing of that again.
    assert not {"Category:Bare", "Category:Unknown value"} & {*chain(*_asked(server))}
    assert run_parents(scraped, config, asking).skipped


def test_what_will_be_asked_is_said_before_each_level_and_what_was_at_the_end(
    server: Server,
    scraped: Workspace,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "hgld.scrape")
    monkeypatch.setattr(small_wikimedia, "CATEGORIES_AN_ANSWER", 2)
    said: list[int] = []
    server.before = lambda _: said.append(caplog.text.count("more for each answer that does not"))
    _run(scraped, server)
    words = f"2 requests to {server.commons}, 1 at a time, and one more for each answer that does"
    assert f"parents: 8 categories, 0 of them in the raw archive; {words}" in caplog.text
    assert f"parents: 5 categories, 0 of them in the raw archive; {words}" in caplog.text
    assert (said[0], said[-1]) == (1, 2)
    assert len(server.hits) > 2 + 2
    assert f"parents: {len(server.hits)} requests were answered" in caplog.text
    assert "parents: 2 categories of landmarks without a class and 6 of others: 8 ok" in caplog.text


def test_a_continued_answer_is_read_to_its_end(
    server: Server, scraped: Workspace, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_wikimedia, "CATEGORIES_AN_ANSWER", 1)
    assert _run(scraped, server).manifest.outputs == whole
    assert max(len(one.answer) for one in kept_answers(scraped.path(COMMONS_PARENTS))) > 1


def test_one_level_asks_for_no_parents_of_parents_and_the_second_for_these_alone(
    server: Server, scraped: Workspace
) -> None:
    config = fast_config(server)
    run_parents(scraped, ParentsConfig(levels=1), config)
    assert sorted(title for batch in _asked(server) for title in batch) == _LEVELS[0]
    assert _found(scraped) == {title: (own, []) for title, (own, _) in FOUND_PARENTS.items()}
    server.hits.clear()
    run_parents(scraped, ParentsConfig(), config)
    assert sorted(title for batch in _asked(server) for title in batch) == _LEVELS[1]
    assert _found(scraped) == FOUND_PARENTS


def test_no_more_parents_of_a_category_are_climbed_than_the_settings_say(
    server: Server, scraped: Workspace
) -> None:
    run_parents(scraped, ParentsConfig(most_parents=1), fast_config(server))
    titles = {title for batch in _asked(server) for title in batch}
    assert "Category:Bergamo" in titles
    assert "Category:Ring X" not in titles
    assert _found(scraped)["Category:Unknown value"] == (
        ["Old churches", "Ring X"],
        ["Churches in Italy"],
    )


def test_without_a_sample_only_landmarks_without_a_class_are_asked_about(
    server: Server, scraped: Workspace
) -> None:
    run_parents(scraped, ParentsConfig(sample_share=0.0, sample_at_least=0), fast_config(server))
    expected = ("Category:Bare", "Category:Unknown value")
    assert _found(scraped) == {title: FOUND_PARENTS[title] for title in expected}


def test_where_every_landmark_has_a_class_and_no_sample_is_wished_for_nobody_is_asked(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    categories.write_text("landmark_id,category\n1,http://x/wiki/Category:Tower\n")
    run_scrape(scraped, fast_config(server), categories)
    server.hits.clear()
    config = ParentsConfig(sample_share=0.0, sample_at_least=0)
    report = run_parents(scraped, config, fast_config(server))
    assert (report.manifest.rows, server.hits) == (0, [])


def test_a_category_that_is_gone_since_the_scrape_is_no_page(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAGES", "PARENTS"):
        there = dict(getattr(small_wikimedia, name))
        del there["Category:Bare"]
        monkeypatch.setattr(small_wikimedia, name, there)
    report = _run(scraped, server)
    row = _written(scraped)[0]
    assert (row["page_title"], row["status"], row["parents"]) == ("Category:Bare", "no_page", [])
    assert (report.manifest.failed, report.manifest.problems) == (0, 1)


def test_a_second_run_does_nothing_and_other_landmarks_ask_for_what_is_new_alone(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    lines = categories.read_text(encoding="utf-8").splitlines()
    few = [line for line in lines if not re.search("Bare|Tower|Hard", line)]
    categories.write_text("\n".join(few) + "\n", encoding="utf-8")
    run_scrape(scraped, fast_config(server), categories)
    _run(scraped, server)
    asked = {title for batch in _asked(server) for title in batch}
    server.hits.clear()
    assert _run(scraped, server).skipped
    assert server.hits == []
    categories.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_scrape(scraped, fast_config(server), categories)
    server.hits.clear()
    _run(scraped, server)
    new = {title for batch in _asked(server) for title in batch}
    assert new == {title for level in _LEVELS for title in level} - asked
    assert _found(scraped) == FOUND_PARENTS


def test_a_refresh_of_the_scrape_has_them_asked_for_again(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    before = _run(scraped, server).manifest.outputs
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    report = _run(scraped, server)
    assert not report.skipped
    assert report.manifest.outputs == before
    assert kept_answers(scraped.path(COMMONS_PARENTS)) == kept
    assert len(kept_answers(scraped.path("raw/refresh-1/commons-parents"))) == len(kept)


def test_a_replay_gives_the_same_files_bit_for_bit_and_asks_nobody(
    server: Server, scraped: Workspace
) -> None:
    _run(scraped, server)
    (shard,) = scraped.shards(PARENTS)
    before = shard.read_bytes()
    shard.unlink()
    server.hits.clear()
    report = _run(scraped, server, replay=True)
    assert not report.skipped
    assert server.hits == []
    assert shard.read_bytes() == before


def test_a_replay_without_answers_fails_every_row_and_the_next_run_asks(
    server: Server, scraped: Workspace, whole: dict[str, str]
) -> None:
    report = _run(scraped, server, replay=True)
    assert server.hits == []
    assert _failed(scraped) == dict.fromkeys(
        FOUND_PARENTS, "not in the raw archive; run again without --replay"
    )
    assert report.manifest.failed == len(FOUND_PARENTS)
    assert _run(scraped, server).manifest.outputs == whole


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
    report = _run(scraped, server, read_timeout_s=0.5)
    assert server.fired == ["commons"]
    assert report.manifest.outputs == whole


@pytest.mark.fault(154, "title or item that a service refuses")
@pytest.mark.parametrize("bad", ["Category:Castle", "Category:Churches in Bergamo"])
def test_a_title_that_is_refused_fails_the_rows_that_need_it_and_is_tried_again_alone(
    server: Server, scraped: Workspace, whole: dict[str, str], bad: str
) -> None:
    server.refusal = reply(200, b'{"error":{"code":"internal_api_error_Thing","info":"no"}}')
    server.refuses = lambda _, text: bad in text.split("|")
    report = _run(scraped, server)
    assert server.fired
    failed = {bad} if bad in FOUND_PARENTS else {"Category:Bare", "Category:Ranks"}
    assert _failed(scraped).keys() == failed
    assert report.manifest.failed == len(failed)
    status = stage_status(scraped, STAGE)
    assert (status.state, status.reason[:13]) == ("incomplete", f"{len(failed)} rows failed")
    server.refuses = None
    server.hits.clear()
    assert _run(scraped, server).manifest.outputs == whole
    assert _asked(server) == [[bad]]


def test_a_refusal_ends_the_run_and_what_was_answered_is_kept(
    server: Server, scraped: Workspace, whole: dict[str, str]
) -> None:
    server.faults["commons", 1] = reply(403, b"no")
    with pytest.raises(FetchError, match="refuses with 403"):
        _run(scraped, server)
    assert scraped.manifest(STAGE.name) is None
    server.faults.clear()
    server.hits.clear()
    assert _run(scraped, server).manifest.outputs == whole
    assert _asked(server)[0] == _LEVELS[0][4:]


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
            assert _run(Workspace(root), server).manifest.outputs == whole
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
        _run(scraped, server)
    assert server.hits == []
    monkeypatch.undo()
    _run(scraped, server)
    monkeypatch.setattr("hgld.scrape.live.parents.require_contact", refuse)
    scraped.manifest_path(STAGE.name).unlink()
    _run(scraped, server)


def test_it_needs_a_scrape_that_is_whole(server: Server, workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="hgld scrape"):
        _run(workspace, server)


@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_a_replay_names_a_damaged_answer_and_leaves_what_stands(
    server: Server, scraped: Workspace
) -> None:
    before = _run(scraped, server).manifest.outputs
    first = scraped.path(COMMONS_PARENTS) / "000000.json.gz"
    first.write_bytes(first.read_bytes()[:-1])
    named = r"commons-parents/000000\.json\.gz has other bytes than were written: the parents stand"
    with pytest.raises(DamagedError, match=named):
        _run(scraped, server, replay=True)
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
    assert _run(again, server).manifest.outputs == before
    assert _asked(server) == [_LEVELS[0][:4]]
    assert parents_findings(scraped) == []


def test_its_settings_and_those_of_the_scrape_make_it_stale(
    server: Server, scraped: Workspace
) -> None:
    _run(scraped, server)

    def state(**sections: dict[str, object]) -> str:
        scrape = {"commons": server.commons, **sections.get("scrape", {})}
        step = load_step("parents", {**sections, "scrape": scrape})
        status = stage_status(scraped, STAGE, known_settings(scraped, step, STAGE))
        return f"{status.state}: {status.reason}"

    assert state() == state(scrape={"superclass_depth": 3}) == "done: "
    assert state(parents={"levels": 1}) == "stale: setting levels: 2 -> 1"
    assert "stale: setting commons" in state(scrape={"commons": "http://127.0.0.1:1/w/"})
    assert "stale: setting commons" in state(scrape={"dumps": "dumps"})


def test_logins_stand_in_no_file(server: Server, scraped: Workspace) -> None:
    config = ScrapeConfig(
        commons=server.commons.replace("//", "//ann:secret@"), titles_per_request=4
    )
    run_parents(scraped, ParentsConfig(), config)
    assert all(form["authorization"].startswith("Basic ") for _, form in server.hits)
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    assert {one.endpoint for one in kept} == {config.without_logins().commons}
    assert "secret" not in scraped.manifest_path(STAGE.name).read_text(encoding="utf-8")
