"""The retrieval benchmark: runs, their backbones before training, and others, on one protocol.

Queries are the test images, and the index is the index images, that have a landmark, a
super-category and a file; where embeddings alone are measured, no file is asked for. Every query is
compared with the whole index by cosine similarity.
"""

import logging

import pyarrow.compute as pc

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.retrieval.config import (
    EMBEDDINGS_FOLDER,
    BenchmarkConfig,
    benchmark_stage,
)
from hgld.benchmarks.retrieval.embedding_files import embeddings_digest
from hgld.benchmarks.retrieval.examples import Retrieval
from hgld.benchmarks.retrieval.methods import RetrievalMethod, load_methods, require_runs
from hgld.benchmarks.retrieval.report.page import picture_uri, render_report, shown_images
from hgld.benchmarks.retrieval.report.tables import to_csv, to_latex
from hgld.benchmarks.retrieval.results import (
    CSV_FILE,
    LATEX_FILE,
    REPORT_FILE,
    RESULTS_FILE,
    Json,
    Results,
    RetrievalCounts,
    to_json,
)
from hgld.benchmarks.retrieval.statistics.summing_up import MeasuredMethod, Protocol, sum_up
from hgld.demo import is_demo
from hgld.engine.config import row_settings
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.metrics import evaluate
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED
from hgld.training.data.labels import (
    LabelledImages,
    query_and_index_images,
    query_and_index_labels,
)
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.index.search import top_k
from hgld.training.model.devices import choose_device

logger = logging.getLogger(__name__)

RETRIEVED = 8
"""Pictures that an example shows of each method."""
_PACKAGES = ("torch", "torchvision", "timm", "pillow", "pyarrow")


def run_benchmark(workspace: Workspace, config: BenchmarkConfig) -> StageReport:
    """Compares trained runs with their backbones before training, and with others' embeddings.

    Writes `results.json` (`read_results`), `results.csv`, `results.tex` and `report.html` into
    `benchmarks/` and, block by block so that a stopped benchmark goes on where it was,
    `benchmarks/embeddings/`.

    Args:
        workspace: a build with annotations and, where runs are measured, images and these.
        config: the settings.

    Returns:
        The stage's report.

    Raises:
        MissingInputError: a run, the annotations or the images are not there yet.
        InputError: no query or no index image, an unreadable image or model, a device that is
            not there, or embeddings that are not of these images (`read_embeddings`).
        DamagedError: an image is gone, or is not what was recorded.
        FetchError: the weights of a backbone before training cannot be fetched.
    """
    require_runs(workspace, config.runs)
    stage = benchmark_stage(config.runs)
    settings = {
        **row_settings(config),
        "embedding_digests": [
            embeddings_digest(path) for one in config.rivals for path in (one.query, one.index)
        ],
    }
    return run_stage(workspace, stage, settings, lambda writer: _produce(writer, config))


def _produce(writer: StageWriter, config: BenchmarkConfig) -> None:
    workspace = writer.workspace
    labelled = query_and_index_images if config.runs else query_and_index_labels
    queries, index = labelled(workspace)
    methods = load_methods(workspace, config)
    cache = EmbeddingCache(
        folder=workspace.path(EMBEDDINGS_FOLDER),
        precision=config.precision,
        batch_size=config.batch_size,
        workers=config.workers,
        device=config.device,
    )
    measured = {method.name: _measure(cache, method, queries, index) for method in methods}
    protocol = Protocol(workspace=workspace, queries=queries, index=index)
    found = sum_up(protocol, measured)
    results = Results(
        metadata=_metadata(workspace, config),
        is_drawn=is_demo(workspace),
        levels=queries.levels,
        counts=_counts(workspace, queries, index),
        **found._asdict(),
    )
    # Embeddings alone are measured without a picture being there.
    pictures = _pictures(results, queries, index) if config.runs else None
    texts = {
        RESULTS_FILE: to_json(results),
        CSV_FILE: to_csv(results),
        LATEX_FILE: to_latex(results),
        REPORT_FILE: render_report(results, pictures),
    }
    for relative, text in texts.items():
        with writer.file(relative) as path:
            path.write_text(text, encoding="utf-8")
    cache.prune()


def _measure(
    cache: EmbeddingCache, method: RetrievalMethod, queries: LabelledImages, index: LabelledImages
) -> MeasuredMethod:
    """Returns the metrics of every query and its nearest index images."""
    logger.info("benchmark: %s: %d queries, %d index images", method.name, len(queries), len(index))
    embeddings = method.embeddings(cache, queries, index)
    evaluation = evaluate(
        embeddings.queries,
        queries.labels,
        embeddings.index,
        index.labels,
        level_names=[level.name for level in queries.levels],
    )
    nearest = top_k(embeddings.queries, embeddings.index, min(RETRIEVED, len(index)))
    h_ap = evaluation.per_query["h_ap"]
    logger.info("benchmark: %s: H-AP %.4f", method.name, float(h_ap.nanmean()))
    return MeasuredMethod(
        method=method,
        per_query={key: each.numpy() for key, each in evaluation.per_query.items()},
        retrieval=Retrieval(
            h_ap=h_ap.tolist(),
            nearest=nearest.indices,
            similarity=nearest.values[:, 0].tolist(),
        ),
        embedding_dim=embeddings.queries.shape[1],
        images_per_s=(
            round((len(queries) + len(index)) / embeddings.seconds, 1)
            if embeddings.seconds
            else None
        ),
    )


def _metadata(workspace: Workspace, config: BenchmarkConfig) -> dict[str, Json]:
    digests: dict[str, Json] = {
        split: workspace.finished(ANNOTATIONS[split]).outputs[ANNOTATIONS[split].path]
        for split in ("test", "index")
    }
    return {
        **describe_environment(_PACKAGES),
        "device": str(choose_device(config.device)),
        "precision": config.precision,
        "annotation_digests": digests,
    }


def _counts(
    workspace: Workspace, queries: LabelledImages, index: LabelledImages
) -> RetrievalCounts:
    left_out: dict[str, int] = {}
    excluded = workspace.read(EXCLUDED, ["split", "landmark_id"])
    for images in (queries, index):
        finest, above, *_ = images.levels
        without = excluded.filter(pc.equal(excluded["split"], images.split))["landmark_id"]
        rows = workspace.read(ANNOTATIONS[images.split], [level.column for level in images.levels])
        usable = len(rows.drop_null())
        name = f"{images.split} images"
        left_out[f"{name} without a {finest.title}"] = without.null_count
        left_out[f"{name} whose {finest.title} has no {above.title}"] = (
            len(without) - without.null_count + len(rows) - usable
        )
        # It is measured by what classes say alone.
        if filled := len(workspace.read(FILLED[images.split], ["image_id"])):
            left_out[f"{name} whose {above.title} no class of the {finest.title} gives"] = filled
        if images.bad:
            left_out[f"{name} that cannot be decoded"] = images.bad
        left_out[f"{name} without a file"] = usable - len(images) - images.bad
    query_labels, index_labels = (
        [set(level.tolist()) for level in images.labels.T] for images in (queries, index)
    )
    return RetrievalCounts(
        queries=len(queries),
        query_landmarks=len(query_labels[0]),
        index_images=len(index),
        index_landmarks=len(index_labels[0]),
        supercategories=len(query_labels[1] | index_labels[1]),
        left_out=left_out,
    )


def _pictures(results: Results, queries: LabelledImages, index: LabelledImages) -> dict[str, str]:
    shown = shown_images(results)
    return {
        image_id: picture_uri(images.picture(number))
        for images in (queries, index)
        for number, image_id in enumerate(images.image_ids.to_pylist())
        if image_id in shown
    }
