"""The scrape killed at every write and at any moment, and what makes reading a page slow."""

import itertools
import random
import signal
import threading
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.stage import run_scrape
from hgld.scrape.wikimedia.soft_redirects import redirect_target
from tests.worlds.forked import Forked
from tests.worlds.wikimedia.kills import KILLS, Kill
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import serving


@pytest.mark.fault(151, "scrape killed at any write or moment")
@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS)
def test_a_run_killed_at_any_write_ends_as_if_nothing_had_happened(
    tmp_path: Path, kill: Kill
) -> None:
    kill(tmp_path, itertools.count())


@pytest.mark.fault(151, "scrape killed at any write or moment")
@pytest.mark.parametrize("seed", range(25))
def test_a_run_killed_at_any_moment_ends_as_if_nothing_had_happened(
    categories: Path, workspace: Workspace, clean: dict[str, str], seed: int
) -> None:
    chance, reached = random.Random(seed), threading.Event()
    with serving() as server:
        after, config = chance.randrange(15), fast_config(server)
        server.before = lambda _: reached.set() if len(server.hits) > after else None
        run = Forked(lambda: run_scrape(workspace, config, categories))
        # A moment of the run: when so many requests have come, and a little later.
        assert reached.wait(60)
        reached.clear()
        reached.wait(chance.random() * 0.01)
        run.kill()
        assert run.ended() in {-signal.SIGKILL, 0}
        report = run_scrape(workspace, config, categories)
    assert report.manifest.outputs == clean
    assert statuses_of(workspace) == STATUSES


@pytest.mark.timeout(60)  # minutes, where the time grows as the square of the length
@pytest.mark.parametrize(
    "text",
    ["<pre>", "<nowiki x", "<nowiki></pre>", "<!--", "{{a", "{{", "[[a|", "|", "&", "</pre ", "\0"],
)
def test_a_long_text_of_a_page_takes_no_long_time(text: str) -> None:
    page = text * (2_000_000 // len(text))  # as long as MediaWiki lets a page be
    assert redirect_target(page + "}}" * (1_000_000 if "{{" in text else 0)) == ""
    assert redirect_target(f"{{{{Category redirect|Castle}}}}{page}") == "Category:Castle"
