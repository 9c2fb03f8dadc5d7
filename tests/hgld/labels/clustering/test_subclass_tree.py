from pathlib import Path

import numpy as np
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.clustering import stage
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from hgld.labels.clustering.subclass_tree import (
    ancestors_of,
    cut_points_digest,
    nearest_cut,
    read_cut_points,
    superclass_features,
)
from hgld.tables import CENTRES, SUPERCLASSES
from tests.hgld.labels.clustering.builds import (
    BRIDGES,
    CLASSES,
    LAKES,
    TOWERS,
    ids_in,
    sets_in,
    superclass_rows,
    write_embedded,
)
from tests.worlds.builders import write_stage

CHURCH, CATHEDRAL, STATE, ISLAND, LAKE, BARE = "Q101", "Q102", "Q103", "Q104", "Q105", "Q106"
BUILDING, LANDFORM, TERRITORY, WATER, ENTITY, METACLASS = (f"Q{n}" for n in range(201, 207))
# As on Wikidata, a state is a landform, if one climbs far enough.
EDGES = [
    (CHURCH, 1, BUILDING),
    (CHURCH, 2, ENTITY),
    (CATHEDRAL, 1, CHURCH),
    (CATHEDRAL, 2, BUILDING),
    (CATHEDRAL, 3, ENTITY),
    (STATE, 1, TERRITORY),
    (STATE, 2, LANDFORM),
    (STATE, 3, ENTITY),
    (ISLAND, 1, LANDFORM),
    (ISLAND, 2, ENTITY),
    (LAKE, 1, WATER),
    (LAKE, 2, LANDFORM),
    (LAKE, 3, ENTITY),
]
CUTS = {BUILDING: "building", LANDFORM: "landform", TERRITORY: "place", WATER: "water"}
ALL = [CHURCH, CATHEDRAL, STATE, ISLAND, LAKE, BARE]
HEAD = "superclass_qid,superclass_label,hierarchical_label\n"
RIGHT = ["building", "building", "place", "landform", "water", ""]


def names(
    edges: list[tuple[str, int, str]], cuts: dict[str, str] | None = None, depth: int = 6
) -> list[str]:
    ancestors = ancestors_of(superclass_rows(edges), depth)
    return [nearest_cut(qid, ancestors, cuts or CUTS) for qid in ALL]


def shuffled(edges: list[tuple[str, int, str]], seed: int) -> list[tuple[str, int, str]]:
    return [edges[row] for row in np.random.default_rng(seed).permutation(len(edges))]


def test_a_class_belongs_under_the_nearest_cut_point_so_that_a_state_is_no_landform() -> None:
    assert names(EDGES) == RIGHT
    without_place = {qid: name for qid, name in CUTS.items() if qid != TERRITORY}
    assert names(EDGES, without_place)[2] == "landform"  # what the cut point is there for


def test_neither_the_order_of_the_edges_nor_repetition_counts() -> None:
    assert names(shuffled([*EDGES, *EDGES], 0)) == RIGHT
    longer = [*EDGES, (CHURCH, 5, BUILDING), (CHURCH, 4, LANDFORM)]
    assert names(shuffled(longer, 1)) == RIGHT


def test_a_cycle_ends_and_changes_nothing() -> None:
    cycle = [(BUILDING, 1, CHURCH), (CHURCH, 2, CHURCH), (CHURCH, 3, CATHEDRAL)]
    cycle += [(CATHEDRAL, 4, CATHEDRAL), (CATHEDRAL, 5, CHURCH)]
    assert names([*EDGES, *cycle]) == RIGHT
    two = [(CHURCH, 1, CATHEDRAL), (CATHEDRAL, 1, CHURCH)]
    ancestors = ancestors_of(superclass_rows(two), 6)
    # Each lies above the other, and each is its own nearest cut point.
    cuts = {CHURCH: "church", CATHEDRAL: "cathedral"}
    assert [nearest_cut(qid, ancestors, cuts) for qid in ALL[:2]] == ["church", "cathedral"]


def test_of_cut_points_as_near_the_more_special_is_taken() -> None:
    edges = [*EDGES, (BARE, 1, CHURCH), (BARE, 1, BUILDING)]
    assert names(edges, CUTS | {CHURCH: "zz church"})[5] == "zz church"


def test_no_cut_point_further_than_the_depth_counts() -> None:
    assert names(EDGES, depth=1) == ["building", "", "place", "landform", "water", ""]
    assert names(EDGES, {ENTITY: "entity"}, depth=2) == ["entity", "", "", "entity", "", ""]


def test_superclasses_are_shared_by_how_special_they_are() -> None:
    meta = [(qid, 1, METACLASS) for qid in ALL]
    more = [(f"Q3{n:02}", 1, METACLASS) for n in range(20)]
    classes = [*ALL, *(qid for qid, _, _ in more)]
    features = superclass_features(
        classes, ancestors_of(superclass_rows([*EDGES, *meta, *more]), 6)
    )
    cosines = features @ features.T
    assert cosines[0, 1] > 0.5  # church, cathedral
    assert cosines[3, 4] > 0.2  # island, lake: landform
    assert cosines[0, 3] < cosines[3, 4]
    # What lies above more than a quarter of all, such as a metaclass, pulls nothing together.
    assert not features[5:].any()
    np.testing.assert_allclose(np.linalg.norm(features[:5], axis=1), 1, atol=1e-6)
    again = ancestors_of(superclass_rows(shuffled([*EDGES, *meta, *more], 1)), 6)
    np.testing.assert_array_equal(superclass_features(classes, again), features)


def test_a_table_of_cut_points_is_read_and_has_a_digest(tmp_path: Path) -> None:
    path = tmp_path / "cuts.csv"
    head = "superclass_qid,superclass_label,action,hierarchical_label"
    rows = ["Q1,building,accept,house", "Q2,state,ignore,", "Q3,hut,accept,house"]
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    cuts = read_cut_points(path)
    assert cuts == {"Q1": "house", "Q2": "state", "Q3": "house"}
    assert cut_points_digest(cuts) == cut_points_digest(dict(reversed(cuts.items())))
    assert cut_points_digest(cuts) != cut_points_digest(cuts | {"Q2": "waters"})
    path.write_text("\n".join([head, rows[0], rows[0]]), encoding="utf-8")
    with pytest.raises(InputError, match="Q1"):
        read_cut_points(path)


@pytest.fixture
def classed(workspace: Workspace) -> Workspace:
    """A build with superclasses; no cut point lies above the towers."""
    pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")
    write_embedded(workspace, CLASSES)
    edges = [(qid, 1, WATER) for qid in LAKES] + [(qid, 2, BUILDING) for qid in BRIDGES]
    write_stage(workspace, [(SUPERCLASSES, superclass_rows(edges))])
    return workspace


@pytest.fixture
def cuts_file(tmp_path: Path) -> Path:
    path = tmp_path / "cuts.csv"
    path.write_text(f"{HEAD}{WATER},water,lake\n{BUILDING},building,\n", encoding="utf-8")
    return path


def test_the_cut_points_of_the_package_can_be_read() -> None:
    cuts = read_cut_points(stage.SHIPPED_CUT_POINTS)
    assert len(cuts) > 40
    assert all(qid[0] == "Q" and name for qid, name in cuts.items())


def test_the_tree_is_a_clustering_of_its_own_and_loses_no_class(
    classed: Workspace, cuts_file: Path
) -> None:
    config = ClusterConfig(method="subclasses", cut_points=cuts_file)
    run_cluster(classed, config)
    ids = ids_in(classed)
    assert len({ids[qid] for qid in LAKES}) == 1
    assert len({ids[qid] for qid in BRIDGES}) == 1
    assert set(ids) == set(CLASSES)
    assert len(sets_in(classed)) == 2
    assert classed.read(CENTRES)["stability"].to_pylist() == [None, None]  # it is a rule
    assert run_cluster(classed, config).skipped
    alone = ClusterConfig(method="subclasses", cut_points=cuts_file, unplaced="alone")
    run_cluster(classed, alone)
    assert {frozenset({qid}) for qid in TOWERS} <= sets_in(classed)
    assert {frozenset(LAKES), frozenset(BRIDGES)} <= sets_in(classed)


def test_changed_superclasses_run_again_where_they_count(classed: Workspace) -> None:
    plain = ClusterConfig(clusters=3, draws=0)
    prior = ClusterConfig(clusters=3, draws=0, superclass_weight=0.5)
    run_cluster(classed, prior)
    edges = [(qid, 1, WATER) for qid in [*LAKES, "Q20"]]
    write_stage(classed, [(SUPERCLASSES, superclass_rows(edges))])
    assert not run_cluster(classed, prior).skipped
    run_cluster(classed, plain)
    write_stage(classed, [(SUPERCLASSES, superclass_rows(edges[:1]))])
    assert run_cluster(classed, plain).skipped


def test_a_prior_pulls_classes_together_whose_texts_are_apart(workspace: Workspace) -> None:
    """Texts make lakes, bridges and towers; superclasses say that Q20 and Q30 are one of a kind."""
    pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")
    write_embedded(workspace, CLASSES)
    write_stage(workspace, [(SUPERCLASSES, superclass_rows([("Q20", 1, "Q9"), ("Q30", 1, "Q9")]))])
    run_cluster(workspace, ClusterConfig(clusters=3, draws=0))
    ids = ids_in(workspace)
    assert ids["Q20"] != ids["Q30"]
    heavy = ClusterConfig(clusters=3, draws=0, superclass_weight=0.9, recluster=True)
    run_cluster(workspace, heavy)
    ids = ids_in(workspace)
    assert ids["Q20"] == ids["Q30"]
