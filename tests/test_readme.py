"""Every command of the README is typed here, or in the test that `RUN_BY` names."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hgld.flows.steps import STEPS, load_step
from tests.worlds.readme import README, blocks

ROOT = Path(__file__).resolve().parents[1]
VENV = Path(sys.executable).parent.parent

RUN_BY = {
    "make demo": "test_make_demo_...",
    "make test": "what runs this test",
    "python3 -m venv .venv": "the Makefile's own set-up",
    ".venv/bin/pip install '.[all]'": "the Makefile's own set-up, with -e",
    "hgld build --contact you@example.org": "flows/test_end_to_end.py",
    "hgld review --root build --export sheet.csv": "flows/test_end_to_end.py",
    'hgld review --root build --apply sheet.csv --reviewer "Your Name"': "flows/test_end_to_end.py",
    "hgld build": "flows/test_end_to_end.py",
    "hgld status": "flows/test_end_to_end.py",
    **dict.fromkeys(
        (
            "hgld scrape --retry failed",
            "hgld scrape --replay",
            "hgld scrape --follow-moves",
            "hgld scrape --dumps DIR",
            "hgld scrape --refresh",
        ),
        "flows/cli/test_commands.py",
    ),
    **dict.fromkeys((f"hgld {step}" for step in STEPS), "hgld build"),
    "prefect work-pool create hgld --type process": "flows/test_jobs.py",
    "prefect deploy --all": "flows/test_jobs.py",
}


def all_blocks(language: str) -> list[str]:
    titles = [line[3:] for line in README.read_text().splitlines() if line.startswith("## ")]
    return [block for title in titles for block in blocks(title, language)]


def run(command: list[str | Path], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_every_command_is_run_by_a_test() -> None:
    lines = [line for block in all_blocks("bash") for line in block.splitlines()]
    typed = {line.split("  #")[0].strip() for line in lines}
    cells = re.findall(r"^\| (`hgld [^|]*) \|", README.read_text(encoding="utf-8"), re.M)
    names = [name for cell in cells for name in re.findall("`([^`]+)`", cell)]
    listed = {f"hgld {name.removeprefix('hgld ')}" for name in names}
    assert typed | listed == set(RUN_BY)


def test_the_settings_shown_are_settings() -> None:
    (block,) = all_blocks("toml")
    sections = tomllib.loads(block)
    assert set(sections) <= set(STEPS)
    for name in sections:
        load_step(name, sections)


def test_it_is_short() -> None:
    assert len(README.read_text().splitlines()) < 150


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that `make demo` left its build in, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    arguments = f"ARGS=--root {folder / 'demo-build'}"
    return folder, run(["make", "demo", f"VENV={VENV}", arguments], ROOT)


@pytest.mark.slow
def test_make_demo_prints_a_gain_and_leaves_annotations_and_a_report(
    demo: tuple[Path, str],
) -> None:
    folder, printed = demo
    (row,) = [line for line in printed.splitlines() if "H-AP" in line]
    before, after = (float(cell.split("±")[0]) for cell in row.split("│")[3:5])
    assert 20 < before < after - 10
    assert list((folder / "demo-build/annotations/train").glob("*.parquet"))
    assert (folder / "demo-build/benchmarks/report.html").exists()


@pytest.mark.slow
def test_the_five_lines_run_on_the_wheel_in_a_clean_environment(
    demo: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = demo
    run([sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    run([sys.executable, "-m", "venv", tmp_path / "venv"], tmp_path)
    run([tmp_path / "venv/bin/pip", "install", "--quiet", f"{wheel}[train]"], tmp_path)
    (lines,) = all_blocks("python")
    printed = run([tmp_path / "venv/bin/python", "-c", lines], folder)
    assert "'h_ap': " in printed
    said = run([tmp_path / "venv/bin/hgld", "status"], folder)
    assert "benchmark" in said
