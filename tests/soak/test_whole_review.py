"""A review of 10,000 labels in a browser, from the first key to the taxonomy, with two kills."""

import contextlib
import shutil
import statistics
from functools import partial
from pathlib import Path

import pytest

from hgld.benchmarks.reviewing.desk import ServedPage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.conftest import _started_chromium, chromium
from tests.servers.pages.conftest import Seats, at_end, opener, seat, watch
from tests.servers.pages.review.conftest import list_of
from tests.servers.pages.review.expecting import Expected, standing_answers
from tests.servers.pages.review.scripted import (
    ScriptedReviewer,
    check_first_rows,
    check_standing,
    check_taxonomy,
)
from tests.worlds.review.desk import Desk
from tests.worlds.watch import Watch

__all__ = ["_started_chromium", "at_end", "chromium", "opener", "seat", "watch"]

_LABELS, _CLUSTERS = 10_000, 150
_MOST_KEYS = 3
_KILLED_IDLE, _KILLED_BUSY = 60, 90


@pytest.mark.timeout(1800)
def test_ten_thousand_labels_become_the_taxonomy_that_the_keys_say(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    seat: Seats,
    watch: Watch,
    at_end: contextlib.ExitStack,
) -> None:
    made = list_of(tmp_path_factory, labels=_LABELS, clusters=_CLUSTERS)
    root = Path(shutil.copytree(made, tmp_path / "build"))
    watch.forgiven = ("net::ERR_",)  # the server is killed
    server = at_end.enter_context(ServedPage(root))
    desk, expected = seat(server.url), Expected()
    check_first_rows(desk, root)
    reviewer = ScriptedReviewer(desk, expected)
    meanwhile = {
        _KILLED_IDLE: partial(_kill_when_done, server=server),
        _KILLED_BUSY: partial(_kill_while_busy, server=server),
    }
    assert reviewer.review_all(meanwhile) > _KILLED_BUSY
    check_standing(root, expected)
    check_taxonomy(root, expected)
    assert len(expected.answers) == _LABELS
    assert statistics.median(reviewer.keys_of.values()) <= _MOST_KEYS


def _kill_when_done(reviewer: ScriptedReviewer, server: ServedPage) -> None:
    """Kills the server after the page said done; undo and redo reach over the restart."""
    reviewer.accept()
    desk, told = reviewer.desk, reviewer.desk.line
    server.kill()
    assert len(read_log(Workspace(server.root)).events) == told
    _start_again(server, desk)
    assert standing_answers(server.root) == reviewer.expected.answers
    desk.press("u")
    reviewer.expected.undo()
    assert standing_answers(server.root) == reviewer.expected.answers
    desk.press("U")
    reviewer.expected.redo()
    assert standing_answers(server.root) == reviewer.expected.answers
    desk.press("u")
    reviewer.expected.undo()


def _kill_while_busy(reviewer: ScriptedReviewer, server: ServedPage) -> None:
    """Kills the server while a key is on its way: it is written whole or not at all."""
    desk, rows = reviewer.desk, reviewer.desk.members()
    before = desk.line
    desk.hit("Enter")
    server.kill()
    written = len(read_log(Workspace(server.root), mend=True).events)
    assert written in {before, before + 1}
    if written > before:
        reviewer.expected.accept([row for row in rows if row.is_sure])
    _start_again(server, desk)
    assert desk.line == written


def _start_again(server: ServedPage, desk: Desk) -> None:
    """The page takes itself up again, once what it says of a lost server has been read."""
    desk.tell("() => { window.isOld = true; }")
    server.start()
    if desk.layer:
        assert desk.layer == "ask"
        assert "The server does not answer" in desk.tell(
            "() => document.getElementById('ask').textContent"
        )
        desk.press("Escape")
    desk.page.wait_for_function("() => !window.isOld")
    desk.wait()
