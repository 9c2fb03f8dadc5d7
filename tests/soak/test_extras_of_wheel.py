"""The wheel with each extra alone: its job runs in an environment of nothing else, or is refused.

What an extra leads to is there, so that a package that the code needs and no extra names is found.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.errors import how_to_install
from tests.flows.test_extras import JOBS, TRIED_AS_WHEEL, extras
from tests.servers.test_packaging import built
from tests.worlds.commands.linked import make_environment
from tests.worlds.commands.once import made_once
from tests.worlds.commands.readme import ROOT
from tests.worlds.commands.typed import run
from tests.worlds.small_build import finish_build, write_inputs
from tests.worlds.stub_encoder import stubbed_encoder

_JOBS = JOBS | TRIED_AS_WHEEL


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the small build."""

    def make(folder: Path) -> None:
        built(ROOT, folder, "wheel")
        with stubbed_encoder():
            finish_build(write_inputs(folder, 0), 0)

    return made_once(tmp_path_factory, "extras", make)


@pytest.mark.parametrize("extra", _JOBS)
def test_the_wheel_with_an_extra_alone_does_its_job(extra: str, made: Path, tmp_path: Path) -> None:
    (wheel,) = made.glob("*.whl")
    chosen = f"[{extra}]" if extra else ""
    programs = make_environment(tmp_path / "venv", f"hgld{chosen}")
    run([programs / "pip", "install", "--quiet", "--no-index", f"{wheel}{chosen}"], tmp_path)
    shutil.copytree(made / "build", tmp_path / "build")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for typed, asked in _JOBS[extra].items():
        program, *words = typed.split() if typed.startswith("hgld ") else ("python", "-c", typed)
        done = subprocess.run(
            [programs / program, *words],
            cwd=tmp_path,
            env=environment | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
        wanted = how_to_install(asked) if asked in extras() else asked
        wanted = wanted.partition(sys.executable)[2] or wanted  # which is another Python's
        assert (done.returncode != 0) == bool(wanted), (typed, done.stderr)
        if wanted:
            assert wanted in done.stderr.splitlines()[-1]
