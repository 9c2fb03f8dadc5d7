"""A release from the command line: its settings, its versions, and how it is checked."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.annotations.release.worlds import decide, kept, releases
from tests.worlds.commands.typed import run_typed, said


def versions(folder: Path) -> list[str]:
    return [one["version"] for one in releases(folder)]


def test_a_build_is_published_pulled_and_published_again(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = ("--root", reviewed.root)
    said("annotate", *root, "--title", "Ours")
    first = kept(reviewed.path("annotations"), "release-1.0.0")
    said("annotate", *root, "--title", "Theirs", "--previous", first)
    assert versions(reviewed.path("annotations")) == ["1.0.1", "1.0.0"]
    said("verify", "--root", first)

    publish, public = ("publish", *root, "--to", "public"), Path("public")
    said(*publish)
    assert versions(public) == ["1.0.0"]
    assert " 0 files sent" in said(*publish).splitlines()[-1]
    assert versions(public) == ["1.0.0"]

    decide(reviewed)
    said(*publish)
    assert versions(public) == ["2.0.0", "1.0.0"]
    said("pull", public, "--out", "labels")
    assert versions(Path("labels")) == ["2.0.0", "1.0.0"]
    assert said("verify", "--root", "labels").endswith(" files are intact\n")
    Path("labels/landmarks.parquet").write_bytes(b"other")
    done = run_typed(("verify", "--root", "labels"))
    named = [line.split()[0] for line in done.stdout.splitlines()]
    assert (done.returncode, named) == (1, ["labels/landmarks.parquet"])

    # A title is a release of its own.
    reviewed.path("hgld.toml").write_text('[release]\ntitle = "Another"\n')
    said(*publish)
    assert versions(public) == ["2.0.1", "2.0.0", "1.0.0"]
    refused = said("publish", *root, "--to", "https://example.org/labels", status=1)
    assert len(refused.splitlines()) == 1
