import csv
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.clustering import scan
from hgld.labels.clustering.config import ClusterConfig
from hgld.labels.clustering.scan import ScanRow, scan_clusters, scan_plot, write_scan
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


def test_the_silhouette_of_very_many_is_that_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, groups = blobs(6, 40), np.repeat(np.arange(6), 40)
    whole = scan._silhouette(vectors, groups)
    monkeypatch.setattr(scan, "_SAMPLE", 60)
    assert scan._silhouette(vectors, groups) == pytest.approx(whole, abs=0.05)
    assert scan._silhouette(vectors, groups) != whole


def test_a_scan_is_written_as_a_table_and_a_plot_that_needs_nothing_else(tmp_path: Path) -> None:
    row = ScanRow(
        clusters=20,
        inertia=120.5,
        silhouette=0.25,
        stability=math.nan,
        agreement=0.5,
        singletons=1,
        largest=9,
    )
    rows = [row, ScanRow(**{name: getattr(row, name) for name in row.__slots__} | {"clusters": 40})]
    table, plot = write_scan(rows, tmp_path / "scan")
    with table.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [one["clusters"] for one in read] == ["20", "40"]
    assert read[0]["inertia"] == "120.5"
    assert not read[0]["stability"]
    drawn = plot.read_text(encoding="utf-8")
    ET.fromstring(drawn)  # noqa: S314 - our own
    assert not re.search(r"href|url\(|<script|<image", drawn)
    assert drawn.count("<polyline") == 3
    assert drawn.count("not measured") == 1
    for text in ("Inertia", "Silhouette", "Stability", "Agreement with decisions", ">20<", ">120<"):
        assert text in drawn


def test_an_empty_scan_is_drawn_as_not_measured() -> None:
    assert scan_plot([]).count("not measured") == 4


def test_a_build_without_classes_has_nothing_to_scan(workspace: Workspace) -> None:
    write_stage(workspace, [(d, table_of(d, [])) for d in (LABELS, EMBEDDINGS)])
    assert scan_clusters(workspace, CONFIG, [3]) == []


@pytest.mark.parametrize(
    ("config", "counts", "words"),
    [
        (CONFIG, [], "at least 1 each, got []; such as 20,40,78,150"),
        (CONFIG, [4, 0], "at least 1 each, got [4, 0]"),
        (ClusterConfig(method="hdbscan"), [4], "hdbscan finds for itself how many clusters"),
        (ClusterConfig(method="subclasses"), [4], "subclasses finds for itself"),
    ],
)
def test_what_cannot_be_scanned_is_refused(
    workspace: Workspace, config: ClusterConfig, counts: list[int], words: str
) -> None:
    write_embedded(workspace, CLASSES, unit_vectors(48))
    with pytest.raises(InputError, match=re.escape(words)):
        scan_clusters(workspace, config, counts)
