"""What categories are in, from dumps."""

import gzip
import shutil
import signal
from pathlib import Path

import pytest

from tests.worlds.commands.typed import fork_server
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.archive import DUMP_PARENTS
from hgld.scrape.dumps.parents import DumpParents
from hgld.scrape.parents.stage import STAGE, ParentsConfig, run_parents
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.scrape.verify import parents_findings
from hgld.scrape.wikimedia.parents import CategoryParents
from hgld.tables import PARENTS
from tests.worlds.wikimedia.dump_writer import table_rows, write_small_dumps, write_sql
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.scraping import fast_config, parents_child
from tests.worlds.wikimedia.small import FOUND_PARENTS, HIDDEN, PAGES, Server
from tests.worlds.wikimedia.small import PARENTS as LINKS


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """The small Wikimedia as dumps."""
    folder = tmp_path / "dumps"
    write_small_dumps(folder)
    return folder


@pytest.fixture
def scraped(dumps: Path, categories: Path, workspace: Workspace) -> Workspace:
    run_scrape(workspace, ScrapeConfig(dumps=dumps), categories)
    return workspace


def _found(workspace: Workspace) -> dict[str, tuple[list[str], list[str]]]:
    rows = workspace.read(PARENTS).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    return {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was looked for in each level that the dumps were read for."""
    seen: list[list[str]] = []
    read = DumpParents._read

    def reading(self: DumpParents, titles: list[str]) -> dict[str, CategoryParents]:
        seen.append(sorted(titles))
        return read(self, titles)

    monkeypatch.setattr(DumpParents, "_read", reading)
    return seen


def test_the_dumps_say_what_the_service_says(
    server: Server, scraped: Workspace, dumps: Path, categories: Path, tmp_path: Path
) -> None:
    live = Workspace(tmp_path / "live")
    run_scrape(live, fast_config(server), categories)
    run_parents(live, ParentsConfig(), fast_config(server))
    run_parents(scraped, ParentsConfig(), ScrapeConfig(dumps=dumps))
    assert table_rows(scraped, PARENTS) == table_rows(live, PARENTS)
    assert _found(scraped) == FOUND_PARENTS


@pytest.mark.parametrize("column", ["cl_to", "both"])
def test_links_by_title_are_read_too(scraped: Workspace, dumps: Path, column: str) -> None:
    titles = [*PAGES, *sorted(LINKS.keys() - PAGES.keys())]
    pages = [(n, 14, title[9:].replace(" ", "_"), 0, 1) for n, title in enumerate(titles, 1)]
    pages.append((99, 14, "Old_churches", 1, 1))
    write_sql(
        dumps, "page", pages, "page_id page_namespace page_title page_is_redirect page_latest"
    )
    write_sql(dumps, "redirect", [(99, 14, "Churches_in_Lombardy", "", "")])
    hidden = [(n, "hiddencat", "") for n, title in enumerate(titles, 1) if title[9:] in HIDDEN]
    write_sql(dumps, "page_props", hidden, "pp_page pp_propname pp_value")
    # Of every second link the target's number is not known yet.
    links = [
        (titles.index(title) + 1, name.replace(" ", "_"), "subcat", number)
        for title, names in LINKS.items()
        for number, name in enumerate(names)
    ]
    links += [(1, "Files_only", "file", 0)]
    if column == "cl_to":
        write_sql(dumps, "categorylinks", [link[:3] for link in links], "cl_from cl_to cl_type")
        next(dumps.glob("*-linktarget.sql.gz")).unlink()
    else:
        named = {name: n for n, name in enumerate(sorted({link[1] for link in links}), 1)}
        rows = [
            (page, "", kind, named[name]) if number else (page, name, kind, None)
            for page, name, kind, number in links
        ]
        write_sql(dumps, "categorylinks", rows, "cl_from cl_to cl_type cl_target_id")
        write_sql(dumps, "linktarget", [(n, 14, name) for name, n in named.items()])
    run_parents(scraped, ParentsConfig(), ScrapeConfig(dumps=dumps))
    assert _found(scraped) == FOUND_PARENTS


def test_what_was_found_is_kept_and_what_is_new_alone_is_looked_for(
    scraped: Workspace, dumps: Path, passes: list[list[str]]
) -> None:
    config = ScrapeConfig(dumps=dumps)
    run_parents(scraped, ParentsConfig(levels=1), config)
    outputs = run_parents(scraped, ParentsConfig(), config).manifest.outputs
    assert passes[0] == sorted(FOUND_PARENTS)
    assert len(passes) == 2
    assert "Category:Ring X" in passes[1]
    kept = kept_answers(scraped.path(DUMP_PARENTS))
    assert [sorted(one.keys) for one in kept] == passes
    assert run_parents(scraped, ParentsConfig(), config).skipped
    scraped.manifest_path(STAGE.name).unlink()
    assert run_parents(scraped, ParentsConfig(), config).manifest.outputs == outputs
    assert len(passes) == 2
    # What was kept of other files says nothing of these.
    write_sql(dumps, "pagelinks", [])
    assert run_parents(scraped, ParentsConfig(), config).manifest.outputs == outputs
    assert len(passes) == 4


def test_a_run_that_was_stopped_goes_on_with_its_level(
    scraped: Workspace, dumps: Path, passes: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = DumpParents._read

    def stopping(self: DumpParents, titles: list[str]) -> dict[str, CategoryParents]:
        if len(passes) == 1:
            raise KeyboardInterrupt
        return read(self, titles)

    monkeypatch.setattr(DumpParents, "_read", stopping)
    config = ScrapeConfig(dumps=dumps)
    with pytest.raises(KeyboardInterrupt):
        run_parents(scraped, ParentsConfig(), config)
    monkeypatch.setattr(DumpParents, "_read", read)
    run_parents(scraped, ParentsConfig(), config)
    assert [len(one) for one in passes] == [len(FOUND_PARENTS), 5]
    assert _found(scraped) == FOUND_PARENTS


@pytest.mark.parametrize("name", ["page_props", "categorylinks", "linktarget"])
def test_a_dump_that_is_missing_is_named(scraped: Workspace, dumps: Path, name: str) -> None:
    next(dumps.glob(f"*-{name}.sql.gz")).unlink()
    with pytest.raises(InputError, match=rf"has no commonswiki-\*-{name}\.sql\.gz; download it"):
        run_parents(scraped, ParentsConfig(), ScrapeConfig(dumps=dumps))
    assert scraped.manifest(STAGE.name) is None


@pytest.mark.fault(64, "what was kept of dumps damaged")
def test_what_was_kept_and_is_damaged_is_looked_for_again(
    scraped: Workspace, dumps: Path, passes: list[list[str]]
) -> None:
    config = ScrapeConfig(dumps=dumps)
    outputs = run_parents(scraped, ParentsConfig(), config).manifest.outputs
    for number, path in enumerate(sorted(scraped.path(DUMP_PARENTS).glob("*.json.gz"))):
        path.write_bytes(path.read_bytes()[:-1])
        assert parents_findings(scraped)
        scraped.manifest_path(STAGE.name).unlink()
        assert run_parents(scraped, ParentsConfig(), config).manifest.outputs == outputs
        assert passes[2 + number] == passes[number]
        assert parents_findings(scraped) == []


@pytest.mark.fault(150, "scrape from dumps killed at any write")
@pytest.mark.slow
def test_a_run_killed_at_any_write_ends_as_if_nothing_had_happened(
    scraped: Workspace, dumps: Path, tmp_path: Path
) -> None:
    config, context, die_at = ScrapeConfig(dumps=dumps), fork_server(), 0
    whole = Workspace(shutil.copytree(scraped.root, tmp_path / "whole"))
    outputs = run_parents(whole, ParentsConfig(), config).manifest.outputs
    while True:
        root = shutil.copytree(scraped.root, tmp_path / str(die_at))
        child = context.Process(target=parents_child, args=(root, config, die_at))
        child.start()
        child.join(60)
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        assert run_parents(Workspace(root), ParentsConfig(), config).manifest.outputs == outputs
        die_at += 1
    # Before and after what was kept of each level, the shard and the manifest.
    assert die_at >= 2 * (2 + 1 + 1)


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize("odd", [b"Towers\\0in_Bergamo", b"Towers|in_Bergamo"], ids=ascii)
def test_an_odd_title_fails_the_rows_that_have_it_and_is_not_kept(
    scraped: Workspace, dumps: Path, odd: bytes
) -> None:
    path = next(dumps.glob("*-linktarget.sql.gz"))
    text = gzip.decompress(path.read_bytes())
    changed = text.replace(b"Towers_in_Bergamo", odd)
    assert changed != text
    path.write_bytes(gzip.compress(changed))
    report = run_parents(scraped, ParentsConfig(), ScrapeConfig(dumps=dumps))
    assert report.manifest.failed == 1
    assert parents_findings(scraped) == []
    kept = kept_answers(scraped.path(DUMP_PARENTS))
    assert not any("Category:Tower" in one.keys for one in kept)


def test_a_dump_that_is_cut_off_is_named_and_nothing_is_written(
    scraped: Workspace, dumps: Path
) -> None:
    path = next(dumps.glob("*-categorylinks.sql.gz"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="categorylinks"):
        run_parents(scraped, ParentsConfig(), ScrapeConfig(dumps=dumps))
    assert scraped.manifest(STAGE.name) is None
    assert not scraped.path(DUMP_PARENTS).exists()
