"""A release from the command line: its settings, its versions, and how it is checked."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hgld.annotations.release.stage import STAGE
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.flows.build import known_settings, load_step, read_sections
from tests.hgld.annotations.release.worlds import decide
from tests.hgld.annotations.world import CHURCH
from tests.worlds.commands.typed import run_typed

Done = subprocess.CompletedProcess[str]
CHAPEL = {CHURCH: ("assigned", "chapel", "human-made")}


def hgld(*words: str | Path) -> Done:
    return run_typed(words)


def well(*words: str | Path) -> str:
    """Types a command that must go well; returns what it said."""
    done = hgld(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def versions(folder: Path) -> list[str]:
    text = (folder / "releases.json").read_text(encoding="utf-8")
    return [one["version"] for one in json.loads(text)]


def state(workspace: Workspace) -> tuple[str, str]:
    """Returns where the stage stands under the settings of the build's folder."""
    step = load_step("annotate", read_sections(workspace.root, None))
    known = known_settings(workspace, step, STAGE)
    status = stage_status(workspace, STAGE, known)
    return status.state, status.reason


def test_the_status_says_what_a_setting_of_the_release_changes(published: Workspace) -> None:
    settings = published.path("hgld.toml")
    settings.write_text('[annotate]\ntrain = "all"\n')
    assert state(published) == ("done", "")
    settings.write_text('[annotate]\ntrain = "all"\n[release]\ntitle = "Ours"\n')
    assert state(published) == ("stale", "setting title: 'H-GLDv2 labels' -> 'Ours'")
    well("annotate", "--root", published.root)
    assert state(published) == ("done", "")


def test_a_run_that_ended_between_the_two_stages_is_told_of(published: Workspace) -> None:
    root = ("--root", published.root)
    well("verify", *root)
    run_annotate(published, AnnotateConfig(train="all", images_per_shard=100))
    checked = hgld("verify", *root)
    assert checked.returncode == 1
    (line,) = checked.stdout.splitlines()
    assert line.startswith(f"{published.root}/annotations/SHA256SUMS ")
    assert state(published)[0] == "stale"
    well("annotate", *root, "--train", "all", "--images-per-shard", "100")
    well("verify", *root)


def test_a_build_is_published_pulled_and_published_again(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    well("annotate", "--root", reviewed.root, "--title", "Ours")
    kept = shutil.copytree(reviewed.path("annotations"), "release-1.0.0")
    well("annotate", "--root", reviewed.root, "--title", "Theirs", "--previous", kept)
    assert versions(reviewed.path("annotations")) == ["1.0.1", "1.0.0"]
    well("verify", "--root", "release-1.0.0")
    subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd="release-1.0.0", check=True)

    publish = ("publish", "--root", reviewed.root, "--to", "public")
    well(*publish)
    assert versions(Path("public")) == ["1.0.0"]
    assert " 0 files sent" in well(*publish).splitlines()[-1]
    assert versions(Path("public")) == ["1.0.0"]

    decide(reviewed, CHAPEL)
    well(*publish)
    assert versions(Path("public")) == ["2.0.0", "1.0.0"]
    well("pull", "public", "--out", "labels")
    assert versions(Path("labels")) == ["2.0.0", "1.0.0"]
    well("verify", "--root", "labels")

    # A title is a release of its own.
    reviewed.path("hgld.toml").write_text('[release]\ntitle = "Another"\n')
    well(*publish)
    assert versions(Path("public")) == ["2.0.1", "2.0.0", "1.0.0"]
    refused = hgld("publish", "--root", reviewed.root, "--to", "https://example.org/labels")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
