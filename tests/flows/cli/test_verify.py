"""`hgld verify`, and what a damaged build says to whoever goes on with it."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import EMBEDDINGS, TAXONOMY
from hgld.training.run.checkpoint import RunFiles, save_sealed
from tests.worlds.commands.typed import invoke, said


@pytest.fixture
def built(small_build: Workspace, workspace: Workspace) -> Workspace:
    """A copy of the small build, to be damaged."""
    shutil.copytree(small_build.root, workspace.root)
    return workspace


def named(build: Workspace) -> dict[Path, str]:
    """Returns each file that `hgld verify` names, and what it says of it."""
    done = invoke("verify", "--root", build.root)
    assert done.exit_code == 1
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {Path(path): what for path, what in lines}


@pytest.mark.fault(202, "damage of which nobody has read yet")
def test_each_damage_is_a_line_and_the_command_it_names_mends_it(built: Workspace) -> None:
    intact, beside = said("verify", "--root", built.root).splitlines()
    assert "files are intact" in intact
    assert "runs/happier/metrics.jsonl" in beside  # nothing says what it was
    embedding, taxonomy = built.shards(EMBEDDINGS)[0], built.shards(TAXONOMY)[0]
    clean = embedding.read_bytes()
    embedding.write_bytes(clean[:-1])
    copy = taxonomy.with_name("copy.parquet")
    shutil.copy(taxonomy, copy)
    damaged, gone = built.manifest_path("cluster"), built.manifest_path("images-index")
    damaged.write_text("{")
    gone.unlink()
    mends = {
        embedding: ["embed"],
        damaged: ["cluster"],
        copy: ["review", "--settle"],
        gone: ["images", "--split", "index"],
    }
    found = named(built)
    assert found.keys() == mends.keys()
    for path, command in mends.items():
        assert f"`hgld {' '.join(command)}`" in found[path]
        said(*command, "--root", built.root)
    assert embedding.read_bytes() == clean
    assert built.shards(TAXONOMY) == [taxonomy]
    said("verify", "--root", built.root)


@pytest.mark.fault(207, "a file that cannot be read")
def test_what_a_build_keeps_beside_its_tables_is_compared_too(built: Workspace) -> None:
    root, files = built.root, RunFiles(built.path("runs/happier"))
    unreadable = built.path("images/tars/index.json")
    unreadable.unlink()
    unreadable.mkdir()
    block, key = root / f"benchmarks/embeddings/{'a' * 32}.safetensors", {"key": "a" * 64}
    save_file({"embeddings": torch.ones(1, 1)}, block, metadata={**key, "sha256": "0" * 64})
    index = files.folder / "index-photos/stages/index.json"
    index.parent.mkdir(parents=True)
    index.write_text("{")
    for path in (files.checkpoint, files.best):
        save_sealed({"step": 1, "model": {"weight": torch.ones(50)}}, path)
        content = path.read_bytes()
        path.write_bytes(content[:-100] + b"?" + content[-99:])
    mends = {files.checkpoint: "delete ", files.best: "delete "}
    mends |= {block: "`hgld benchmark --force`", index: "`hgld index`"}
    found = named(built)
    assert found.keys() == {*mends, unreadable}  # it hides no other damage
    assert all(mend in found[path] for path, mend in mends.items()), found


def test_what_cannot_be_checked_without_a_package_says_which(
    built: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunFiles(built.path("runs/happier")).checkpoint.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "hgld.training.run.checkpoint", None)
    error = invoke("verify", "--root", built.root).exception
    assert isinstance(error, InputError)
    assert "pip install" in str(error)
