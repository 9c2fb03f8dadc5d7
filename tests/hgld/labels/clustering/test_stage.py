import importlib.metadata
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from hgld.engine.dataset import Dataset
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.labels.clustering import stage
from hgld.labels.clustering.config import ClusterMethod
from hgld.labels.clustering.matching import canonical_clusters
from hgld.labels.clustering.methods import group_points
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS, EMBEDDINGS, LABELS
from tests.hgld.labels.clustering.builds import (
    BRIDGES,
    CLASSES,
    LAKES,
    TOWERS,
    blobs,
    ids_in,
    outputs_of,
    sets_in,
    unit_vectors,
    write_embedded,
)
from tests.worlds.builders import TrigramEncoder, table_of, write_stage

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

Row = dict[str, Any]
THREE = ClusterConfig(clusters=3, draws=3)
BLOBS = {f"Q{n}": (f"class {n}", 1 + n % 7) for n in range(1, 61)}
SIX = ClusterConfig(clusters=6, draws=2)


@pytest.fixture
def embedded(workspace: Workspace) -> Workspace:
    write_embedded(workspace, CLASSES)
    return workspace


@pytest.fixture
def blurred(workspace: Workspace) -> Workspace:
    """A build in which another start gives other clusters."""
    write_embedded(workspace, BLOBS, unit_vectors(60))
    return workspace


def without(classes: dict[str, tuple[str, int]], *qids: str) -> dict[str, tuple[str, int]]:
    return {qid: one for qid, one in classes.items() if qid not in qids}


def changes_in(workspace: Workspace) -> list[tuple[str, int | None, int | None, int]]:
    names = ("change", "cluster_id_before", "cluster_id_after", "classes")
    rows = workspace.read(CLUSTER_CHANGES).to_pylist()
    return [(row[names[0]], row[names[1]], row[names[2]], row[names[3]]) for row in rows]


class ColdStarts:
    """Counts how often the stage groups afresh, and does not go on from what was there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._group = group_points
        monkeypatch.setattr(stage, "group_points", self)

    def __call__(self, *arguments: Any, **options: Any) -> NDArray[np.int64]:  # noqa: ANN401
        self.count += 1
        return self._group(*arguments, **options)


@pytest.fixture
def cold_starts(monkeypatch: pytest.MonkeyPatch) -> ColdStarts:
    return ColdStarts(monkeypatch)


def test_the_table_tells_of_each_class_its_cluster(embedded: Workspace) -> None:
    run_cluster(embedded, THREE)
    rows = embedded.read(CLUSTERS).to_pylist()
    assert [row["class_qid"] for row in rows] == list(CLASSES)
    # By landmarks: towers have 15, bridges 6, lakes 3.
    assert ids_in(embedded) == (
        dict.fromkeys(TOWERS, 0) | dict.fromkeys(BRIDGES, 1) | dict.fromkeys(LAKES, 2)
    )
    assert all(0 < row["similarity"] <= 1.000001 for row in rows)


def test_the_centres_tell_of_each_cluster_its_size_stability_and_mean(embedded: Workspace) -> None:
    run_cluster(embedded, THREE)
    rows = embedded.read(CENTRES).to_pylist()
    sizes = [(row["cluster_id"], row["classes"], row["landmarks"]) for row in rows]
    assert sizes == [(0, 3, 15), (1, 3, 6), (2, 3, 3)]
    assert all(0 < row["stability"] <= 1 for row in rows)
    vectors = TrigramEncoder().encode([label for label, _ in TOWERS.values()])
    mean = vectors.mean(axis=0)
    np.testing.assert_allclose(rows[0]["centre"], mean / np.linalg.norm(mean), atol=1e-6)
    clusters = embedded.read(CLUSTERS).to_pylist()
    similarity = [row["similarity"] for row in clusters if row["class_qid"] in TOWERS]
    np.testing.assert_allclose(similarity, vectors @ rows[0]["centre"], atol=1e-6)


def test_without_draws_no_stability_is_told(embedded: Workspace) -> None:
    run_cluster(embedded, ClusterConfig(clusters=3, draws=0))
    assert embedded.read(CENTRES)["stability"].to_pylist() == [None] * 3
    assert changes_in(embedded) == [("new", None, 0, 3), ("new", None, 1, 3), ("new", None, 2, 3)]


def test_what_is_made_again_by_force_is_what_it_was(blurred: Workspace) -> None:
    """Also where it started warm, and what it started from is gone: the result is a fixed point."""
    run_cluster(blurred, SIX)
    first = outputs_of(blurred)
    assert run_cluster(blurred, SIX).skipped
    assert not run_cluster(Workspace(blurred.root, remakes=True), SIX).skipped
    assert outputs_of(blurred) == first
    more = BLOBS | {"Q99": ("one more", 4), "Q999": ("and one", 1)}
    write_embedded(blurred, more, unit_vectors(62))
    run_cluster(blurred, SIX)
    warm, changes = outputs_of(blurred), changes_in(blurred)
    assert warm != first
    assert sum(classes for change, _, _, classes in changes if change == "new") == 2
    assert not run_cluster(Workspace(blurred.root, remakes=True), SIX).skipped
    assert outputs_of(blurred) == warm
    assert changes_in(blurred) == changes


@pytest.mark.parametrize(
    "config",
    [
        SIX,
        ClusterConfig(clusters=6, draws=2, seed=5),
        ClusterConfig(clusters=6, draws=2, whiten=True, by_landmarks=True),
    ],
)
def test_a_changed_input_seed_or_geometry_starts_from_the_clusters_of_before(
    blurred: Workspace, config: ClusterConfig, cold_starts: ColdStarts
) -> None:
    run_cluster(blurred, SIX)
    before = ids_in(blurred)
    write_embedded(blurred, BLOBS | {"Q99": ("one more", 4)}, unit_vectors(61))
    run_cluster(blurred, config)
    assert cold_starts.count == 1  # the first
    if not config.whiten:
        after = ids_in(blurred)
        assert sum(after[qid] == before[qid] for qid in before) >= 0.95 * len(before)


def test_to_recluster_starts_cold_and_keeps_what_ids_it_can(
    blurred: Workspace, cold_starts: ColdStarts
) -> None:
    run_cluster(blurred, SIX)
    write_embedded(blurred, without(BLOBS, "Q1", "Q2", "Q3"), unit_vectors(60)[3:])
    run_cluster(blurred, SIX)
    warm = sets_in(blurred)
    cold_config = ClusterConfig(clusters=6, draws=2, recluster=True)
    assert not run_cluster(blurred, cold_config).skipped
    assert cold_starts.count == 2
    cold = sets_in(blurred)
    assert cold != warm
    assert set(ids_in(blurred).values()) == set(range(6))
    fresh = Workspace(blurred.root.parent / "fresh")
    write_embedded(fresh, without(BLOBS, "Q1", "Q2", "Q3"), unit_vectors(60)[3:])
    run_cluster(fresh, SIX)
    assert sets_in(fresh) == cold
    # It is no setting of the build: without it, what it made is up to date.
    assert run_cluster(blurred, SIX).skipped


def test_fewer_classes_leave_no_row_of_the_old_ones_and_tell_which_are_gone(
    embedded: Workspace,
) -> None:
    run_cluster(embedded, THREE)
    write_embedded(embedded, without(CLASSES, "Q10", "Q31"))
    run_cluster(embedded, THREE)
    assert list(ids_in(embedded)) == list(without(CLASSES, "Q10", "Q31"))
    assert changes_in(embedded) == [
        ("kept", 0, 0, 2),
        ("kept", 1, 1, 3),
        ("kept", 2, 2, 2),
        ("gone", 0, None, 1),
        ("gone", 2, None, 1),
    ]


def test_another_number_of_clusters_keeps_ids_and_never_gives_one_twice(
    blurred: Workspace, cold_starts: ColdStarts
) -> None:
    run_cluster(blurred, SIX)
    before = ids_in(blurred)
    run_cluster(blurred, ClusterConfig(clusters=4, draws=0))
    assert cold_starts.count == 2
    fewer = set(ids_in(blurred).values())
    assert len(fewer) == 4
    assert fewer <= set(before.values())
    run_cluster(blurred, SIX)
    more = set(ids_in(blurred).values())
    assert fewer <= more
    assert more - fewer == {6, 7}  # not one of the two that were given up
    assert {"kept", "split"} <= {change for change, *_ in changes_in(blurred)}


def test_vectors_of_another_encoder_start_cold(blurred: Workspace, cold_starts: ColdStarts) -> None:
    run_cluster(blurred, SIX)
    for width, seed in ((8, 1), (12, 0)):
        write_embedded(blurred, BLOBS, unit_vectors(60, width, seed))
        run_cluster(blurred, SIX)
    assert cold_starts.count == 3


@pytest.mark.parametrize(("others", "is_cold"), [(3, False), (4, True)])
def test_mostly_other_classes_start_cold(
    embedded: Workspace, cold_starts: ColdStarts, others: int, is_cold: bool
) -> None:
    run_cluster(embedded, THREE)
    forts = {f"Q{n}": (f"fort {n}", 1) for n in range(40, 40 + others)}
    write_embedded(embedded, LAKES | forts)
    run_cluster(embedded, THREE)
    assert cold_starts.count == 1 + is_cold


def test_a_cluster_without_its_classes_starts_at_its_stored_centre(workspace: Workspace) -> None:
    """All classes of one blob are replaced by others of it, which then make the cluster."""
    vectors = blobs(4, 6)
    classes = {f"Q{n}": (f"class {n}", 1) for n in range(1, 25)}
    config = ClusterConfig(clusters=4, draws=0)
    write_embedded(workspace, without(classes, "Q22", "Q23", "Q24"), vectors[:21])
    run_cluster(workspace, config)
    before = ids_in(workspace)
    write_embedded(
        workspace, without(classes, "Q19", "Q20", "Q21"), np.delete(vectors, [18, 19, 20], 0)
    )
    run_cluster(workspace, config)
    after = ids_in(workspace)
    assert all(after[qid] == before[qid] for qid in after.keys() & before.keys())
    assert after["Q22"] == after["Q23"] == after["Q24"] == 4  # none of its classes had the old id
    assert [row for row in changes_in(workspace) if row[0] in {"new", "gone"}] == [
        ("new", None, 4, 3),
        ("gone", before["Q19"], None, 3),
    ]


def test_no_number_of_a_cluster_decides_anything_of_another(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_cluster(embedded, THREE)
    other = {0: 17, 1: 3, 2: 40}
    renumbered = Workspace(embedded.root.parent / "renumbered")
    write_embedded(renumbered, CLASSES)
    first_ids = canonical_clusters
    with monkeypatch.context() as patch:
        patch.setattr(
            stage,
            "canonical_clusters",
            lambda *arguments: np.array([other[i] for i in first_ids(*arguments)], dtype=np.int32),
        )
        run_cluster(renumbered, THREE)
    for step in (embedded, renumbered):  # and a run further, from these numbers
        write_embedded(step, CLASSES | {"Q40": ("iron bridge", 1)})
        run_cluster(step, THREE)
    ids = ids_in(embedded)
    assert ids_in(renumbered) == {qid: other[one] for qid, one in ids.items()}
    scores = {row["cluster_id"]: row["stability"] for row in embedded.read(CENTRES).to_pylist()}
    assert {
        row["cluster_id"]: row["stability"] for row in renumbered.read(CENTRES).to_pylist()
    } == {other[one]: score for one, score in scores.items()}
    similarity = [one.read(CLUSTERS)["similarity"].to_pylist() for one in (embedded, renumbered)]
    assert similarity[0] == similarity[1]


@pytest.mark.parametrize("dataset", [CLUSTERS, CENTRES, CLUSTER_CHANGES])
def test_damaged_clusters_of_before_start_cold(
    blurred: Workspace, dataset: Dataset, cold_starts: ColdStarts
) -> None:
    run_cluster(blurred, SIX)
    clean = outputs_of(blurred)
    (shard,) = blurred.shards(dataset)
    shard.write_bytes(shard.read_bytes()[:-7])
    assert not run_cluster(blurred, SIX).skipped
    assert cold_starts.count == 2
    assert outputs_of(blurred) == clean


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_stopped_run_is_made_again_with_the_same_digests(
    blurred: Workspace, is_warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = Workspace(blurred.root.parent / "twin")
    for one in (blurred, twin):
        write_embedded(one, BLOBS, unit_vectors(60))
        if is_warm:
            run_cluster(one, SIX)
            write_embedded(one, without(BLOBS, "Q5", "Q6"), unit_vectors(60)[2:])
    write = StageWriter.write

    def stopping(self: StageWriter, dataset: Dataset, shard: str, table: pa.Table) -> None:
        if dataset == CENTRES:
            raise KeyboardInterrupt
        write(self, dataset, shard, table)

    with monkeypatch.context() as patch:
        patch.setattr(StageWriter, "write", stopping)
        with pytest.raises(KeyboardInterrupt):
            run_cluster(blurred, SIX)
    assert list(blurred.path(CLUSTERS.path).rglob("clusters.parquet*"))
    run_cluster(blurred, SIX)
    run_cluster(twin, SIX)
    assert outputs_of(blurred) == outputs_of(twin)


def test_the_digests_are_those_of_one_thread_whatever_the_caller_allows(
    blurred: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    used, group = [], group_points

    def watched(*arguments: Any, **options: Any) -> NDArray[np.int64]:  # noqa: ANN401
        used.append({pool["num_threads"] for pool in threadpool_info()})
        return group(*arguments, **options)

    monkeypatch.setattr(stage, "group_points", watched)
    digests = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            run_cluster(Workspace(blurred.root), ClusterConfig(clusters=6, draws=2, recluster=True))
        digests.append(outputs_of(blurred))
    assert digests[0] == digests[1]
    assert used == [{1}, {1}]


def test_superclasses_are_an_input_only_where_they_count() -> None:
    plain, prior = ClusterConfig(), ClusterConfig(superclass_weight=0.3)
    read = {one.path for one in stage.cluster_stage(plain).inputs}
    assert read == {LABELS.path, EMBEDDINGS.path}
    for config in (prior, ClusterConfig(method="subclasses")):
        assert {one.path for one in stage.cluster_stage(config).inputs} - read == {
            "scrape/superclasses"
        }


@pytest.mark.parametrize("method", ["ward", "average", "hdbscan"])
def test_every_method_fills_the_same_tables_and_keeps_ids(
    embedded: Workspace, method: ClusterMethod
) -> None:
    run_cluster(embedded, THREE)
    before, names = ids_in(embedded), CLUSTERS.schema.names
    config = ClusterConfig(method=method, clusters=3, draws=2, min_cluster_size=2)
    run_cluster(embedded, config)
    assert ids_in(embedded) == before
    assert embedded.read(CLUSTERS).column_names == names
    assert None not in embedded.read(CENTRES)["stability"].to_pylist()


def test_equal_vectors_count_once_and_share_a_cluster(workspace: Workspace) -> None:
    twice = CLASSES | {f"Q{n}": ("salt lake", 1) for n in range(50, 60)}
    write_embedded(workspace, twice)
    run_cluster(workspace, THREE)
    ids = ids_in(workspace)
    assert {ids[f"Q{n}"] for n in range(50, 60)} == {ids["Q10"]}
    assert len(sets_in(workspace)) == 3
    assert frozenset(TOWERS) in sets_in(workspace)


def test_no_class_gives_empty_tables_and_says_what_is_gone(embedded: Workspace) -> None:
    run_cluster(embedded, THREE)
    tables = [(LABELS, table_of(LABELS, [])), (EMBEDDINGS, table_of(EMBEDDINGS, []))]
    write_stage(embedded, tables)
    run_cluster(embedded, THREE)
    assert len(embedded.read(CLUSTERS)) == len(embedded.read(CENTRES)) == 0
    assert changes_in(embedded) == [("gone", one, None, 3) for one in range(3)]
    write_embedded(embedded, CLASSES)
    run_cluster(embedded, THREE)
    assert len(sets_in(embedded)) == 3


@pytest.mark.parametrize("method", ["kmeans", "ward", "average"])
def test_fewer_distinct_labels_than_clusters_give_fewer_and_say_so(
    embedded: Workspace, method: ClusterMethod, caplog: pytest.LogCaptureFixture
) -> None:
    run_cluster(embedded, ClusterConfig(method=method, clusters=10**30, draws=1))
    assert len(sets_in(embedded)) == len(CLASSES)
    assert [one.levelname for one in caplog.records] == ["WARNING"]


def test_one_class_is_one_cluster(workspace: Workspace) -> None:
    write_embedded(workspace, {"Q1": ("lake", 3)})
    run_cluster(workspace, ClusterConfig())
    assert ids_in(workspace) == {"Q1": 0}


def test_a_missing_extra_is_named(embedded: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingInputError, match="sklearn"):
        run_cluster(embedded, THREE)


@pytest.mark.fault(63, "embeddings gone or no vectors")
def test_a_shard_of_embeddings_that_is_gone_is_named(embedded: Workspace) -> None:
    clean = run_cluster(embedded, THREE).manifest.outputs
    (shard,) = embedded.shards(EMBEDDINGS)
    shard.unlink()
    with pytest.raises(DamagedError, match=shard.name):
        run_cluster(embedded, THREE)
    write_embedded(embedded, CLASSES)
    assert run_cluster(embedded, THREE).manifest.outputs == clean


@pytest.mark.fault(63, "embeddings gone or no vectors")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda rows: rows[:0], "class_qid"),
        (lambda rows: rows[::-1], "class_qid"),
        (lambda rows: [*rows[:-1], with_vector(rows[-1], lambda vector: vector[:-1])], "63, 64"),
        (lambda rows: [with_vector(row, lambda _: []) for row in rows], "0"),
        (lambda rows: [with_vector(row, lambda v: [math.nan, *v[1:]]) for row in rows], "norm"),
        (lambda rows: [with_vector(row, lambda v: [3e38] * len(v)) for row in rows], "norm"),
    ],
    ids=["nothing", "reversed", "narrow", "empty", "nan", "huge"],
)
def test_embeddings_that_are_no_vectors_of_the_labels_are_refused(
    embedded: Workspace, change: Callable[[list[Row]], list[Row]], word: str
) -> None:
    """As an earlier version may have written them: what is listed is what was written."""
    labels = embedded.read(LABELS)
    rows = change(embedded.read(EMBEDDINGS).to_pylist())
    changed = pa.Table.from_pylist(rows, schema=EMBEDDINGS.schema)
    write_stage(embedded, [(LABELS, labels), (EMBEDDINGS, changed)])
    with pytest.raises(DamagedError, match=word):
        run_cluster(embedded, THREE)


def with_vector(row: Row, change: Callable[[list[float]], list[float]]) -> Row:
    return {**row, "embedding": change(row["embedding"])}


def test_another_scikit_learn_makes_its_own_groups(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_cluster(embedded, THREE)
    known = first.manifest.settings["scikit_learn"]
    version = importlib.metadata.version
    monkeypatch.setattr(
        "importlib.metadata.version",
        lambda name: "99.0" if name == "scikit-learn" else version(name),
    )
    again = run_cluster(embedded, THREE)
    assert not again.skipped
    assert (known, again.manifest.settings["scikit_learn"]) == (version("scikit-learn"), "99.0")
    assert again.manifest.outputs == first.manifest.outputs


def test_without_scikit_learn_what_is_finished_stays_so(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_cluster(embedded, THREE)

    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", gone)
    assert run_cluster(embedded, THREE).skipped
