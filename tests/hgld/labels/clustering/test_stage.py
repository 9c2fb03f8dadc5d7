from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.labels.clustering import stage
from hgld.labels.clustering.kmeans import cold_groups
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS
from tests.hgld.labels.clustering import builds
from tests.hgld.labels.clustering.builds import CLASSES, TOWERS, ids_in, outputs_of, sets_in
from tests.worlds.builders import TrigramEncoder

threadpoolctl = pytest.importorskip("threadpoolctl", reason="needs `pip install 'hgld[cluster]'`")

Vectors = NDArray[np.float32]
Classes = dict[str, tuple[str, int]]
THREE = ClusterConfig(clusters=3)
BLOBS = {f"Q{n}": (f"class {n}", 1 + n % 7) for n in range(1, 61)}
SIX = ClusterConfig(clusters=6)


@pytest.fixture
def embedded(workspace: Workspace) -> Workspace:
    builds.write_embedded(workspace, CLASSES)
    return workspace


@pytest.fixture
def blurred(workspace: Workspace) -> Workspace:
    """A build with six clusters in which another start gives others."""
    return clustered(workspace, BLOBS, builds.unit_vectors(60))


def clustered(
    workspace: Workspace, classes: Classes, vectors: Vectors, config: ClusterConfig = SIX
) -> Workspace:
    """Clusters a build after its classes changed."""
    builds.write_embedded(workspace, classes, vectors)
    assert not run_cluster(workspace, config).skipped
    return workspace


def without(classes: Classes, *qids: str) -> Classes:
    return {qid: one for qid, one in classes.items() if qid not in qids}


def changes_in(workspace: Workspace) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in workspace.read(CLUSTER_CHANGES).to_pylist()]


@pytest.fixture
def cold_starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has the threads of each time that the stage groups afresh; it comes before the build."""
    starts: list[int] = []

    def counted(vectors: Vectors, clusters: int, *, seed: int) -> NDArray[np.int64]:
        starts.append(max(pool["num_threads"] for pool in threadpoolctl.threadpool_info()))
        return cold_groups(vectors, clusters, seed=seed)

    monkeypatch.setattr(stage, "cold_groups", counted)
    return starts


def test_a_class_has_its_cluster_and_a_cluster_its_size_and_mean(embedded: Workspace) -> None:
    run_cluster(embedded, THREE)
    assert list(ids_in(embedded)) == list(CLASSES)
    # By landmarks: towers have 15, bridges 6, lakes 3.
    lakes, bridges = dict.fromkeys(builds.LAKES, 2), dict.fromkeys(builds.BRIDGES, 1)
    assert ids_in(embedded) == lakes | bridges | dict.fromkeys(TOWERS, 0)
    centres = embedded.read(CENTRES).to_pylist()
    sizes = [(row["cluster_id"], row["classes"], row["landmarks"]) for row in centres]
    assert sizes == [(0, 3, 15), (1, 3, 6), (2, 3, 3)]
    vectors = TrigramEncoder().encode([label for label, _ in TOWERS.values()])
    mean = vectors.mean(axis=0)
    np.testing.assert_allclose(centres[0]["centre"], mean / np.linalg.norm(mean), atol=1e-6)
    clusters = embedded.read(CLUSTERS).to_pylist()
    similarity = [row["similarity"] for row in clusters if row["class_qid"] in TOWERS]
    np.testing.assert_allclose(similarity, vectors @ centres[0]["centre"], atol=1e-6)
    assert changes_in(embedded) == [("new", None, 0, 3), ("new", None, 1, 3), ("new", None, 2, 3)]


@pytest.mark.parametrize("config", [SIX, ClusterConfig(clusters=6, seed=5)])
def test_a_changed_input_or_seed_starts_from_the_clusters_of_before_and_again_gives_the_same(
    cold_starts: list[int], blurred: Workspace, config: ClusterConfig
) -> None:
    """Also by force, where what it started from is gone: the result is a fixed point."""
    before, more = ids_in(blurred), {"Q99": ("one more", 4), "Q999": ("and one", 1)}
    clustered(blurred, BLOBS | more, builds.unit_vectors(62), config)
    assert len(cold_starts) == 1  # the first
    after = ids_in(blurred)
    assert sum(after[qid] == before[qid] for qid in before) >= 0.95 * len(before)
    warm, changes = outputs_of(blurred), changes_in(blurred)
    assert sum(classes for change, _, _, classes in changes if change == "new") == 2
    assert not run_cluster(Workspace(blurred.root, remakes=True), config).skipped
    assert outputs_of(blurred) == warm
    assert changes_in(blurred) == changes


def test_to_recluster_starts_cold_and_keeps_ids(cold_starts: list[int], blurred: Workspace) -> None:
    fewer, vectors = without(BLOBS, "Q1", "Q2", "Q3"), builds.unit_vectors(60)[3:]
    warm = sets_in(clustered(blurred, fewer, vectors))
    with threadpoolctl.threadpool_limits(2):
        assert not run_cluster(blurred, ClusterConfig(clusters=6, recluster=True)).skipped
    assert (len(cold_starts), cold_starts[1]) == (2, 1)  # the same bits on any machine
    assert sets_in(blurred) != warm
    assert set(ids_in(blurred).values()) == set(range(6))
    # It is no setting of the build: without it, what it made is up to date.
    assert run_cluster(blurred, SIX).skipped


def test_no_id_is_given_twice(cold_starts: list[int], blurred: Workspace) -> None:
    before = ids_in(blurred)
    run_cluster(blurred, ClusterConfig(clusters=4))
    assert len(cold_starts) == 2
    fewer = set(ids_in(blurred).values())
    assert len(fewer) == 4
    assert fewer <= set(before.values())
    run_cluster(blurred, SIX)
    more = set(ids_in(blurred).values())
    assert fewer <= more
    assert more - fewer == {6, 7}  # not one of the two that were given up
    assert {"kept", "split"} <= {change for change, *_ in changes_in(blurred)}


FORTS = {f"Q{n}": (f"fort {n}", 1) for n in range(201, 261)}


@pytest.mark.parametrize(
    ("known", "vectors", "starts"),
    [
        (60, builds.unit_vectors(60, seed=1), 2),  # of another encoder
        (60, builds.unit_vectors(60, width=12), 2),
        (30, builds.unit_vectors(60), 1),
        (29, builds.unit_vectors(60), 2),  # mostly other classes
    ],
)
def test_other_vectors_or_mostly_other_classes_start_cold(
    cold_starts: list[int], blurred: Workspace, known: int, vectors: Vectors, starts: int
) -> None:
    qids = [*BLOBS][:known] + [*FORTS][known:]
    clustered(blurred, {qid: (BLOBS | FORTS)[qid] for qid in qids}, vectors)
    assert len(cold_starts) == starts


def test_a_cluster_whose_classes_are_all_others_now_is_a_new_one(workspace: Workspace) -> None:
    """All classes of one blob are replaced by others of it, which then make the cluster."""
    vectors, config = builds.blobs(4, 6), ClusterConfig(clusters=4)
    classes = {f"Q{n}": (f"class {n}", 1) for n in range(1, 25)}
    clustered(workspace, without(classes, "Q22", "Q23", "Q24"), vectors[:21], config)
    before, now = ids_in(workspace), without(classes, "Q19", "Q20", "Q21")
    clustered(workspace, now, np.delete(vectors, [18, 19, 20], 0), config)
    assert ids_in(workspace) == {qid: before.get(qid, 4) for qid in now}  # an id that none had
    assert changes_in(workspace)[-2:] == [("new", None, 4, 3), ("gone", before["Q19"], None, 3)]


def test_no_class_gives_empty_tables_and_says_what_is_gone(embedded: Workspace) -> None:
    run_cluster(embedded, THREE)
    clustered(embedded, {}, builds.unit_vectors(0), THREE)
    assert len(embedded.read(CLUSTERS)) == len(embedded.read(CENTRES)) == 0
    assert changes_in(embedded) == [("gone", one, None, 3) for one in range(3)]
    builds.write_embedded(embedded, CLASSES)  # it goes on from nothing, and has few labels
    run_cluster(embedded, ClusterConfig(clusters=10**30))
    assert len(sets_in(embedded)) == len(CLASSES)


@pytest.mark.parametrize(("name", "value"), [("clusters", 0), ("seed", -1), ("seed", 1 << 65)])
def test_a_setting_that_no_run_could_use_is_named(name: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=name):
        ClusterConfig(**{name: value})
