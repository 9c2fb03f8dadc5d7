"""The tutorial typed line by line, and the notebook run, on the build of the demo."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

from hgld.engine.workspace import Workspace
from hgld.tables import HIERARCHY
from tests.servers.conftest import VENV
from tests.worlds.commands.readme import ROOT, commands_on, fenced
from tests.worlds.commands.typed import run, said

PAGE = ROOT / "docs/tutorial.md"
NOTEBOOK = ROOT / "docs/notebook.ipynb"


def test_the_tutorial_leads_to_a_taxonomy_a_model_and_a_release(demo: Path, tmp_path: Path) -> None:
    shutil.copytree(demo / "demo-build", tmp_path / "demo-build")
    lines, example = fenced(PAGE, "python")
    (tmp_path / "mine.py").write_text(lines, encoding="utf-8")
    make, activate, browse, review, *typed = commands_on(PAGE)
    # Made already, and two that end with Ctrl-C: tests/flows/cli types them.
    assert (make, activate.split()[0]) == ("make demo", "source")
    assert [one.split()[1] for one in (browse, review)] == ["browse", "review"]
    told = ""
    for line in typed:
        # The shell puts in a picture.
        words = shlex.split(run(["bash", "-c", f"printf '%q ' {line}"], tmp_path))
        if words[0] == "python":
            run([VENV / "bin/python", *words[1:]], tmp_path)
        else:
            told += said(*words[1:], folder=tmp_path)
    (promised,) = re.findall(r"`(place of worship .+)`", PAGE.read_text(encoding="utf-8"))
    assert promised in told
    labels = Workspace(tmp_path / "demo-build").read(HIERARCHY)["hierarchical_label"].to_pylist()
    assert "place of worship" in labels
    assert "church" not in labels
    assert re.search(r"│ mine .*│ +\d\d\.\d ±", told)
    assert (tmp_path / "demo-build/runs/mine/run.html").exists()
    assert (tmp_path / "demo-build/benchmarks/report.html").exists()
    assert (tmp_path / "nearest.html").exists()
    printed = run([VENV / "bin/python", "-c", example], tmp_path)
    assert re.match(r"\d{2,} images, such as {.*'class_labels'", printed)


def test_the_page_of_columns_loads_the_build(demo: Path) -> None:
    (example,) = fenced(ROOT / "docs/columns.md", "python")
    assert "natural_or_human_made" in run([VENV / "bin/python", "-c", example], demo)


def test_the_notebook_runs_and_shows_what_the_site_has(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "demo-build").symlink_to(demo / "demo-build")
    shutil.copy(NOTEBOOK, tmp_path)
    homes = {name: str(tmp_path) for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    run([VENV / "bin/jupyter-execute", "--output=ran.ipynb", NOTEBOOK.name], tmp_path, homes)
    ran, kept = shown(tmp_path / "ran.ipynb"), shown(NOTEBOOK)
    assert [kinds(outputs) for outputs in ran] == [kinds(outputs) for outputs in kept]
    assert "image/svg+xml" in {kind for outputs in kept for kind in kinds(outputs)}
    h_ap, chance = re.findall(r"h_ap +([\d.]+)%, by chance +([\d.]+)%", json.dumps(ran))[0]
    assert float(h_ap) > float(chance) + 20


def shown(path: Path) -> list[list[dict[str, Any]]]:
    """Returns what each cell of code shows, without the warnings of what it imports."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        [one for one in cell["outputs"] if one.get("name") != "stderr"]
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def kinds(outputs: list[dict[str, Any]]) -> list[str]:
    """Returns of what kind each output is."""
    return [kind for one in outputs for kind in one.get("data", [one["output_type"]])]
