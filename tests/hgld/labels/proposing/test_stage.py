from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld import tables
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding.stage import EmbedConfig, run_embed
from hgld.labels.embedding.words import taxonomy_words
from hgld.labels.proposing.stage import ProposeConfig, run_propose, vectors_of_build
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
CLASS_LINES = "class_qid,class_label,action,hierarchical_label\nQ16970,church building,accept,{}\n"


def write_clustered(workspace: Workspace, taxonomy: Path | None) -> None:
    above = superclasses([("Q900000001", 1, "Q33506", "museum")])
    scraped = [(tables.CLASSES, class_rows(SCRAPED)), (tables.SUPERCLASSES, above)]
    write_stage(workspace, [(tables.CATEGORIES, table_of(tables.CATEGORIES, [])), *scraped])
    with stubbed_encoder():
        run_embed(workspace, EmbedConfig(encoder="minilm", taxonomy=taxonomy))
    run_cluster(workspace, ClusterConfig(clusters=3))
    decide(workspace)


def decide(workspace: Workspace, *decisions: Mapping[str, object]) -> None:
    write_stage(workspace, [(tables.DECIDED, table_of(tables.DECIDED, decisions))])


def rows(workspace: Workspace) -> dict[str, dict[str, object]]:
    return {row["class_qid"]: row for row in workspace.read(tables.PROPOSALS).to_pylist()}


def test_every_class_and_cluster_has_a_row_by_the_shipped_taxonomy_and_decisions_teach(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = taxonomy_words(None)  # of which the names are enough, and take less time
    names = words.filter(pa.compute.equal(words["kind"], "name"))
    monkeypatch.setattr(embed, "taxonomy_words", lambda _: names)
    write_clustered(workspace, None)
    run_propose(workspace, ProposeConfig())
    found = rows(workspace)
    assert list(found) == ["Q9259", "Q16970", *(f"Q90000000{n}" for n in range(1, 5))]
    told = {qid: (row["proposed_action"], row["proposed_label"]) for qid, row in found.items()}
    assert told["Q16970"] == ("accept", "church")
    assert told["Q9259"] == ("ignore", None)
    assert told["Q900000003"] == ("accept", "lake")
    assert "Q33506" in str(found["Q900000001"]["evidence"])
    clusters = workspace.read(tables.CLUSTER_PROPOSALS).to_pylist()
    assert sum(row["classes"] for row in clusters) == 6
    museum = {"class_qid": "Q33506", "class_label": "museum", "action": "assign"}
    museum |= {"hierarchical_label": "tree library", "natural_or_human_made": "natural"}
    decide(workspace, museum)
    assert not run_propose(workspace, ProposeConfig()).skipped
    taught = rows(workspace)["Q900000001"]
    assert taught["runner_up"] == "tree library"
    assert taught["proposed_natural_or_human_made"] == "natural"
    # Evidence of the scrape is read where there is some.
    none = {"class_qid": "Q900000002", "status": "ok"}
    windmill = none | {"property": "P1282", "value": "Tag:man_made=windmill"}
    path = workspace.path(tables.CLASS_EVIDENCE.path) / "00000.parquet"
    path.parent.mkdir()
    pq.write_table(table_of(tables.CLASS_EVIDENCE, [windmill, none]), path)
    assert "man_made=windmill" not in str(found["Q900000002"]["evidence"])
    assert not run_propose(workspace, ProposeConfig()).skipped
    assert "Tag:man_made=windmill (P1282)" in str(rows(workspace)["Q900000002"]["evidence"])


def test_another_taxonomy_proposes_anew_and_a_class_without_a_vector_is_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    own = write_taxonomy(tmp_path / "taxonomy")
    write_clustered(workspace, own)
    for label in ("span", "cascade"):
        write_taxonomy(own, classes=CLASS_LINES.format(label))
        run_propose(workspace, ProposeConfig(taxonomy=own))
        assert rows(workspace)["Q16970"]["proposed_label"] == label
    with pytest.raises(DamagedError, match="vector"):
        vectors_of_build(workspace, pa.table({"class_qid": ["Q16970", "Q404"]}))
