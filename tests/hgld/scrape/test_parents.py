"""The parents: which categories are asked about, the rows, and the stage on a small Commons."""

import json
import re
import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.stage import StageReport
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.flows.build import (
    known_settings,
    load_step,
)
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.config import ParentsConfig, ScrapeConfig
from hgld.scrape.parents import STAGE, asked_categories, rows_of_parents, run_parents
from hgld.scrape.stage import run_scrape
from hgld.scrape.verify import archive_findings, parents_findings
from hgld.scrape.wikimedia.parents import CategoryParents, CommonsParents
from hgld.tables import CATEGORIES, CLASSES, PARENTS
from tests.worlds.builders import write_taxonomy
from tests.worlds.commands.typed import run_typed
from tests.worlds.wikimedia import small as small_wikimedia
from tests.worlds.wikimedia.commons_answers import TIME
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server

_ABOVE = {"Bergamo", "Churches in Bergamo", "Old churches", "Ring X", "Towers in Bergamo"}
LEVELS = [sorted(FOUND_PARENTS), sorted(f"Category:{name}" for name in _ABOVE)]


def run_small(workspace: Workspace, server: Server, **settings: Any) -> StageReport:  # noqa: ANN401
    return run_parents(workspace, ParentsConfig(), fast_config(server, **settings))


def written_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Returns what is written, whole or not."""
    (shard,) = workspace.shards(PARENTS)
    assert shard.name == "00000.parquet"
    rows: list[dict[str, Any]] = pq.read_table(shard, partitioning=None).to_pylist()
    return rows


def found_parents(workspace: Workspace) -> dict[str, tuple[list[str], list[str]]]:
    rows = written_rows(workspace)
    assert [row["page_title"] for row in rows] == sorted({row["page_title"] for row in rows})
    return {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}


def failed_titles(workspace: Workspace) -> dict[str, str]:
    rows = written_rows(workspace)
    return {row["page_title"]: row["error"] for row in rows if row["status"] == "failed"}


def asked_titles(server: Server) -> list[list[str]]:
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
    outputs = run_small(scraped, server).manifest.outputs
    shutil.rmtree(scraped.path(COMMONS_PARENTS))
    shutil.rmtree(scraped.path(PARENTS.path))
    scraped.manifest_path(STAGE.name).unlink()
    server.hits.clear()
    return outputs


def _tables(titles: dict[int, str | None], with_class: set[int]) -> tuple[pa.Table, pa.Table]:
    categories = [
        {"split": "train", "landmark_id": number, "page_title": title}
        for number, title in titles.items()
    ]
    classes = [
        {"split": "train", "landmark_id": number} for number in sorted(with_class) for _ in range(2)
    ]
    schema = pa.schema([("split", pa.string()), ("landmark_id", pa.int64())])
    named = schema.append(pa.field("page_title", pa.string()))
    return pa.Table.from_pylist(categories, named), pa.Table.from_pylist(classes, schema)


def _many(count: int, first: int = 0) -> tuple[pa.Table, pa.Table]:
    titles: dict[int, str | None] = {n: f"Category:{n}" for n in range(first, first + count)}
    return _tables(titles, set(titles))


def test_every_page_of_a_landmark_without_a_class_is_asked_about_once() -> None:
    titles = {1: "Category:B", 2: "Category:A", 3: "Category:B", 4: None, 5: "Category:C"}
    asked = asked_categories(*_tables(titles, {5}), share=0.0, at_least=0)
    assert asked.without_class == asked.all() == ["Category:A", "Category:B"]
    assert asked.sample == []


def test_a_landmark_is_told_by_its_split_too() -> None:
    categories, classes = _tables({1: "Category:A"}, {1})
    other = pa.table(
        {"split": ["index"], "landmark_id": [1], "page_title": ["Category:B"]},
        schema=categories.schema,
    )
    asked = asked_categories(pa.concat_tables([categories, other]), classes, 1.0, 0)
    assert asked.without_class == ["Category:B"]
    assert asked.sample == ["Category:A"]
    assert asked.all() == ["Category:A", "Category:B"]


def test_all_are_asked_about_where_there_are_fewer_than_the_least() -> None:
    assert len(asked_categories(*_many(99), share=0.05, at_least=100).sample) == 99
    assert len(asked_categories(*_many(101), share=0.05, at_least=100).sample) == 100


def test_a_share_of_many_is_about_that_share_and_stays_when_others_come_and_go() -> None:
    before = set(asked_categories(*_many(10_000), share=0.05, at_least=100).sample)
    assert 440 < len(before) < 560
    after = set(asked_categories(*_many(9_000, first=2_000), share=0.05, at_least=100).sample)
    both = {f"Category:{n}" for n in range(2_000, 10_000)}
    assert before & both == after & both
    assert before < set(asked_categories(*_many(10_000), share=0.1, at_least=100).sample)


def _row(
    parents: dict[str, list[str]],
    *,
    failed: dict[str, str] | None = None,
    levels: int = 2,
    most: int = 20,
) -> dict[str, Any]:
    """Returns the row of category A."""
    known = CommonsParents()
    known.update(
        {
            f"Category:{title}": CategoryParents(fetched_at=TIME, names=tuple(names))
            for title, names in parents.items()
        }
    )
    known.failed = {f"Category:{title}": reason for title, reason in (failed or {}).items()}
    config = ParentsConfig(levels=levels, most_parents=most)
    (row,) = rows_of_parents(["Category:A"], known, config)
    return row


def test_grandparents_are_those_of_the_parents_that_are_not_parents_themselves() -> None:
    row = _row({"A": ["B", "C"], "B": ["C", "E"], "C": ["D", "E"]})
    assert row == {
        "page_title": "Category:A",
        "status": "ok",
        "parents": ["B", "C"],
        "grandparents": ["D", "E"],
        "fetched_at": TIME,
        "error": None,
    }


def test_categories_that_lie_in_each_other_or_in_themselves_are_not_their_own() -> None:
    row = _row({"A": ["A", "B"], "B": ["A", "B", "C"]})
    assert (row["parents"], row["grandparents"]) == (["B"], ["C"])


def test_one_level_has_no_grandparents_and_no_more_parents_than_wished_for_have_parents() -> None:
    parents = {"A": ["B", "C"], "B": ["D"], "C": ["E"]}
    assert _row(parents, levels=1)["grandparents"] == []
    row = _row(parents, most=1)
    assert (row["parents"], row["grandparents"]) == (["B", "C"], ["D"])


def test_a_row_fails_with_its_own_reason_or_that_of_a_parent_and_has_what_is_known() -> None:
    row = _row({}, failed={"A": "no answer"})
    assert (row["status"], row["error"], row["parents"]) == ("failed", "no answer", [])
    row = _row({"A": ["B", "C"], "B": ["D"]}, failed={"C": "no answer"})
    assert (row["status"], row["error"]) == ("failed", "Category:C: no answer")
    assert (row["parents"], row["grandparents"]) == (["B", "C"], ["D"])
    # Which it does not where nobody asked for the parents of that parent.
    assert _row({"A": ["B", "C"], "B": ["D"]}, failed={"C": "no"}, most=1)["status"] == "ok"


def test_each_category_has_its_parents_and_theirs(server: Server, scraped: Workspace) -> None:
    report = run_small(scraped, server)
    assert found_parents(scraped) == FOUND_PARENTS
    assert {row["status"] for row in written_rows(scraped)} == {"ok"}
    assert all(row["fetched_at"] and row["error"] is None for row in written_rows(scraped))
    # And a row for its list of answers.
    assert (report.manifest.rows, report.manifest.problems) == (len(FOUND_PARENTS) + 1, 0)


def test_a_parent_that_is_a_soft_redirect_lies_in_what_it_points_to(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(small_wikimedia.PARENTS, "Category:Towers in Bergamo", ["Pages with maps"])
    soft = {"Category:Towers in Bergamo": "Category:Towers in Lombardy"}
    monkeypatch.setattr(small_wikimedia, "SOFT_PARENTS", soft)
    run_small(scraped, server)
    assert found_parents(scraped)["Category:Tower"] == (
        ["Towers in Bergamo"],
        ["Towers in Lombardy"],
    )
    assert len(asked_titles(server)) == sum(-(-len(level) // 4) for level in LEVELS)  # and no more


def test_every_title_is_asked_for_once_a_level_at_a_time(
    server: Server, scraped: Workspace
) -> None:
    run_small(scraped, server)
    first, second = (
        [level[start : start + 4] for start in range(0, len(level), 4)] for level in LEVELS
    )
    asked = asked_titles(server)
    assert asked[: len(first)] == first
    # `Bergamo` and `Old churches` have no page of their own, the last title of all is asked alone.
    titles = [title for batch in asked[len(first) :] for title in batch]
    assert sorted(titles) == sorted({*LEVELS[1]})
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
    assert len(written_rows(scraped)) == 2
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
    assert {row["page_title"] for row in written_rows(scraped)} == asked
    assert 2 < len(asked) < len(FOUND_PARENTS)
    # Only what is new is asked for, and nothing of that again.
    assert not {"Category:Bare", "Category:Unknown value"} & {*chain(*asked_titles(server))}
    assert run_parents(scraped, config, asking).skipped


def test_one_level_asks_for_no_parents_of_parents_and_the_second_for_these_alone(
    server: Server, scraped: Workspace
) -> None:
    config = fast_config(server)
    run_parents(scraped, ParentsConfig(levels=1), config)
    assert sorted(title for batch in asked_titles(server) for title in batch) == LEVELS[0]
    assert found_parents(scraped) == {title: (own, []) for title, (own, _) in FOUND_PARENTS.items()}
    server.hits.clear()
    run_parents(scraped, ParentsConfig(), config)
    assert sorted(title for batch in asked_titles(server) for title in batch) == LEVELS[1]
    assert found_parents(scraped) == FOUND_PARENTS


def test_a_category_that_is_gone_since_the_scrape_is_no_page(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAGES", "PARENTS"):
        there = dict(getattr(small_wikimedia, name))
        del there["Category:Bare"]
        monkeypatch.setattr(small_wikimedia, name, there)
    report = run_small(scraped, server)
    row = written_rows(scraped)[0]
    assert (row["page_title"], row["status"], row["parents"]) == ("Category:Bare", "no_page", [])
    assert (report.manifest.failed, report.manifest.problems) == (0, 1)


def test_a_second_run_does_nothing_and_other_landmarks_ask_for_what_is_new_alone(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    lines = categories.read_text(encoding="utf-8").splitlines()
    few = [line for line in lines if not re.search("Bare|Tower|Hard", line)]
    categories.write_text("\n".join(few) + "\n", encoding="utf-8")
    run_scrape(scraped, fast_config(server), categories)
    run_small(scraped, server)
    asked = {title for batch in asked_titles(server) for title in batch}
    server.hits.clear()
    assert run_small(scraped, server).skipped
    assert server.hits == []
    categories.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_scrape(scraped, fast_config(server), categories)
    server.hits.clear()
    run_small(scraped, server)
    new = {title for batch in asked_titles(server) for title in batch}
    assert new == {title for level in LEVELS for title in level} - asked
    assert found_parents(scraped) == FOUND_PARENTS


def test_a_refresh_of_the_scrape_has_them_asked_for_again(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    before = run_small(scraped, server).manifest.outputs
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    report = run_small(scraped, server)
    assert not report.skipped
    assert report.manifest.outputs == before
    assert kept_answers(scraped.path(COMMONS_PARENTS)) == kept
    assert len(kept_answers(scraped.path("raw/refresh-1/commons-parents"))) == len(kept)


def test_a_replay_gives_the_same_files_bit_for_bit_and_asks_nobody(
    server: Server, scraped: Workspace
) -> None:
    run_small(scraped, server)
    (shard,) = scraped.shards(PARENTS)
    before = shard.read_bytes()
    shard.unlink()
    server.hits.clear()
    report = run_small(scraped, server, replay=True)
    assert not report.skipped
    assert server.hits == []
    assert shard.read_bytes() == before


def test_its_settings_and_those_of_the_scrape_make_it_stale(
    server: Server, scraped: Workspace
) -> None:
    run_small(scraped, server)

    def state(**sections: dict[str, object]) -> str:
        scrape = {"commons": server.commons, **sections.get("scrape", {})}
        step = load_step("parents", {**sections, "scrape": scrape})
        status = stage_status(scraped, STAGE, known_settings(scraped, step, STAGE))
        return status.state

    assert state() == state(scrape={"superclass_depth": 3}) == "done"
    assert state(parents={"levels": 1}) == "stale"
    assert state(scrape={"commons": "http://127.0.0.1:1/w/"}) == "stale"


def test_logins_stand_in_no_file(server: Server, scraped: Workspace) -> None:
    config = ScrapeConfig(
        commons=server.commons.replace("//", "//ann:secret@"), titles_per_request=4
    )
    run_parents(scraped, ParentsConfig(), config)
    assert all(form["authorization"].startswith("Basic ") for _, form in server.hits)
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    assert {one.endpoint for one in kept} == {config.without_logins().commons}
    assert "secret" not in scraped.manifest_path(STAGE.name).read_text(encoding="utf-8")


@pytest.mark.fault(156, "429, 5xx, HTML, cut, short, dripping, stalled or no answer")
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (0, reply(200, b'{"error":{"code":"maxlag","lag":7}}')),
        (0, reply(200, b'{"query":{"pages":[{}]}}')),
        (2, reply(200, b'{"batchcomplete":true,"query":{}}')),
    ],
    ids=["maxlag", "odd", "no page"],
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


@pytest.fixture
def root(server: Server, categories: Path, workspace: Workspace) -> Path:
    """The folder of a build that is scraped, and whose settings name the small Wikimedia."""
    run_scrape(workspace, fast_config(server), categories)
    addresses = f'commons = "{server.commons}"\nsparql = "{server.sparql}"\n'
    settings = f'[scrape]\n{addresses}categories = "{categories}"\nattempts = 1\nbackoff_s = 0.01\n'
    workspace.path("hgld.toml").write_text(settings, encoding="utf-8")
    server.hits.clear()
    return workspace.root


def _typed(line: str, root: Path, status: int = 0) -> str:
    done = run_typed([*line.split()[1:], "--root", str(root)])
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


def test_it_says_what_it_did_and_status_and_verify_know_it(server: Server, root: Path) -> None:
    told = _typed("hgld parents --contact you@example.org", root)
    assert str(root / PARENTS.path) in told
    assert len(told.splitlines()) == 1
    assert Workspace(root).read(PARENTS)["page_title"].to_pylist() == sorted(FOUND_PARENTS)
    assert all("you@example.org" in form["user-agent"] for _, form in server.hits)
    stages = json.loads(_typed("hgld status --json", root))["stages"]
    (stage,) = [one for one in stages if one["stage"] == "parents"]
    assert (stage["state"], stage["rows"]) == ("done", 8 + 1)
    _typed("hgld verify", root)
    (kept, *_) = sorted((root / COMMONS_PARENTS).glob("*.json.gz"))
    kept.write_bytes(kept.read_bytes()[:-1])
    assert run_typed(["verify", "--root", str(root)]).returncode == 1
    _typed("hgld parents --force", root)
    _typed("hgld verify", root)
