import logging
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.dataset import Dataset
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from hgld.labels.embedding.stage import EmbedConfig, run_embed
from hgld.labels.proposing.rows import METHODS
from hgld.labels.proposing.stage import ProposeConfig, run_propose
from hgld.labels.taxonomy.rows import SHIPPED
from hgld.tables import (
    CATEGORIES,
    CLASS_EVIDENCE,
    CLASSES,
    CLUSTER_PROPOSALS,
    DECIDED,
    EMBEDDINGS,
    PROPOSALS,
    SUPERCLASSES,
)
from tests.hgld.labels.proposing.small_world import superclasses
from tests.worlds.builders import TrigramEncoder, class_rows, table_of, write_stage

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

SCRAPED = {
    ("train", 1): [("Q16970", "church building"), ("Q900000001", "wooden xylotheque")],
    ("train", 2): [("Q9259", "World Heritage Site"), ("Q900000002", "stone xylotheque")],
    ("index", 3): [("Q900000003", "mountain lake"), ("Q900000004", "road bridge")],
}


def decided(rows: list[dict[str, object]]) -> list[tuple[Dataset, pa.Table]]:
    return [(DECIDED, table_of(DECIDED, rows))]


@pytest.fixture
def clustered(workspace: Workspace, encoder: TrigramEncoder) -> Workspace:
    assert encoder
    write_stage(
        workspace,
        [
            (CATEGORIES, table_of(CATEGORIES, [])),
            (CLASSES, class_rows(SCRAPED)),
            (SUPERCLASSES, superclasses([("Q900000001", 1, "Q33506", "museum")])),
        ],
    )
    run_embed(workspace, EmbedConfig(encoder="minilm"))
    run_cluster(workspace, ClusterConfig(clusters=3))
    write_stage(workspace, decided([]))
    return workspace


def rows(workspace: Workspace) -> dict[str, dict[str, object]]:
    return {row["class_qid"]: row for row in workspace.read(PROPOSALS).to_pylist()}


def test_every_class_and_cluster_gets_a_row_with_words_of_evidence(clustered: Workspace) -> None:
    report = run_propose(clustered, ProposeConfig())
    found = rows(clustered)
    assert list(found) == sorted(found, key=lambda qid: int(qid[1:]))
    assert len(found) == 6
    assert found["Q16970"]["proposed_label"] == "church"
    assert found["Q16970"]["proposed_natural_or_human_made"] == "human-made"
    assert found["Q9259"]["proposed_action"] == "ignore"
    assert found["Q9259"]["proposed_label"] is None
    assert found["Q900000003"]["proposed_label"] == "lake"
    assert "a kind of 'museum' (Q33506)" in str(found["Q900000001"]["evidence"])
    assert all(row["evidence"] for row in found.values())
    clusters = clustered.read(CLUSTER_PROPOSALS).to_pylist()
    assert all(row["name"] for row in clusters)
    assert sum(row["classes"] for row in clusters) == 6
    assert report.manifest.rows == 6 + len(clusters)


def test_the_same_inputs_are_skipped_and_give_the_same_digests(clustered: Workspace) -> None:
    first = run_propose(clustered, ProposeConfig()).manifest.outputs
    assert run_propose(clustered, ProposeConfig()).skipped
    clustered.manifest_path("propose").unlink()
    again = run_propose(clustered, ProposeConfig())
    assert not again.skipped
    assert again.manifest.outputs == first


def test_other_methods_run_again(clustered: Workspace) -> None:
    first = run_propose(clustered, ProposeConfig()).manifest.outputs
    without = tuple(each for each in METHODS if each != "superclasses")
    other = run_propose(clustered, ProposeConfig(methods=without))
    assert not other.skipped
    assert other.manifest.outputs != first
    assert "Q33506" not in str(rows(clustered)["Q900000001"]["evidence"])


def test_decisions_run_again_and_teach(clustered: Workspace) -> None:
    run_propose(clustered, ProposeConfig())
    decision: dict[str, object] = {
        "class_qid": "Q33506",
        "class_label": "museum",
        "action": "assign",
        "hierarchical_label": "tree library",
        "natural_or_human_made": "natural",
    }
    ignored: dict[str, object] = {
        "class_qid": "Q900000004",
        "class_label": "road bridge",
        "action": "ignore",
    }
    write_stage(clustered, decided([decision, ignored]))
    assert not run_propose(clustered, ProposeConfig()).skipped
    found = rows(clustered)
    assert found["Q900000001"]["proposed_label"] == "tree library"
    assert found["Q900000001"]["proposed_natural_or_human_made"] == "natural"
    assert found["Q900000004"]["tier"] == "decided"
    assert found["Q900000004"]["proposed_action"] == "ignore"


def test_evidence_of_the_scrape_is_read_where_it_is(clustered: Workspace) -> None:
    run_propose(clustered, ProposeConfig())
    before = rows(clustered)["Q900000002"]
    found = {
        "class_qid": "Q900000002",
        "property": "P1282",
        "value": "Tag:man_made=windmill",
        "status": "ok",
    }
    path = clustered.path(CLASS_EVIDENCE.path) / "00000.parquet"
    path.parent.mkdir()
    pq.write_table(table_of(CLASS_EVIDENCE, [found]), path)
    assert not run_propose(clustered, ProposeConfig()).skipped
    after = rows(clustered)["Q900000002"]
    assert "man_made=windmill" not in str(before["evidence"])
    assert "OpenStreetMap's Tag:man_made=windmill (P1282)" in str(after["evidence"])


def test_a_taxonomy_of_ones_own_takes_the_place_of_the_shipped_one(
    clustered: Workspace, tmp_path: Path
) -> None:
    first = run_propose(clustered, ProposeConfig()).manifest.outputs
    folder = tmp_path / "mine"
    shutil.copytree(SHIPPED, folder)
    same = run_propose(clustered, ProposeConfig(taxonomy=folder))
    assert same.skipped  # its lines count, not where it lies
    path = folder / "classes.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "\n".join("Q16970,church building,accept,museum" if "Q16970," in x else x for x in lines),
        encoding="utf-8",
    )
    other = run_propose(clustered, ProposeConfig(taxonomy=folder))
    assert other.manifest.outputs != first
    assert rows(clustered)["Q16970"]["proposed_label"] == "museum"


def test_a_run_that_was_killed_writes_the_same_when_run_again(
    clustered: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_propose(clustered, ProposeConfig()).manifest.outputs
    shutil.rmtree(clustered.path("labels/proposals"))
    shutil.rmtree(clustered.path("labels/cluster_proposals"))
    clustered.manifest_path("propose").unlink()
    write = StageWriter.write
    killed: list[str] = []

    def killed_between(self: StageWriter, dataset: Dataset, shard: str, table: pa.Table) -> None:
        if dataset is CLUSTER_PROPOSALS and not killed:
            killed.append(shard)
            raise KeyboardInterrupt
        write(self, dataset, shard, table)

    monkeypatch.setattr(StageWriter, "write", killed_between)
    with pytest.raises(KeyboardInterrupt):
        run_propose(clustered, ProposeConfig())
    assert killed == ["clusters"]
    assert clustered.manifest("propose") is None
    assert run_propose(clustered, ProposeConfig()).manifest.outputs == whole


def test_no_class_gives_empty_tables(
    workspace: Workspace, encoder: TrigramEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    assert encoder
    write_stage(
        workspace,
        [
            (CATEGORIES, table_of(CATEGORIES, [])),
            (CLASSES, class_rows({})),
            (SUPERCLASSES, superclasses([])),
        ],
    )
    run_embed(workspace, EmbedConfig(encoder="minilm"))
    run_cluster(workspace, ClusterConfig(clusters=3))
    write_stage(workspace, decided([]))
    with caplog.at_level(logging.WARNING, "hgld.labels.proposing.stage"):
        assert run_propose(workspace, ProposeConfig()).manifest.rows == 0
    assert "nothing to propose" in caplog.text
    assert len(workspace.read(CLUSTER_PROPOSALS)) == 0


def test_what_is_missing_or_unknown_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"methods must be of classes, .*, got magic"):
        ProposeConfig(methods=("magic",))
    with pytest.raises(MissingInputError):
        run_propose(workspace, ProposeConfig())
    with pytest.raises(InputError, match=r"cannot read the taxonomy's"):
        run_propose(workspace, ProposeConfig(taxonomy=tmp_path / "nowhere"))


def test_embeddings_of_other_classes_are_refused(clustered: Workspace) -> None:
    table = clustered.read(EMBEDDINGS).slice(1)
    shutil.rmtree(clustered.path(EMBEDDINGS.path))
    clustered.manifest_path("embed").unlink()
    write_stage(clustered, [(EMBEDDINGS, table)])
    with pytest.raises((DamagedError, MissingInputError)):
        run_propose(clustered, ProposeConfig())
