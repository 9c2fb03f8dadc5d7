"""What README and the docs tell their readers to type, open and look at is there."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from hgld.flows.build import STEPS, load_step
from tests.worlds.commands.readme import README, ROOT, commands_on, fenced
from tests.worlds.commands.typed import parsed

PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

RUN_BY = {
    **dict.fromkeys(("make ", "bash .ci/run"), ".ci/run"),
    **dict.fromkeys(("python3 -m venv", ".venv/bin/pip", "source "), "Makefile"),
    **dict.fromkeys(
        ("wget ", "tar ", "unzip ", "mkdir ", "mv ", "find ", "for archive "), "docs/datasets.md"
    ),
    # The checklist of a release, which a person works off; what runs in the container is tested.
    **dict.fromkeys(("echo hatchling", "uvx ", ".venv/bin/python -m build"), "CONTRIBUTING.md"),
    "docker ": "tests/test_containers.py",
    "python mine.py": "tests/servers/test_tutorial.py",
    "prefect ": "tests/servers/flows/test_operating.py",
    **dict.fromkeys(("job=$(sbatch ", "sbatch ", "WORLD=16 sbatch "), "tests/test_cluster.py"),
    "kubectl ": "docs/cluster/index-job.yaml",
    "torchrun ": "tests/servers/training/test_processes.py",
    "python -m hgld.benchmarks.retrieval.changes ": "tests/benchmarks/retrieval/test_changes.py",
    "python -m hgld.benchmarks.retrieval.leaderboard": (
        "tests/benchmarks/retrieval/test_leaderboard.py"
    ),
    "python -m hgld.benchmarks.retrieval.partial ": "tests/benchmarks/retrieval/test_partial.py",
    "python -m hgld.benchmarks.robustness": "tests/benchmarks/robustness/test_command.py",
    "python -m hgld.benchmarks.speed": "tests/benchmarks/speed/test_scripts.py",
    "hgld agree": "tests/servers/flows/test_labels_page.py",
    "hgld annotate": "tests/hgld/annotations/release/test_sharing.py",
    "hgld benchmark": "tests/benchmarks/retrieval/test_stage.py",
    "hgld browse": "tests/flows/cli/test_browsing.py",
    "hgld build": "tests/servers/flows/test_end_to_end.py",
    "hgld build --categories": "tests/flows/test_picture_list.py",
    "hgld cluster": "tests/servers/flows/test_labels_page.py",
    "hgld export": "tests/servers/benchmarks/test_models_page.py",
    "hgld fill": "tests/servers/flows/test_labels_page.py",
    "hgld images": "tests/hgld/images/test_command.py",
    "hgld index": "tests/flows/cli/test_searching.py",
    "hgld look": "tests/hgld/labels/looks/test_stage.py",
    "hgld parents": "tests/hgld/scrape/test_parents.py",
    "hgld publish": "tests/hgld/annotations/release/test_sharing.py",
    "hgld pull": "tests/hgld/annotations/release/test_sharing.py",
    "hgld review": "tests/flows/cli/test_review.py",
    "hgld scrape": "tests/flows/cli/test_commands.py",
    "hgld search": "tests/flows/cli/test_searching.py",
    "hgld status": "tests/servers/flows/test_end_to_end.py",
    "hgld subset": "tests/hgld/loading/test_docs.py",
    "hgld train": "tests/servers/training/test_docs.py",
    "hgld verify": "tests/hgld/annotations/release/test_sharing.py",
    "sha256sum ": "tests/hgld/annotations/release/test_stage.py",
}
"""Beginning of a command to what types it: a test, or whoever has a cluster, or others' data."""
LINES = sorted({line for page in PAGES for line in commands_on(page)})


def test_every_command_is_run_somewhere() -> None:
    assert [line for line in LINES if not line.startswith(tuple(RUN_BY))] == []
    assert [name for name in RUN_BY if not any(line.startswith(name) for line in LINES)] == []
    assert [path for path in set(RUN_BY.values()) if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("hgld ")])
def test_a_command_has_the_options_that_are_shown(line: str) -> None:
    _, name, *words = shlex.split(line)
    parsed(name, words)


def test_every_program_that_is_shown_is_there() -> None:
    programs = {name for line in LINES for name in re.findall(r"-m (hgld[\w.]*)", line)}
    assert [name for name in programs if importlib.util.find_spec(name) is None] == []


def test_the_settings_shown_are_settings() -> None:
    (block,) = fenced(README, "toml")
    sections = tomllib.loads(block)
    assert set(sections) <= set(STEPS)
    for name in sections:
        load_step(name, sections)


FILES = {
    f"/{path.relative_to(ROOT).as_posix()}"
    for top in ("hgld", "training", "benchmarks", "flows", "tests")
    for path in (ROOT / top).rglob("*.py")
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere_and_every_file_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert [one for one in links if "://" not in one and not (page.parent / one).exists()] == []
    names = re.findall(r"`([\w/]+\.py)`", text)
    # A page may leave out the folders that its table or heading has named.
    assert [name for name in names if not any(one.endswith(f"/{name}") for one in FILES)] == []
