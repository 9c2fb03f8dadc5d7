import importlib.metadata
import logging
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from hgld.engine.dataset import Dataset
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError, how_to_install
from hgld.labels.clustering.stage import (
    ClusterConfig,
    canonical_clusters,
    cluster_centres,
    cluster_vectors,
    run_cluster,
)
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding.stage import EmbedConfig, run_embed
from hgld.tables import CLASSES, CLUSTERS, EMBEDDINGS
from tests.worlds.builders import TrigramEncoder, class_rows, table_of, write_scrape

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

SCRAPED = {
    ("train", 1): [("Q9", "wooden bridge"), ("Q1", "lake")],
    ("train", 2): [("Q9", "wooden bridge"), ("Q2", "stone bridge")],
    ("index", 3): [("Q3", "mountain lake"), ("Q4", "road bridge")],
    ("index", 4): [("Q5", "lake"), ("Q9", "wooden bridge")],
}


@pytest.fixture
def embedded(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(embed, "load_encoder", lambda _: TrigramEncoder())
    write_scrape(workspace, class_rows(SCRAPED))
    run_embed(workspace, EmbedConfig(encoder="minilm"))
    return workspace


def re_embed(workspace: Workspace, classes: pa.Table) -> None:
    write_scrape(workspace, classes)
    run_embed(workspace, EmbedConfig(encoder="minilm"))


def unit_vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / norms, dtype=np.float32)


def test_clusters_are_numbered_by_landmarks_and_then_by_the_smallest_qid() -> None:
    groups = np.array([5, 0, 5, 9, 2])
    landmarks = np.array([1, 3, 2, 4, 3])
    numbers = np.array([70, 20, 60, 80, 10])
    # totals: group 9 has 4; groups 0, 2 and 5 have 3, with smallest Q-ids 20, 10 and 60
    expected = [3, 2, 3, 0, 1]
    assert canonical_clusters(groups, landmarks, numbers).tolist() == expected


def test_groups_depend_neither_on_the_order_of_the_rows_nor_on_repetition() -> None:
    vectors = unit_vectors(60)
    order = np.random.default_rng(1).permutation(60)
    groups = cluster_vectors(vectors, 7, seed=0)
    np.testing.assert_array_equal(cluster_vectors(vectors[order], 7, seed=0), groups[order])
    twice = cluster_vectors(np.concatenate([vectors, vectors[:5]]), 7, seed=0)
    np.testing.assert_array_equal(twice, np.concatenate([groups, groups[:5]]))


def test_vectors_that_lie_together_share_a_group() -> None:
    centres = np.eye(8, dtype=np.float32)[:3]
    vectors = np.repeat(centres, 5, axis=0) + np.float32(0.01) * unit_vectors(15)
    groups = cluster_vectors(vectors, 3, seed=0).reshape(3, 5)
    assert (groups == groups[:, :1]).all()
    assert len(np.unique(groups)) == 3


def test_fewer_distinct_vectors_than_clusters_give_fewer_and_say_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vectors = np.repeat(unit_vectors(4), 3, axis=0)
    with caplog.at_level(logging.WARNING, "hgld.labels.clustering.stage"):
        groups = cluster_vectors(vectors, 78, seed=0)
    assert len(np.unique(groups)) == 4
    assert "4 clusters instead of 78" in caplog.text


def test_no_vector_gives_no_group() -> None:
    assert cluster_vectors(np.empty((0, 8), dtype=np.float32), 78, seed=0).shape == (0,)


def test_real_clip_vectors_give_78_canonical_clusters(shared: Path) -> None:
    with np.load(shared / "clip_vectors" / "clip_text_vectors.npz") as file:
        vectors = file["vectors"].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ones, numbers = np.ones(len(vectors), dtype=np.int64), np.arange(len(vectors))
    ids = canonical_clusters(cluster_vectors(vectors, 78, seed=0), ones, numbers)
    sizes = np.bincount(ids)
    assert len(sizes) == 78
    assert (np.diff(sizes) <= 0).all()
    order = np.random.default_rng(2).permutation(len(vectors))
    again = canonical_clusters(cluster_vectors(vectors[order], 78, seed=0), ones, numbers[order])
    np.testing.assert_array_equal(again, ids[order])


def test_a_centre_is_the_mean_direction_and_nothing_is_like_a_mean_of_zero() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [-1, 0]], dtype=np.float32)
    centres = cluster_centres(vectors, np.array([0, 0, 1, 1], dtype=np.int32))
    np.testing.assert_allclose(centres, [[0.5**0.5, 0.5**0.5], [0, 0]], atol=1e-7)


def test_the_table_tells_of_each_class_its_cluster_and_proposal(embedded: Workspace) -> None:
    run_cluster(embedded, ClusterConfig(clusters=2))
    rows = {row["class_qid"]: row for row in embedded.read(CLUSTERS).to_pylist()}
    assert list(rows) == ["Q1", "Q2", "Q3", "Q4", "Q5", "Q9"]
    assert {qid: row["cluster_id"] for qid, row in rows.items()} == {
        "Q2": 0,
        "Q4": 0,
        "Q9": 0,
        "Q1": 1,
        "Q3": 1,
        "Q5": 1,
    }
    assert {row["proposed_label"] for row in rows.values()} == {"wooden bridge", "lake"}
    assert rows["Q2"]["proposed_label"] == "wooden bridge"
    assert rows["Q2"]["proposed_natural_or_human_made"] == "human-made"
    assert rows["Q3"]["proposed_natural_or_human_made"] == "natural"
    assert all(0 < row["similarity"] <= 1.000001 for row in rows.values())
    assert rows["Q1"]["similarity"] == rows["Q5"]["similarity"]  # equal labels


def test_clustering_again_gives_the_same_digest(embedded: Workspace) -> None:
    first = run_cluster(embedded, ClusterConfig(clusters=3)).manifest.outputs
    assert run_cluster(embedded, ClusterConfig(clusters=3)).skipped
    embedded.manifest_path("cluster").unlink()
    again = run_cluster(embedded, ClusterConfig(clusters=3))
    assert not again.skipped
    assert again.manifest.outputs == first


def test_another_number_of_clusters_runs_again(embedded: Workspace) -> None:
    run_cluster(embedded, ClusterConfig(clusters=2))
    assert not run_cluster(embedded, ClusterConfig(clusters=3)).skipped
    assert max(embedded.read(CLUSTERS)["cluster_id"].to_pylist()) == 2


def test_fewer_classes_leave_no_row_of_the_old_ones(embedded: Workspace) -> None:
    run_cluster(embedded, ClusterConfig(clusters=2))
    re_embed(embedded, class_rows({("train", 1): [("Q1", "lake"), ("Q9", "wooden bridge")]}))
    run_cluster(embedded, ClusterConfig(clusters=2))
    assert embedded.read(CLUSTERS)["class_qid"].to_pylist() == ["Q1", "Q9"]


def test_no_class_gives_an_empty_table(
    embedded: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    re_embed(embedded, table_of(CLASSES, []))
    run_cluster(embedded, ClusterConfig())
    assert len(embedded.read(CLUSTERS)) == 0
    assert "no landmark has a class" in caplog.text


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    text = re.escape(f"needs sklearn.cluster: {how_to_install('cluster')}")
    with pytest.raises(MissingInputError, match=text):
        cluster_vectors(unit_vectors(3), 2, seed=0)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="clusters must be at least 1, got 0"):
        ClusterConfig(clusters=0)
    with pytest.raises(ValueError, match="seed must not be negative, got -1"):
        ClusterConfig(seed=-1)
    with pytest.raises(ValueError, match=r"seed must be below 2\^32, got 36893488147419103232"):
        ClusterConfig(seed=1 << 65)


def test_absurdly_many_clusters_are_as_many_as_there_are_labels(embedded: Workspace) -> None:
    run_cluster(embedded, ClusterConfig(clusters=10**30))
    assert max(embedded.read(CLUSTERS)["cluster_id"].to_pylist()) == 4  # two labels are equal


@pytest.mark.fault(63, "embeddings gone or no vectors")
def test_a_shard_of_embeddings_that_is_gone_is_named_and_made_again(embedded: Workspace) -> None:
    clean = run_cluster(embedded, ClusterConfig(clusters=2)).manifest.outputs
    (shard,) = embedded.shards(EMBEDDINGS)
    shard.unlink()
    embedded.manifest_path("cluster").unlink()
    with pytest.raises(DamagedError, match=rf"{shard.name} is gone; run `hgld embed`"):
        run_cluster(embedded, ClusterConfig(clusters=2))
    run_embed(embedded, EmbedConfig(encoder="minilm"))
    assert run_cluster(embedded, ClusterConfig(clusters=2)).manifest.outputs == clean


def _nothing(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[:0]


def _narrow(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*rows[:-1], {**rows[-1], "embedding": rows[-1]["embedding"][:-1]}]


def _empty(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "embedding": []} for row in rows]


def _nan(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "embedding": [float("nan"), *row["embedding"][1:]]} for row in rows]


def _huge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "embedding": [3e38 for _ in row["embedding"]]} for row in rows]


def _reversed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[::-1]


@pytest.mark.fault(63, "embeddings gone or no vectors")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_nothing, "has not one row for each class_qid"),
        (_reversed, "has not one row for each class_qid"),
        (_narrow, r"has vectors of \[63, 64\] numbers, not of one"),
        (_empty, r"has vectors of \[0\] numbers"),
        (_nan, "has vectors that are not of unit norm"),
        (_huge, "has vectors that are not of unit norm"),
    ],
)
def test_embeddings_that_are_no_vectors_of_the_labels_are_one_line(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    words: str,
) -> None:
    """As an earlier version may have written them: what is listed is what was written."""

    class Changed(StageWriter):
        def write(self, dataset: Dataset, shard: str, table: pa.Table) -> None:
            if dataset == EMBEDDINGS:
                rows = change(table.cast(dataset.schema).to_pylist())
                table = pa.Table.from_pylist(rows, schema=dataset.schema)
            super().write(dataset, shard, table)

    monkeypatch.setattr(embed, "load_encoder", lambda _: TrigramEncoder())
    write_scrape(workspace, class_rows(SCRAPED))
    with monkeypatch.context() as patch:
        patch.setattr("hgld.engine.stage.StageWriter", Changed)
        run_embed(workspace, EmbedConfig(encoder="minilm"))
    with pytest.raises(DamagedError, match=rf"labels/embeddings {words}.*; delete it and run"):
        run_cluster(workspace, ClusterConfig(clusters=2))
    shutil.rmtree(workspace.path(EMBEDDINGS.path))
    run_embed(workspace, EmbedConfig(encoder="minilm"))
    assert run_cluster(workspace, ClusterConfig(clusters=2)).manifest.failed == 0


def test_another_scikit_learn_makes_its_own_groups(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_cluster(embedded, ClusterConfig(clusters=2))
    known = first.manifest.settings["scikit_learn"]
    version = importlib.metadata.version
    monkeypatch.setattr(
        "importlib.metadata.version",
        lambda name: "99.0" if name == "scikit-learn" else version(name),
    )
    again = run_cluster(embedded, ClusterConfig(clusters=2))
    assert not again.skipped
    assert (known, again.manifest.settings["scikit_learn"]) == (version("scikit-learn"), "99.0")
    assert again.manifest.outputs == first.manifest.outputs


def test_without_scikit_learn_what_is_finished_stays_so(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_cluster(embedded, ClusterConfig(clusters=2))

    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", gone)
    assert run_cluster(embedded, ClusterConfig(clusters=2)).skipped
