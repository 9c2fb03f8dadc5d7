"""The parents of the lab's categories, from a real MediaWiki."""

from pathlib import Path
from urllib.parse import quote

from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.parents import run_parents
from hgld.tables import PARENTS
from tests.servers.scrape.conftest import scrape_lab
from tests.worlds.second_lab.parents import FOUND_IN_LAB
from tests.worlds.wikimedia.lab import Lab
from tests.worlds.wikimedia.scraping import kept_answers


def test_every_category_has_its_parents_and_theirs_however_long_the_answer(
    lab: Lab, tmp_path: Path
) -> None:
    names = (quote(title.replace(" ", "_"), safe=":") for title in FOUND_IN_LAB)
    urls = [f"http://commons.wikimedia.org/wiki/{name}" for name in names]
    workspace = scrape_lab(lab, tmp_path, urls)
    before = lab.requests()
    run_parents(workspace, ScrapeConfig(commons=lab.commons, sparql=lab.sparql))
    rows = workspace.read(PARENTS).to_pylist()
    assert all(row["status"] == "ok" and row["fetched_at"] is not None for row in rows)
    found = {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}
    assert found == FOUND_IN_LAB
    # The first level goes on once; the second, of 35 titles, fits.
    kept = kept_answers(workspace.path(COMMONS_PARENTS))
    assert [len(one.answer) for one in kept] == [2, 1]
    assert lab.requests() - before == 3
    pages = kept[0].answer[0]["query"]["pages"]
    assert all(page["revisions"][0]["revid"] for page in pages)
