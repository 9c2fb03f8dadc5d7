from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.labels.embedding.label_map import label_projection, quick_projection, run_map
from hgld.tables import LABEL_MAP
from tests.hgld.labels.clustering.builds import blobs, write_embedded

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

Floats = NDArray[np.float32]
Projection = Callable[[Floats], Floats]
VECTORS = blobs(10, 20)  # 10 groups of 20 classes


@pytest.mark.parametrize("lay_out", [quick_projection, label_projection])
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_any_number_of_vectors_is_laid_out_from_0_to_1(count: int, lay_out: Projection) -> None:
    plane = lay_out(blobs(5, 20)[:count])
    assert plane.shape == (count, 2)
    assert plane.dtype == np.float32
    assert len(np.unique(plane, axis=0)) == count
    if count:
        low, high = plane.min(axis=0), plane.max(axis=0)
        assert (high - low).max() == pytest.approx(0.94 if count > 1 else 0, abs=1e-6)
        np.testing.assert_allclose((low + high) / 2, 0.5, atol=1e-6)


def test_the_map_depends_on_no_order_no_threads_and_no_repeats() -> None:
    from threadpoolctl import threadpool_limits

    plane = label_projection(VECTORS)
    order = np.random.default_rng(0).permutation(len(VECTORS))
    with threadpool_limits(2):
        again = label_projection(np.vstack([VECTORS[order], VECTORS[:50]]))
    np.testing.assert_array_equal(again, np.vstack([plane[order], plane[:50]]))
    assert len(np.unique(again, axis=0)) == 200


def test_each_class_has_its_place(workspace: Workspace) -> None:
    write_embedded(workspace, {f"Q{n}": (f"class {n}", 1) for n in range(1, 41)}, VECTORS[:40])
    run_map(workspace)
    table = workspace.read(LABEL_MAP)
    assert table["class_qid"].to_pylist() == [f"Q{n}" for n in range(1, 41)]
    plane = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    np.testing.assert_array_equal(plane, label_projection(VECTORS[:40]))
