"""`hgld verify`, and what a damaged build says to whoever goes on with it."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import EMBEDDINGS, TAXONOMY
from hgld.training.model.sealed import save_sealed
from hgld.training.run.checkpoint import RunFiles
from tests.worlds.commands.typed import invoke, run_typed


@pytest.fixture
def built(small_build: Workspace, workspace: Workspace) -> Workspace:
    """A copy of the small build, to be damaged."""
    shutil.copytree(small_build.root, workspace.root)
    return workspace


def test_a_whole_build_is_as_it_was_written(built: Workspace) -> None:
    done = invoke("verify", "--root", built.root)
    assert done.exit_code == 0
    assert "files are as they were written" in done.stdout
    assert "runs/happier/metrics.jsonl" in done.stdout.splitlines()[1]  # nothing says what it was


@pytest.mark.fault(207, "a file that cannot be read")
def test_what_a_step_cannot_read_is_named_and_hides_no_other_damage(built: Workspace) -> None:
    unreadable, altered = built.path("images/tars/index.json"), built.path("annotations/README.md")
    unreadable.unlink()
    unreadable.mkdir()
    altered.write_text("x")
    found = built.path("runs/happier/checkpoint.pt")
    RunFiles(found.parent).save("f", {"step": 1})
    found.write_bytes(found.read_bytes()[:-1])
    done = invoke("verify", "--root", built.root)
    assert done.exit_code == 1
    named = {line.split(" ")[0] for line in done.stdout.splitlines()}
    assert named == {str(path) for path in (unreadable, altered, found)}


@pytest.mark.fault(206, "a folder or a FIFO in the place of a file")
def test_a_folder_in_the_place_of_a_file_is_an_error_that_says_what_to_do(built: Workspace) -> None:
    path = built.path("metadata/csv/FILES.json")
    path.unlink()
    path.mkdir()
    done = run_typed(["metadata", "--root", str(built.root)])
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert "move" in done.stderr
    assert "Errno" not in done.stderr


@pytest.mark.fault(202, "damage of which nobody has read yet")
def test_each_damage_is_a_line_and_the_command_it_names_mends_it(built: Workspace) -> None:
    embedding = built.shards(EMBEDDINGS)[0]
    clean = embedding.read_bytes()
    embedding.write_bytes(clean[:-1])
    taxonomy = built.shards(TAXONOMY)[0]
    taxonomy.with_name("taxonomy (1).parquet").write_bytes(taxonomy.read_bytes())
    done = invoke("verify", "--root", built.root)
    assert done.exit_code == 1
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{embedding} ")
    assert "`hgld embed`" in first
    assert "taxonomy (1).parquet" in second
    assert "`hgld review --settle`" in second

    for command in (["embed"], ["review", "--settle"]):
        assert invoke(*command, "--root", built.root).exit_code == 0
    assert embedding.read_bytes() == clean
    assert built.shards(TAXONOMY) == [taxonomy]
    assert invoke("verify", "--root", built.root).exit_code == 0


def test_a_manifest_that_is_damaged_or_gone_is_a_line(built: Workspace) -> None:
    for damage in (lambda path: path.write_text("{"), Path.unlink):
        damage(built.manifest_path("cluster"))
        done = invoke("verify", "--root", built.root)
        assert done.exit_code == 1
        (line,) = done.stdout.splitlines()
        assert line.startswith(f"{built.manifest_path('cluster')} ")
        assert "`hgld cluster`" in line
        assert invoke("cluster", "--root", built.root).exit_code == 0
        assert invoke("verify", "--root", built.root).exit_code == 0


def test_what_a_build_keeps_beside_its_tables_is_compared_too(built: Workspace) -> None:
    root = built.root
    block, key = root / f"benchmarks/embeddings/{'a' * 32}.safetensors", {"key": "a" * 64}
    save_file({"embeddings": torch.ones(1, 1)}, block, metadata={**key, "sha256": "0" * 64})
    checkpoint = root / "runs/happier/checkpoint.pt"
    RunFiles(checkpoint.parent).save("f", {"step": 1})
    best = RunFiles(checkpoint.parent).best
    save_sealed({"step": 1, "model": {"weight": torch.ones(50)}}, best)
    index = root / "runs/happier/index-photos/index.json"
    index.parent.mkdir()
    index.write_text("{")
    damaged = {
        root / "metadata/csv/test.csv": "`hgld metadata`",
        next(root.glob("raw/commons-pages/*.json.gz")): "`hgld scrape --force`",
        root / "review/decisions.jsonl": "`cp ",
        checkpoint: "`hgld train`",
        best: "delete ",
    }
    for path in damaged:
        content = path.read_bytes()
        path.write_bytes(content[:-100] + b"?" + content[-99:])
    lines = invoke("verify", "--root", root).stdout.splitlines()
    damaged[block] = "`hgld benchmark --force`"
    damaged[index] = "`hgld index`"
    assert len(lines) == len(damaged)
    for path, mended in damaged.items():
        (line,) = [line for line in lines if line.startswith(f"{path} ")]
        assert mended in line


def test_a_release_is_compared_with_its_sums(tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    (release / "hierarchy.csv").write_bytes(b"text")
    (release / "SHA256SUMS").write_text(f"{hashlib.sha256(b'text').hexdigest()}  hierarchy.csv\n")
    assert invoke("verify", "--root", release).stdout == "1 files are as they were written\n"
    (release / "hierarchy.csv").write_bytes(b"texd")
    done = invoke("verify", "--root", release)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{release}/hierarchy.csv ")


def test_what_holds_no_build_is_no_whole_build(built: Workspace, tmp_path: Path) -> None:
    for command in ("verify", "status"):
        done = invoke(command, "--root", tmp_path / "other")
        assert isinstance(done.exception, InputError)
        assert str(built.root) in str(done.exception)  # a build nearby
