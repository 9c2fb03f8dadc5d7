import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding.stage import EmbedConfig, run_embed
from hgld.labels.proposing.stage import ProposeConfig, run_propose
from hgld.tables import (
    CATEGORIES,
    CLASSES,
    CLUSTER_PROPOSALS,
    DECIDED,
    EMBEDDINGS,
    PROPOSALS,
    SUPERCLASSES,
)
from tests.hgld.labels.proposing.small_world import superclasses
from tests.worlds.builders import class_rows, table_of, write_stage
from tests.worlds.stub_encoder import stubbed_encoder
from tests.worlds.taxonomies import write_taxonomy

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

SCRAPED = {
    ("train", 1): [("Q16970", "church building"), ("Q900000001", "wooden xylotheque")],
    ("train", 2): [("Q9259", "World Heritage Site"), ("Q900000002", "stone xylotheque")],
    ("index", 3): [("Q900000003", "mountain lake"), ("Q900000004", "road bridge")],
}
TAXONOMY = {
    "supercategories": "hierarchical_label,natural_or_human_made,description\n"
    "church,human-made,Churches\nlake,natural,Standing water\nmuseum,human-made,Museums\n"
    "windmill,human-made,Mills\n",
    "aliases": "hierarchical_label,language,alias\nchurch,en,church\nlake,en,lake\n",
    "classes": "class_qid,class_label,action,hierarchical_label\n"
    "Q16970,church building,accept,church\nQ9259,World Heritage Site,ignore,\n"
    "Q33506,museum,accept,museum\n",
}


def decided(rows: list[dict[str, object]]) -> list[tuple[Dataset, pa.Table]]:
    return [(DECIDED, table_of(DECIDED, rows))]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build whose classes are clustered, and its taxonomy; to be copied."""
    folder = tmp_path_factory.mktemp("clustered")
    write_taxonomy(folder / "taxonomy", **TAXONOMY)
    write_clustered(Workspace(folder / "build"), SCRAPED, folder / "taxonomy")
    return folder


def write_clustered(
    workspace: Workspace,
    classes: Mapping[tuple[str, int], Sequence[tuple[str, str]]],
    taxonomy: Path | None,
) -> None:
    tables = [
        (CATEGORIES, table_of(CATEGORIES, [])),
        (CLASSES, class_rows(classes)),
        (SUPERCLASSES, superclasses([("Q900000001", 1, "Q33506", "museum")])),
    ]
    write_stage(workspace, tables)
    with stubbed_encoder():
        run_embed(workspace, EmbedConfig(encoder="minilm", taxonomy=taxonomy))
    run_cluster(workspace, ClusterConfig(clusters=3))
    write_stage(workspace, decided([]))


@pytest.fixture
def clustered(made: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path / "build")


@pytest.fixture
def config(tmp_path: Path) -> ProposeConfig:
    return ProposeConfig(taxonomy=tmp_path / "taxonomy")


def rows(workspace: Workspace) -> dict[str, dict[str, object]]:
    return {row["class_qid"]: row for row in workspace.read(PROPOSALS).to_pylist()}


def test_every_class_and_cluster_gets_a_row_with_words_of_evidence(
    clustered: Workspace, config: ProposeConfig
) -> None:
    report = run_propose(clustered, config)
    found = rows(clustered)
    assert list(found) == sorted(found, key=lambda qid: int(qid[1:]))
    assert len(found) == 6
    assert found["Q16970"]["proposed_label"] == "church"
    assert found["Q16970"]["proposed_natural_or_human_made"] == "human-made"
    assert found["Q9259"]["proposed_action"] == "ignore"
    assert found["Q9259"]["proposed_label"] is None
    assert found["Q900000003"]["proposed_label"] == "lake"
    assert "Q33506" in str(found["Q900000001"]["evidence"])
    assert all(row["evidence"] for row in found.values())
    clusters = clustered.read(CLUSTER_PROPOSALS).to_pylist()
    assert all(row["name"] for row in clusters)
    assert sum(row["classes"] for row in clusters) == 6
    assert report.manifest.rows == 6 + len(clusters)


def test_the_shipped_taxonomy_speaks_where_no_other_is_given_and_decisions_teach(
    workspace: Workspace, shipped_names: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "taxonomy_words", lambda _: shipped_names)
    write_clustered(workspace, SCRAPED, None)
    run_propose(workspace, ProposeConfig())
    found = rows(workspace)
    told = {qid: (row["proposed_action"], row["proposed_label"]) for qid, row in found.items()}
    assert told["Q16970"] == ("accept", "church")
    assert told["Q9259"] == ("ignore", None)
    assert told["Q900000003"] == ("accept", "lake")
    assert told["Q900000004"] == ("accept", "bridge")
    assert "Q33506" in str(found["Q900000001"]["evidence"])
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
    write_stage(workspace, decided([decision, ignored]))
    assert not run_propose(workspace, ProposeConfig()).skipped
    found = rows(workspace)
    assert found["Q900000001"]["proposed_label"] == "tree library"
    assert found["Q900000001"]["proposed_natural_or_human_made"] == "natural"
    assert found["Q900000004"]["tier"] == "decided"
    assert found["Q900000004"]["proposed_action"] == "ignore"


def test_lines_of_a_taxonomy_count_and_not_where_it_lies(
    clustered: Workspace, config: ProposeConfig, tmp_path: Path
) -> None:
    first = run_propose(clustered, config).manifest.outputs
    assert run_propose(clustered, config).skipped
    moved = shutil.copytree(tmp_path / "taxonomy", tmp_path / "moved")
    assert run_propose(clustered, ProposeConfig(taxonomy=moved)).skipped
    classes = TAXONOMY["classes"].replace("building,accept,church", "building,accept,museum")
    write_taxonomy(moved, **TAXONOMY | {"classes": classes})
    other = run_propose(clustered, ProposeConfig(taxonomy=moved))
    assert other.manifest.outputs != first
    assert rows(clustered)["Q16970"]["proposed_label"] == "museum"


def test_no_class_gives_empty_tables(made: Path, workspace: Workspace) -> None:
    write_clustered(workspace, {}, made / "taxonomy")
    config = ProposeConfig(taxonomy=made / "taxonomy")
    assert run_propose(workspace, config).manifest.rows == 0
    assert len(workspace.read(CLUSTER_PROPOSALS)) == 0


def test_what_is_missing_or_unknown_is_refused(
    made: Path, workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(MissingInputError):
        run_propose(workspace, ProposeConfig(taxonomy=made / "taxonomy"))
    with pytest.raises(InputError, match="taxonomy"):
        run_propose(workspace, ProposeConfig(taxonomy=tmp_path / "nowhere"))


def test_embeddings_of_other_classes_are_refused(
    clustered: Workspace, config: ProposeConfig
) -> None:
    table = clustered.read(EMBEDDINGS).slice(1)
    shutil.rmtree(clustered.path(EMBEDDINGS.path))
    clustered.manifest_path("embed").unlink()
    write_stage(clustered, [(EMBEDDINGS, table)])
    with pytest.raises((DamagedError, MissingInputError)):
        run_propose(clustered, config)
