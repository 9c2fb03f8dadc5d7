import importlib.metadata
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from hgld.engine.dataset import Dataset
from hgld.engine.placing import find_beside
from hgld.engine.stage import StageWriter
from hgld.engine.status import stage_status
from hgld.engine.verify import verify_stages
from hgld.engine.workspace import Workspace, command_of
from hgld.errors import DamagedError, MissingInputError
from hgld.flows.steps import load_step
from hgld.labels.embedding.label_map import STAGE, run_map
from hgld.labels.embedding.projection import label_projection
from hgld.tables import EMBEDDINGS, LABEL_MAP, LABELS
from tests.hgld.labels.clustering.builds import write_embedded
from tests.hgld.labels.embedding.test_projection import groups_of, moved
from tests.worlds.builders import table_of, write_stage

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

VECTORS = groups_of(5, 12)
QIDS = [f"Q{n}" for n in range(1, 61)]
FIRST = [row for row in range(60) if row % 12 != 11]
"""The classes of the first scrape: 11 of each group."""


def write_classes(
    workspace: Workspace, rows: Iterable[int], vectors: NDArray[np.float32] = VECTORS
) -> None:
    """Writes classes of these numbers, as `embed` does."""
    there = sorted(rows)
    if not there:
        empty = [(LABELS, table_of(LABELS, [])), (EMBEDDINGS, table_of(EMBEDDINGS, []))]
        write_stage(workspace, empty)
        return
    write_embedded(workspace, {QIDS[row]: (f"class {row}", 1) for row in there}, vectors[there])


@pytest.fixture
def embedded(workspace: Workspace) -> Workspace:
    write_classes(workspace, FIRST)
    return workspace


def places_in(workspace: Workspace) -> dict[str, tuple[float, float]]:
    rows = workspace.read(LABEL_MAP).to_pylist()
    return {row["class_qid"]: (row["x"], row["y"]) for row in rows}


def digest_of(workspace: Workspace) -> str:
    return workspace.finished(LABEL_MAP).outputs[LABEL_MAP.path]


def digest_of_run(workspace: Workspace, *, afresh: bool = False) -> str:
    assert not run_map(workspace, afresh=afresh).skipped
    return digest_of(workspace)


def test_each_class_has_its_place_in_the_order_of_the_vectors(embedded: Workspace) -> None:
    report = run_map(embedded)
    table = embedded.read(LABEL_MAP)
    assert table.schema == LABEL_MAP.schema
    assert table["class_qid"].to_pylist() == [QIDS[row] for row in FIRST]
    plane = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    np.testing.assert_array_equal(plane, label_projection(VECTORS[FIRST]))
    assert (report.manifest.rows, report.result) == (55, embedded.path("labels/map"))


def test_a_second_run_is_skipped(embedded: Workspace) -> None:
    first = digest_of_run(embedded)
    assert run_map(embedded).skipped
    assert digest_of(embedded) == first


def test_new_and_gone_classes_leave_the_others_where_they_were(embedded: Workspace) -> None:
    run_map(embedded)
    before = places_in(embedded)
    # Of each group one is gone, and one is new.
    rows = [row for row in range(60) if row % 12]
    write_classes(embedded, rows)
    assert not run_map(embedded).skipped
    after = places_in(embedded)
    assert list(after) == [QIDS[row] for row in rows]
    cold = dict(zip(after, label_projection(VECTORS[rows]), strict=True))
    one, other, third = (
        np.array([places[qid] for qid in after if qid in before], dtype=np.float32)
        for places in (before, after, cold)
    )
    assert len(one) == 50
    assert moved(one, other) < 0.03
    assert moved(one, other) < moved(one, third) / 5


def test_made_again_with_nothing_changed_it_is_the_map_that_it_was(embedded: Workspace) -> None:
    """Also where it started from one that is gone."""
    run_map(embedded)
    write_classes(embedded, range(60))
    warm = digest_of_run(embedded)
    assert digest_of_run(Workspace(embedded.root, remakes=True)) == warm


def test_a_map_made_afresh_is_that_of_a_build_without_a_past(
    embedded: Workspace, workspace: Workspace
) -> None:
    run_map(embedded)
    write_classes(embedded, range(60))
    warm = digest_of_run(embedded)
    afresh = digest_of_run(embedded, afresh=True)
    assert afresh != warm
    twin = Workspace(workspace.root.parent / "twin")
    write_classes(twin, range(60))
    assert digest_of_run(twin) == afresh


def test_other_landmarks_of_the_same_classes_change_nothing(embedded: Workspace) -> None:
    run_map(embedded)
    assert {one.path for one in STAGE.inputs} == {EMBEDDINGS.path}
    rows = {QIDS[row]: (f"class {row}", 7) for row in FIRST}
    write_embedded(embedded, rows, VECTORS[FIRST])
    assert run_map(embedded).skipped


def test_another_scikit_learn_runs_again(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_map(embedded)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "99.0")
    assert not run_map(embedded).skipped
    assert embedded.finished(LABEL_MAP).settings == {"scikit_learn": "99.0"}


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_any_number_of_classes_has_a_map(workspace: Workspace, count: int) -> None:
    write_classes(workspace, range(count))
    run_map(workspace)
    assert list(places_in(workspace)) == QIDS[:count]


def test_a_damaged_map_is_made_again_cold(embedded: Workspace) -> None:
    clean = digest_of_run(embedded)
    shard = embedded.shards(LABEL_MAP)[0]
    shard.write_bytes(shard.read_bytes() + b"more")
    assert digest_of_run(embedded) == clean


def test_a_build_without_vectors_is_told_what_to_run(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="hgld embed"):
        run_map(workspace)


def test_embeddings_that_are_no_vectors_are_one_line(workspace: Workspace) -> None:
    write_classes(workspace, range(40), 2 * VECTORS)
    with pytest.raises(DamagedError, match="norm"):
        run_map(workspace)
    assert workspace.manifest("map") is None


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_stopped_run_is_made_again_with_the_same_digest(
    embedded: Workspace, is_warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = Workspace(embedded.root.parent / "twin")
    write_classes(twin, FIRST)
    before = {}
    if is_warm:
        for one in (embedded, twin):
            run_map(one)
            write_classes(one, range(2, 58))
        before = places_in(twin)
    write = StageWriter.write

    def stopping(self: StageWriter, dataset: Dataset, shard: str, table: pa.Table) -> None:
        write(self, dataset, shard, table)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StageWriter, "write", stopping)
        with pytest.raises(KeyboardInterrupt):
            run_map(embedded)
    assert find_beside(embedded, [LABEL_MAP])
    assert (places_in(embedded) if is_warm else {}) == before  # what stood stands
    run_map(embedded)
    run_map(twin)
    assert digest_of(embedded) == digest_of(twin)


def test_the_stage_is_one_that_review_runs_where_it_is_wanted(embedded: Workspace) -> None:
    assert command_of(STAGE.name) == "review"
    step = load_step("review", {})
    assert STAGE in step.optional
    assert STAGE not in step.stages
    run_map(embedded)
    assert stage_status(embedded, STAGE, step.stage_settings[STAGE.name]).state == "done"
    write_classes(embedded, range(60))
    assert stage_status(embedded, STAGE).reason == "input labels/embeddings changed"
    embedded.shards(LABEL_MAP)[0].unlink()
    told = [one.what for one in verify_stages(embedded) if one.path.startswith("labels/map")]
    (what,) = told
    assert embedded.command("review") in what
