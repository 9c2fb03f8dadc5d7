"""A release from the command line: its settings, its versions, and how it is checked."""

import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hgld.annotations.release.signing import make_keys, sign_sums
from hgld.annotations.release.stage import STAGE
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.cli.commands import app
from hgld.flows.steps import known_settings, load_step, read_sections
from tests.hgld.annotations.release.worlds import decide
from tests.hgld.annotations.sharing.hub import NAME, serve_hub
from tests.hgld.annotations.world import CHURCH, write_inputs


def hgld(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    write_inputs(workspace)
    return workspace


def state(workspace: Workspace) -> tuple[str, str]:
    """Returns where the stage stands under the settings of the build's folder."""
    step = load_step("annotate", read_sections(workspace.root, None))
    known = known_settings(workspace, step, STAGE)
    status = stage_status(workspace, STAGE, known)
    return status.state, status.reason


def test_a_release_follows_another_and_is_signed_and_checked(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = ("--root", reviewed.root)
    first = hgld("annotate", *root, "--title", "Ours")
    assert first.exit_code == 0, first.output
    assert [line.partition(":")[0] for line in first.stdout.splitlines()] == ["annotate", "release"]
    shutil.copytree(reviewed.path("annotations"), "release-1.0.0")
    decide(reviewed, {CHURCH: ("assigned", "chapel", "human-made")})
    done = hgld("annotate", *root, "--previous", "release-1.0.0")
    assert done.exit_code == 0, done.output
    releases = json.loads(reviewed.path("annotations/releases.json").read_text(encoding="utf-8"))
    assert [one["version"] for one in releases] == ["2.0.0", "1.0.0"]

    make_keys(Path("hgld.key"), Path("hgld.pub"))
    sign_sums(Path("release-1.0.0"), Path("hgld.key"))
    command = ["verify", "--root", "release-1.0.0"]
    plain, signed = hgld(*command), hgld(*command, "--public-key", "hgld.pub")
    counts = [int(said.stdout.split()[0]) for said in (plain, signed)]
    assert counts[1] == counts[0] + 1
    assert plain.stdout.endswith("written; the signature is looked at with --public-key\n")
    assert signed.stdout.endswith("written\n")
    for words in ("sha256sum -c SHA256SUMS", "minisign -V -m SHA256SUMS -p ../hgld.pub"):
        if shutil.which(words.split(maxsplit=1)[0]):
            subprocess.run(words.split(), cwd="release-1.0.0", check=True)


def test_a_build_that_is_published_again_and_again_has_a_version_for_each_change(
    reviewed: Workspace, tmp_path: Path
) -> None:
    there = tmp_path / "there"

    def published() -> tuple[list[str], str]:
        done = hgld("publish", "--root", reviewed.root, "--to", there)
        assert done.exit_code == 0, done.output
        releases = json.loads((there / "releases.json").read_text(encoding="utf-8"))
        return [one["version"] for one in releases], done.stdout.splitlines()[-1]

    assert published()[0] == ["1.0.0"]
    versions, words = published()
    assert versions == ["1.0.0"]
    assert " 0 sent" in words
    decide(reviewed, {CHURCH: ("assigned", "chapel", "human-made")})
    assert published()[0] == ["2.0.0", "1.0.0"]
    assert hgld("annotate", "--root", reviewed.root).exit_code == 0  # which knows of none before
    versions, words = published()
    assert versions == ["2.0.0", "1.0.0"]
    assert " 0 sent" in words


def test_the_status_says_what_a_setting_of_the_release_changes(reviewed: Workspace) -> None:
    assert hgld("annotate", "--root", reviewed.root).exit_code == 0
    assert state(reviewed) == ("done", "")
    settings = reviewed.path("hgld.toml")
    settings.write_text('[release]\ntitle = "Ours"\n')
    assert state(reviewed) == ("stale", "setting title: 'H-GLDv2 labels' -> 'Ours'")
    assert hgld("annotate", "--root", reviewed.root).exit_code == 0
    assert state(reviewed) == ("done", "")
    settings.write_text('[release]\ntitle = "Ours"\nprevious = "release-1.0.0"\n')
    assert state(reviewed) == ("stale", "setting previous: None -> 'release-1.0.0'")


def test_a_run_that_ended_between_the_two_stages_is_told_of(reviewed: Workspace) -> None:
    root = ("--root", reviewed.root)
    assert hgld("annotate", *root).exit_code == 0
    assert hgld("verify", *root).exit_code == 0
    run_annotate(reviewed, AnnotateConfig(images_per_shard=100))
    checked = hgld("verify", *root)
    assert checked.exit_code == 1
    (line,) = checked.stdout.splitlines()
    assert line.startswith(f"{reviewed.root}/annotations/SHA256SUMS is of the release before")
    assert state(reviewed)[0] == "stale"
    assert state(reviewed)[1].startswith("setting files: ")
    assert hgld("annotate", *root, "--images-per-shard", "100").exit_code == 0
    assert hgld("verify", *root).exit_code == 0


def test_an_unsigned_release_never_goes_under_the_signature_of_another(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_keys(Path("hgld.key"), Path("hgld.pub"))
    publish = ("publish", "--root", reviewed.root, "--to", "public")
    assert hgld(*publish, "--secret-key", "hgld.key").exit_code == 0
    signature = Path("public/SHA256SUMS.minisig").read_bytes()
    # The same release, made anew and not signed, is still the one that is signed there.
    reviewed.path("annotations/SHA256SUMS.minisig").unlink()
    assert "; the signature" not in hgld(*publish).stdout
    assert Path("public/SHA256SUMS.minisig").read_bytes() == signature
    assert hgld("verify", "--root", "public", "--public-key", "hgld.pub").exit_code == 0
    reviewed.path("hgld.toml").write_text('[release]\ntitle = "Another"\n')
    assert hgld(*publish).stdout.endswith("; the signature removed\n")
    assert not Path("public/SHA256SUMS.minisig").exists()
    refused = hgld("pull", "public", "--out", "labels", "--public-key", "hgld.pub")
    assert "the release is not signed" in str(refused.exception)


def test_a_wrong_setting_of_the_release_is_refused_before_anything_runs(
    reviewed: Workspace,
) -> None:
    reviewed.path("hgld.toml").write_text('[release]\nlicence = "CC-BY-4.0"\n')
    done = hgld("annotate", "--root", reviewed.root)
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("[release]: unknown key 'licence'; known keys: title")
    assert reviewed.manifest("annotate") is None
    reviewed.path("hgld.toml").write_text("[releases]\n")
    with pytest.raises(InputError, match=r"unknown section \[releases\]; known: .*, release$"):
        read_sections(reviewed.root, None)


def versions(folder: Path) -> list[str]:
    text = (folder / "releases.json").read_text(encoding="utf-8")
    return [one["version"] for one in json.loads(text)]


def test_a_build_is_published_pulled_and_published_again(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    publish = ("publish", "--root", reviewed.root, "--to", "public")
    done = hgld(*publish)
    assert done.exit_code == 0, done.output
    assert versions(Path("public")) == ["1.0.0"]
    assert re.search(r"^public: \d+ files: \d+ sent, 0 were there$", done.stdout, re.MULTILINE)

    again = hgld(*publish)
    assert again.exit_code == 0, again.output
    assert re.search(r"^public: \d+ files: 0 sent, \d+ were there$", again.stdout, re.MULTILINE)
    assert versions(Path("public")) == ["1.0.0"]

    decide(reviewed, {CHURCH: ("assigned", "chapel", "human-made")})
    make_keys(Path("hgld.key"), Path("hgld.pub"))
    signed = hgld(*publish, "--secret-key", "hgld.key")
    assert signed.exit_code == 0, signed.output
    assert versions(Path("public")) == ["2.0.0", "1.0.0"]

    pulled = hgld("pull", "public", "--out", "labels", "--public-key", "hgld.pub")
    assert pulled.exit_code == 0, pulled.output
    assert "all as SHA256SUMS says" in pulled.stdout
    assert versions(Path("labels")) == ["2.0.0", "1.0.0"]
    assert hgld("verify", "--root", "labels", "--public-key", "hgld.pub").exit_code == 0

    make_keys(Path("other.key"), Path("other.pub"))
    refused = hgld("pull", "public", "--out", "labels", "--public-key", "other.pub")
    assert refused.exit_code == 1
    assert "key" in str(refused.exception)
    assert versions(Path("labels")) == ["2.0.0", "1.0.0"]


def test_another_title_alone_is_a_release_of_its_own(reviewed: Workspace, tmp_path: Path) -> None:
    publish = ("publish", "--root", reviewed.root, "--to", tmp_path / "public")
    assert hgld(*publish).exit_code == 0
    reviewed.path("hgld.toml").write_text('[release]\ntitle = "Ours"\n')
    done = hgld(*publish)
    assert done.exit_code == 0, done.output
    assert versions(tmp_path / "public") == ["1.0.1", "1.0.0"]
    assert hgld(*publish).exit_code == 0
    assert versions(tmp_path / "public") == ["1.0.1", "1.0.0"]


def test_a_build_is_published_to_a_hub_and_goes_on_from_what_is_there(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with serve_hub() as hub:
        publish = ("publish", "--root", reviewed.root, "--to", f"hf:{NAME}", "--hub", hub.url)
        for change in ({}, {CHURCH: ("assigned", "chapel", "human-made")}):
            if change:
                decide(reviewed, change)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of the hub's own package
                done = hgld(*publish)
            assert done.exit_code == 0, done.output
        pulled = hgld("pull", f"hf:{NAME}", "--out", tmp_path / "mine", "--hub", hub.url)
        assert pulled.exit_code == 0, pulled.output
    assert versions(tmp_path / "mine") == ["2.0.0", "1.0.0"]
    assert len(hub.commits) == 2
