"""`hgld verify`, and what a damaged build says to whoever goes on with it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.flows.cli.commands import app
from hgld.tables import CLUSTERS, EMBEDDINGS, TAXONOMY
from tests.worlds.builders import class_rows, write_scrape


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """A build with a scrape of one class, its embedding, its cluster and its taxonomy."""
    classes = {("train", 1): [("Q9", "castle")], ("train", 2): [("Q10", "tower")]}
    write_scrape(workspace, class_rows(classes))
    settings = '[embed]\nencoder = "minilm"\n[review]\naccept_proposals = true\n'
    workspace.path("hgld.toml").write_text(settings)
    for command in ("embed", "cluster", "review"):
        done = run(command, "--root", workspace.root)
        assert done.exit_code == 0, done.output
    return workspace


def test_a_whole_build_is_as_it_was_written(built: Workspace) -> None:
    done = run("verify", "--root", built.root)
    assert done.exit_code == 0
    assert "files are as they were written" in done.stdout


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
    assert "taxonomy (1).parquet was not written by this build; `hgld review`" in second

    for command in ("embed", "review"):
        assert run(command, "--root", built.root).exit_code == 0
    assert embedding.read_bytes() == clean
    assert built.shards(TAXONOMY) == [taxonomy]
    assert run("verify", "--root", built.root).exit_code == 0


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
