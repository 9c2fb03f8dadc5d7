"""`hgld verify`, and what a damaged build says to whoever goes on with it."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.flows.cli.commands import app
from hgld.flows.demo import write_settings
from hgld.labels.embedding.cache import CACHE_FOLDER
from hgld.tables import CLUSTERS, EMBEDDINGS, TAXONOMY
from hgld.training.model.sealed import save_sealed
from hgld.training.run.checkpoint import RunFiles
from tests.worlds.builders import class_rows, write_scrape


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, word_vectors: Path) -> Workspace:
    """A build with a scrape of one class, its embedding, its cluster and its taxonomy."""
    workspace = Workspace(tmp_path_factory.mktemp("whole") / "build")
    shutil.copytree(word_vectors, workspace.path(CACHE_FOLDER))
    classes = {("train", 1): [("Q9", "castle")], ("train", 2): [("Q10", "tower")]}
    write_scrape(workspace, class_rows(classes))
    settings = '[embed]\nencoder = "minilm"\n[review]\naccept_proposals = true\n'
    workspace.path("hgld.toml").write_text(settings)
    for command in ("embed", "cluster", "propose", "review"):
        done = run(command, "--root", workspace.root)
        assert done.exit_code == 0, done.output
    return workspace


@pytest.fixture
def built(whole: Workspace, workspace: Workspace) -> Workspace:
    """A copy of it, to be damaged."""
    shutil.copytree(whole.root, workspace.root)
    return workspace


def test_a_whole_build_is_as_it_was_written(built: Workspace) -> None:
    done = run("verify", "--root", built.root)
    assert done.exit_code == 0
    assert "files are as they were written" in done.stdout


@pytest.mark.fault(202, "damage of which nobody has read yet")
def test_each_damage_is_a_line_and_the_command_it_names_mends_it(built: Workspace) -> None:
    embedding = built.shards(EMBEDDINGS)[0]
    clean = embedding.read_bytes()
    embedding.write_bytes(clean[:-1])
    taxonomy = built.shards(TAXONOMY)[0]
    taxonomy.with_name("taxonomy (1).parquet").write_bytes(taxonomy.read_bytes())
    done = run("verify", "--root", built.root)
    assert done.exit_code == 1
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{embedding} has {len(clean) - 1:,} bytes, not the {len(clean):,}")
    assert first.endswith(f"; `hgld embed` with --root {built.root} makes it again")
    assert "taxonomy (1).parquet was not written by this build; `hgld review --settle`" in second
    assert second.endswith("moves it aside")

    for command in ("embed", "review"):
        assert run(command, "--root", built.root).exit_code == 0
    assert embedding.read_bytes() == clean
    assert built.shards(TAXONOMY) == [taxonomy]
    assert run("verify", "--root", built.root).exit_code == 0


def test_a_manifest_that_is_damaged_or_gone_is_a_line(built: Workspace) -> None:
    for damage in (lambda path: path.write_text("{"), Path.unlink):
        damage(built.manifest_path("cluster"))
        done = run("verify", "--root", built.root)
        assert done.exit_code == 1
        (line,) = done.stdout.splitlines()
        assert line.startswith(f"{built.manifest_path('cluster')} is ")
        assert line.endswith(f"`hgld cluster` with --root {built.root} writes it again")
        assert run("cluster", "--root", built.root).exit_code == 0
        assert run("verify", "--root", built.root).exit_code == 0


def test_what_a_build_keeps_beside_its_tables_is_compared_too(
    workspace: Workspace, drawn_demo: Path
) -> None:
    root = workspace.root
    shutil.copytree(drawn_demo, root)
    write_settings(workspace, contact="")
    for command in ("metadata", "scrape"):
        assert run(command, "--root", root).exit_code == 0
    whole = run("verify", "--root", root)
    assert whole.exit_code == 0, whole.stdout

    again = f"with --root {root}"
    block, key = root / f"benchmarks/embeddings/{'a' * 32}.safetensors", {"key": "a" * 64}
    block.parent.mkdir(parents=True)
    save_file({"embeddings": torch.ones(1, 1)}, block, metadata={**key, "sha256": "0" * 64})
    checkpoint = root / "runs/happier/checkpoint.pt"
    RunFiles(checkpoint.parent).save("f", {"step": 1})
    best = RunFiles(checkpoint.parent).best
    save_sealed({"step": 1, "model": {"weight": torch.ones(50)}}, best)
    index = root / "runs/happier/index-photos/index.json"
    index.parent.mkdir()
    index.write_text("{")
    assert "index.json is damaged" in run("verify", "--root", root).stdout
    damaged = {
        root / "metadata/csv/test.csv": f"`hgld metadata` {again} fetches it again",
        next(
            root.glob("raw/commons-pages/*.json.gz")
        ): f"`hgld scrape --force` {again} sets it aside",
        root / "review/decisions.jsonl": "its copy is whole: `cp ",
        checkpoint: f"`hgld train` {again} goes on from the one before it",
        best: f"delete {best.parent} and rerun, which trains it again, unless a later step becomes",
    }
    for path in damaged:
        content = path.read_bytes()
        path.write_bytes(content[:-100] + b"?" + content[-99:])
    lines = run("verify", "--root", root).stdout.splitlines()
    damaged[block] = f"`hgld benchmark --force` {again} embeds its images again"
    damaged[index] = "run the `hgld index` that made it again"
    assert len(lines) == len(damaged)
    for path, mended in damaged.items():
        (line,) = [line for line in lines if line.startswith(f"{path} ")]
        assert mended in line


def test_a_release_is_compared_with_its_sums(tmp_path: Path) -> None:
    release = tmp_path / "release"
    (release / "data").mkdir(parents=True)
    files = {"data/a.parquet": b"rows", "hierarchy.csv": b"text"}
    for name, content in files.items():
        (release / name).write_bytes(content)
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()
    )
    for written in (sums, sums.replace("  ", "  ./")):  # the second as by `sha256sum ./*`
        (release / "SHA256SUMS").write_text(written)
        assert run("verify", "--root", release).stdout == "2 files are as they were written\n"

    (release / "data/a.parquet").write_bytes(b"rowz")
    (release / "hierarchy.csv").unlink()
    extra = release / "data/a (1).parquet"
    extra.write_bytes(b"rows")
    (release / "SHA256SUMS").write_text(f"{sums}{'0' * 64}  ../outside\n{sums[:50]}\n")
    done = run("verify", "--root", release)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{release}/data/a.parquet has other bytes than were released; fetch the release again",
        f"{release}/hierarchy.csv is gone; fetch the release again",
        *(
            f"{release}/SHA256SUMS line {number} is no SHA-256 and name of a file in it; fetch the "
            f"release again"
            for number in (3, 4)
        ),
        f"{extra} is not in SHA256SUMS; remove it, readers take all files of a folder",
    ]
    (release / "SHA256SUMS").write_text("")
    assert run("verify", "--root", release).exit_code == 1


def test_what_holds_no_build_is_no_whole_build(built: Workspace, tmp_path: Path) -> None:
    for command in ("verify", "status"):
        done = run(command, "--root", tmp_path / "other")
        assert isinstance(done.exception, InputError)
        assert (
            f"is not there; name the folder of a build with --root; builds nearby: {built.root}"
            in str(done.exception)
        )


def test_a_stage_is_made_again_on_purpose(built: Workspace) -> None:
    before = built.manifest("cluster")
    assert "cluster: up to date" in run("cluster", "--root", built.root).stdout
    assert "cluster: done" in run("cluster", "--root", built.root, "--force").stdout
    after = built.manifest("cluster")
    assert before is not None
    assert after is not None
    assert after.outputs == before.outputs


def test_a_stage_does_not_read_what_is_damaged(built: Workspace) -> None:
    path = built.shards(CLUSTERS)[0]
    path.write_bytes(path.read_bytes() + b"x")
    done = run("review", "--root", built.root)
    assert isinstance(done.exception, DamagedError)
    assert f"run `hgld cluster` with --root {built.root} to make it again" in str(done.exception)


def test_a_wrong_model_takes_no_finished_embedding_with_it(built: Workspace) -> None:
    before = built.manifest("embed")
    done = run("embed", "--root", built.root, "--encoder", "open_clip", "--model", "ViT-X")
    assert done.exit_code == 1
    assert built.manifest("embed") == before
    assert "embed: up to date" in run("embed", "--root", built.root).stdout
