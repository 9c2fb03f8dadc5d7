"""What a machine lacks for a build."""

import importlib.metadata
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.doctor import Check, diagnose
from tests.worlds.commands.typed import invoke
from tests.worlds.gldv2.folder_server import serve


def found(root: Path, **sections: dict[str, object]) -> dict[str, Check]:
    """Returns the checks by name; no server but those of the sections is asked."""
    nowhere = "http://127.0.0.1:9/"
    given: dict[str, dict[str, object]] = {
        "scrape": {"commons": nowhere, "sparql": nowhere},
        "metadata": {"base_url": str(root.parent)},
        "images": {"base_url": str(root.parent)},
    }
    return {one.name: one for one in diagnose(root, {**given, **sections})}


def test_a_machine_with_everything_has_nothing_to_mend(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        commons, sparql = f"{server.url}/w/", f"{server.url}/sparql"
        checks = found(tmp_path / "build", scrape={"commons": commons, "sparql": sparql})
    assert {"hgld", "hgld[train]", "hgld[review]", "disk", "memory", "GPU"} < checks.keys()
    servers = (f"{commons}api.php", sparql, str(tmp_path))
    names = ("python", "hgld", "contact", "build", *servers)
    assert {checks[name].state for name in names} == {"ok"}
    assert all(one.mend for one in checks.values() if one.state != "ok")


def test_a_package_that_is_missing_or_too_old_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "duckdb":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name in {"fastapi", "tomlkit"} else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    checks = found(tmp_path / "build")
    assert (checks["hgld"].state, checks["hgld[query]"].state) == ("fail", "note")
    assert "tomlkit is 0.1" in checks["hgld"].what
    assert "duckdb is missing" in checks["hgld[query]"].what
    assert "pip install" in checks["hgld[query]"].mend
    assert "fastapi is 0.1" in checks["hgld[review]"].what


def test_a_full_disk_a_wrong_folder_and_a_missing_contact_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    monkeypatch.setitem(sys.modules, "torch", None)
    gone = str(tmp_path / "gone")
    far: dict[str, object] = {"commons": "http://wiki.invalid/w/", "sparql": "http://127.0.0.1:9/"}
    checks = found(tmp_path / "build", scrape=far, images={"base_url": gone})
    states = {name: checks[name].state for name in ("disk", gone, "contact", "GPU")}
    assert states == {"disk": "fail", gone: "fail", "contact": "note", "GPU": "note"}
    assert checks["http://127.0.0.1:9/"].state == "note"
    assert "wiki.invalid" in checks["contact"].what


def test_a_build_in_use_or_out_of_reach_is_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.root.mkdir()
    assert found(workspace.root)["build"].state == "ok"
    with workspace.lock():
        assert found(workspace.root)["build"].state == "note"

    def flock(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("hgld.flows.doctor.fcntl.flock", flock)
    assert found(workspace.root)["build"].state == "fail"


def test_the_command_ends_with_1_where_no_build_can_work(workspace: Workspace) -> None:
    workspace.root.mkdir()
    with serve(workspace.root) as server:
        settings = f'[scrape]\ncommons = "{server.url}/w/"\nsparql = "{server.url}/sparql"\n'
        settings += f'[metadata]\nbase_url = "{workspace.root}"\n'
        workspace.path("hgld.toml").write_text(f'{settings}[images]\nbase_url = "/gone"\n')
        done = invoke("doctor", "--root", workspace.root)
        assert (done.exit_code, "fail  /gone" in done.stdout) == (1, True)
        workspace.path("hgld.toml").write_text(f'{settings}[images]\nbase_url = "/"\n')
        assert invoke("doctor", "--root", workspace.root).exit_code == 0
