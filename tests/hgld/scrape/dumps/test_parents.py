"""What categories are in, from dumps."""

import gzip
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.archive import DUMP_PARENTS
from hgld.scrape.parents.stage import STAGE, ParentsConfig, run_parents
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.scrape.verify import parents_findings
from hgld.tables import PARENTS
from tests.worlds.wikimedia.dump_writer import table_rows, write_small_dumps, write_sql
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.scraping import fast_config
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


@pytest.mark.parametrize("name", ["page_props", "categorylinks", "linktarget"])
def test_a_dump_that_is_missing_is_named(scraped: Workspace, dumps: Path, name: str) -> None:
    next(dumps.glob(f"*-{name}.sql.gz")).unlink()
    with pytest.raises(InputError, match=name):
        run_parents(scraped, ParentsConfig(), ScrapeConfig(dumps=dumps))
    assert scraped.manifest(STAGE.name) is None


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize("odd", [b"Towers\\0in_Bergamo", b"Towers|in_Bergamo"])
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
