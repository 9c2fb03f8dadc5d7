"""A release from the command line: its settings, its versions, and how it is checked."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.annotations.release.worlds import decide, kept, releases
from tests.worlds.commands.typed import run_typed


def well(*words: str | Path) -> str:
    """Types a command that must go well; returns what it said."""
    done = run_typed(words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def versions(folder: Path) -> list[str]:
    return [one["version"] for one in releases(folder)]


def test_a_build_is_published_pulled_and_published_again(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = ("--root", reviewed.root)
    well("annotate", *root, "--title", "Ours")
    first = kept(reviewed.path("annotations"), "release-1.0.0")
    well("annotate", *root, "--title", "Theirs", "--previous", first)
    assert versions(reviewed.path("annotations")) == ["1.0.1", "1.0.0"]
    well("verify", "--root", first)

    publish, public = ("publish", *root, "--to", "public"), Path("public")
    well(*publish)
    assert versions(public) == ["1.0.0"]
    assert " 0 files sent" in well(*publish).splitlines()[-1]
    assert versions(public) == ["1.0.0"]

    decide(reviewed)
    well(*publish)
    assert versions(public) == ["2.0.0", "1.0.0"]
    well("pull", public, "--out", "labels")
    assert versions(Path("labels")) == ["2.0.0", "1.0.0"]
    well("verify", "--root", "labels")

    # A title is a release of its own.
    reviewed.path("hgld.toml").write_text('[release]\ntitle = "Another"\n')
    well(*publish)
    assert versions(public) == ["2.0.1", "2.0.0", "1.0.0"]
    refused = run_typed(("publish", *root, "--to", "https://example.org/labels"))
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
