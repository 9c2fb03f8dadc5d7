from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from tests.worlds.commands.typed import only_line, said

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been served."""
    found: list[Any] = []
    monkeypatch.setattr(
        "hgld.pages.review.server.serve_review",
        lambda *given, **named: found.extend([*given, named]),
    )
    return found


def test_options_are_taken_to_the_server(workspace: Workspace, asked: list[Any]) -> None:
    workspace.path("stages").mkdir(parents=True)
    said("review", "--root", workspace.root)
    assert (asked[1].host, asked[1].port) == ("127.0.0.1", 8765)
    assert asked[2]["opens_browser"] is True
    asked.clear()
    # That proposals are accepted where nobody looks is no reason not to look.
    text = '[embed]\ntaxonomy = "own"\n[review]\naccept_proposals = true\n'
    workspace.path("hgld.toml").write_text(text)
    words = ["--port", "0", "--no-open", "--host", "0.0.0.0", "--token", "secret"]  # noqa: S104
    words += ["--read-only", "--reviewer", "ann"]
    said("review", "--root", workspace.root, *words)
    given, guard, named = asked
    assert given == workspace
    assert (guard.host, guard.port) == ("0.0.0.0", 0)  # noqa: S104
    assert (guard.access, guard.read_only) == ("secret", True)
    assert (named["opens_browser"], named["reviewer"]) == (False, "ann")
    assert named["propose"].taxonomy == workspace.path("own")
    asked.clear()
    said("review", "--labels", workspace.root)
    assert asked[0] == workspace


def test_a_folder_without_a_build_and_wrong_settings_of_a_list_are_refused(
    tmp_path: Path, asked: list[Any]
) -> None:
    assert "nowhere" in only_line("review", "--root", tmp_path / "nowhere")
    (tmp_path / "hgld.toml").write_text("[embed]\nguessing = 1\n")
    assert "guessing" in only_line("review", "--labels", tmp_path, "--no-open")
    assert asked == []
