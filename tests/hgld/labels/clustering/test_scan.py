import csv
import math
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.clustering.scan import ScanRow, scan_clusters, write_scan
from hgld.labels.clustering.stage import ClusterConfig
from hgld.tables import EMBEDDINGS, LABELS
from tests.hgld.labels.clustering.builds import blobs, unit_vectors, write_embedded
from tests.worlds.builders import table_of, write_stage

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

CLASSES = {f"Q{n}": (f"class {n}", 1) for n in range(1, 49)}
CONFIG = ClusterConfig(draws=4, n_init=3)


@pytest.fixture
def embedded(workspace: Workspace) -> Workspace:
    """48 classes that lie in six heaps of eight."""
    write_embedded(workspace, CLASSES, blobs(6, 8))
    return workspace


def test_the_number_that_fits_the_data_stands_out(embedded: Workspace) -> None:
    decided = {f"Q{n}": f"heap {(n - 1) // 8}" for n in range(1, 49, 2)}
    rows = scan_clusters(embedded, CONFIG, [12, 3, 6, 3], decided)
    assert [row.clusters for row in rows] == [3, 6, 12]
    assert rows[0].inertia > rows[1].inertia > rows[2].inertia
    assert max(rows, key=lambda row: row.silhouette).clusters == 6
    assert max(rows, key=lambda row: row.stability).clusters == 6
    assert rows[1].agreement == 1
    assert rows[1].largest == 8
    assert rows[1].singletons == 0
    assert rows[0].agreement < 1
    assert not embedded.path("labels/clusters").exists()


def test_what_cannot_be_measured_is_nan(embedded: Workspace) -> None:
    config = ClusterConfig(draws=0, n_init=1)
    rows = scan_clusters(embedded, config, [1, 10**9], {"Q1": "heap"})
    assert [row.clusters for row in rows] == [1, 48]
    for row in rows:
        assert math.isnan(row.silhouette)
        assert math.isnan(row.stability)
        assert math.isnan(row.agreement)
    assert rows[1].inertia == 0
    assert rows[1].singletons == 48


def test_a_scan_is_written_as_a_table(tmp_path: Path) -> None:
    row = ScanRow(
        clusters=20,
        inertia=120.5,
        silhouette=0.25,
        stability=math.nan,
        agreement=0.5,
        singletons=1,
        largest=9,
    )
    write_scan([row], tmp_path / "scan/scan.csv")
    with (tmp_path / "scan/scan.csv").open(encoding="utf-8", newline="") as file:
        (read,) = csv.DictReader(file)
    assert (read["clusters"], read["inertia"], read["stability"]) == ("20", "120.5", "")


def test_a_build_without_classes_has_nothing_to_scan(workspace: Workspace) -> None:
    write_stage(workspace, [(d, table_of(d, [])) for d in (LABELS, EMBEDDINGS)])
    assert scan_clusters(workspace, CONFIG, [3], {}) == []


@pytest.mark.parametrize("counts", [[], [4, 0]])
def test_no_number_of_clusters_is_refused(workspace: Workspace, counts: list[int]) -> None:
    write_embedded(workspace, CLASSES, unit_vectors(48))
    with pytest.raises(InputError, match="at least 1"):
        scan_clusters(workspace, CONFIG, counts, {})
