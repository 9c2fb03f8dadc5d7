"""The scrape from dump files: the same tables, and no request."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, CLASS_EVIDENCE, CLASSES, SUPERCLASSES
from tests.worlds.wikimedia.dump_writer import (
    table_rows,
    write_pages,
    write_small_dumps,
    write_sql,
)
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server

_SOFT_TABLES = ("categorylinks", "pagelinks", "linktarget")


@pytest.fixture(autouse=True)
def _no_request(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a scrape from dumps opened a connection")

    if "server" not in request.fixturenames:
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """The small Wikimedia as dumps."""
    folder = tmp_path / "dumps"
    write_small_dumps(folder)
    return folder


def test_every_way_a_category_can_end_is_found(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    report = run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    assert statuses_of(workspace) == STATUSES
    assert report.manifest.failed == 0
    kept = {path.name for path in workspace.path("raw").iterdir()}
    assert kept == {"dump-pages", "dump-entities", "dump-evidence"}


@pytest.mark.parametrize("depth", [0, 2])
def test_the_tables_are_those_of_the_services(
    server: Server, dumps: Path, categories: Path, tmp_path: Path, depth: int
) -> None:
    live, local = Workspace(tmp_path / "live"), Workspace(tmp_path / "local")
    run_scrape(live, fast_config(server, superclass_depth=depth), categories)
    asked = len(server.hits)
    run_scrape(local, ScrapeConfig(dumps=dumps, superclass_depth=depth), categories)
    assert asked > 0
    assert len(server.hits) == asked
    assert table_rows(local, CLASSES) == table_rows(live, CLASSES)
    assert table_rows(local, SUPERCLASSES) == table_rows(live, SUPERCLASSES)
    assert table_rows(local, CLASS_EVIDENCE) == table_rows(live, CLASS_EVIDENCE)
    # The reason why a title is not valid is MediaWiki's own.
    assert table_rows(local, CATEGORIES, "error") == table_rows(live, CATEGORIES, "error")


def test_rows_have_the_time_of_the_dump(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    times = {row["fetched_at"] for row in workspace.read(CATEGORIES).to_pylist()}
    # None: the URL that names no page, which nothing was looked up for.
    assert times == {datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC), None}


@pytest.mark.parametrize("lacking", ["page_props", "wb_items_per_site"])
def test_one_table_of_items_is_enough_where_it_has_them_all(
    dumps: Path, categories: Path, workspace: Workspace, lacking: str
) -> None:
    next(dumps.glob(f"*-{lacking}.sql.gz")).unlink()
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    got = statuses_of(workspace)
    # wb_items_per_site has every item here, page_props two of three.
    assert (got == STATUSES) == (lacking == "page_props")
    assert {n for n in got if got[n] != STATUSES[n]} <= {n for n in got if got[n] == "no_item"}


def test_a_second_run_reads_nothing_and_other_files_are_another_run(
    dumps: Path, categories: Path, workspace: Workspace, tmp_path: Path
) -> None:
    config = ScrapeConfig(dumps=dumps)
    assert not run_scrape(workspace, config, categories).skipped
    assert run_scrape(workspace, config, categories).skipped
    moved = dumps.rename(tmp_path / "elsewhere")
    assert run_scrape(workspace, ScrapeConfig(dumps=moved), categories).skipped
    write_sql(moved, "wb_items_per_site", [])
    assert not run_scrape(workspace, ScrapeConfig(dumps=moved), categories).skipped
    assert "no_item" in {statuses_of(workspace)[number] for number in (1, 2, 10)}


@pytest.mark.parametrize("name", ["page.sql", "all.json", "truthy.nt"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(b"<html>"),
    ],
    ids=["cut", "no gzip"],
)
def test_a_dump_that_cannot_be_read_is_named(
    dumps: Path, categories: Path, workspace: Workspace, name: str, damage: Callable[[Path], object]
) -> None:
    damage(next(dumps.glob(f"*-{name}.gz")))
    with pytest.raises(InputError, match=name):
        run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    assert workspace.shards(CATEGORIES) == []


def test_what_is_missing_and_what_is_there_twice_is_named(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    config = ScrapeConfig(dumps=dumps)
    page = next(dumps.glob("*-page.sql.gz"))
    other = page.rename(dumps / "commonswiki-20261201-page.sql.gz")
    page.write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="page"):
        run_scrape(workspace, config, categories)
    page.unlink()
    other.unlink()
    with pytest.raises(InputError, match="page"):
        run_scrape(workspace, config, categories)
    with pytest.raises(InputError, match="nowhere"):
        run_scrape(workspace, ScrapeConfig(dumps=Path("nowhere")), categories)


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "change",
    [
        ("*-page.sql.gz", b",1001,", b",%d," % (1 << 70), 9),
        ("*-page_props.sql.gz", b"'Q7'", b"'Q%d'" % (1 << 63), 10),
        ("*-all.json.gz", b'"neighborhood in Utrecht (university"', rb'"a \ud800"', 9),
    ],
    ids=["revision", "item", "label"],
)
def test_what_no_table_can_hold_fails_its_rows_and_no_other(
    dumps: Path, categories: Path, workspace: Workspace, change: tuple[str, bytes, bytes, int]
) -> None:
    pattern, part, odd, landmark = change
    path = next(dumps.glob(pattern))
    text = gzip.decompress(path.read_bytes())
    assert part in text
    path.write_bytes(gzip.compress(text.replace(part, odd)))
    report = run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    statuses = statuses_of(workspace)
    assert {n for n, status in statuses.items() if status == "failed"} == {landmark}
    assert report.manifest.failed == 1


def test_without_the_tables_of_links_soft_redirects_say_what_it_takes(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    for name in _SOFT_TABLES:
        next(dumps.glob(f"*-{name}.sql.gz")).unlink()
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    rows = {row["landmark_id"]: row for row in workspace.read(CATEGORIES).to_pylist()}
    soft = {3: "no_item", 4: "no_item"}
    assert {n: row["status"] for n, row in rows.items()} == {**STATUSES, **soft}
    assert rows[3]["page_title"] == "Category:Soft"
    for number in (3, 4, 5):
        assert "soft redirect" in rows[number]["error"]
    assert rows[1]["error"] is None


def test_a_soft_redirect_with_several_links_is_not_guessed(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    targets = [(1, 14, "Category_redirects"), (2, 14, "Castle"), (3, 14, "Tower")]
    write_sql(dumps, "linktarget", targets)
    write_sql(dumps, "pagelinks", [(3, 14, 2), (3, 14, 3)])  # 3 is the page id of Category:Soft
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    row = workspace.read(CATEGORIES).to_pylist()[2]
    assert (row["status"], row["page_title"]) == ("no_item", "Category:Soft")
    assert "2 categories" in row["error"]


def test_category_links_by_name_are_read_too(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    rows = [(page_id, "Category_redirects", "x") for page_id in (3, 4, 5)]
    write_sql(dumps, "categorylinks", rows, columns="cl_from cl_to cl_sortkey")
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    assert statuses_of(workspace) == STATUSES


def test_the_truthy_dump_alone_gives_the_same_classes_without_ranks(
    dumps: Path, categories: Path, workspace: Workspace, tmp_path: Path
) -> None:
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    next(dumps.glob("*-all.json.gz")).unlink()
    truthy = Workspace(tmp_path / "truthy")
    run_scrape(truthy, ScrapeConfig(dumps=dumps), categories)
    assert table_rows(truthy, CATEGORIES) == table_rows(workspace, CATEGORIES)
    assert table_rows(truthy, CLASSES, "rank") == table_rows(workspace, CLASSES, "rank")
    assert {row["rank"] for row in truthy.read(CLASSES).to_pylist()} == {"best"}


def test_without_the_truthy_dump_a_merged_item_is_told_to_be_absent(
    dumps: Path, categories: Path, workspace: Workspace
) -> None:
    next(dumps.glob("*-truthy.nt.gz")).unlink()
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    assert statuses_of(workspace) == {**STATUSES, 6: "no_p31"}
    row = workspace.read(CATEGORIES).to_pylist()[5]
    assert row["qid"] == "Q30"
    assert "Q30" in row["error"]


@pytest.mark.parametrize(
    ("redirect", "status", "error"),
    [
        ((101, 14, "Nowhere", "", ""), "no_page", None),
        ((101, 14, "Elsewhere", "wikipedia", ""), "no_page", "wikipedia:Elsewhere"),
        ((101, 14, "Hard", "", ""), "redirect_loop", None),
        ((101, 2, "Somebody", "", ""), "ok", None),
    ],
)
def test_a_hard_redirect_ends_where_the_table_says(
    dumps: Path,
    categories: Path,
    workspace: Workspace,
    redirect: tuple[int, int, str, str, str],
    status: str,
    error: str | None,
) -> None:
    write_sql(dumps, "redirect", [redirect])
    pages = [(101, 14, "Hard", 1, 7), (102, 2, "Somebody", 0, 8)]
    columns = "page_id page_namespace page_title page_is_redirect page_latest"
    write_sql(dumps, "page", pages, columns)
    write_sql(dumps, "page_props", [(102, "wikibase_item", "Q1", None)])
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    row = workspace.read(CATEGORIES).to_pylist()[1]
    assert row["status"] == status
    assert (row["error"] or "").startswith(error or "")
    assert (row["error"] is None) == (error is None)


def test_titles_with_every_kind_of_character_are_found(tmp_path: Path) -> None:
    folder, workspace = tmp_path / "dumps", Workspace(tmp_path / "build")
    write_small_dumps(folder)
    titles = ['Category:O\'Hara "x" \\ & Ünï (1,14,', "Category:),(2,14,'A", "Category:日本 😀"]
    texts = {title: (number, number, "x") for number, title in enumerate(titles, 1)}
    write_pages(folder, texts, dict.fromkeys(titles, "Q1"))
    lines = [f"{n},http://x/wiki/{quote(title)}" for n, title in enumerate(titles)]
    path = tmp_path / "odd.csv"
    path.write_text("\n".join(["landmark_id,category", *lines]) + "\n", encoding="utf-8")
    run_scrape(workspace, ScrapeConfig(dumps=folder), path)
    rows = workspace.read(CATEGORIES).to_pylist()
    assert [(row["status"], row["page_title"]) for row in rows] == [("ok", t) for t in titles]
