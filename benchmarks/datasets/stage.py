"""Runs, their backbones before training, and embeddings of others, measured on a data set.

Every query is compared with the whole index by cosine similarity, by the rule of the data set: it
searches an index of other images or, where queries and index are one set, all others of it.
"""

import logging

from torch import Tensor

from hgld.benchmarks.datasets.opened import data_set_stage, read_data_set, results_file
from hgld.benchmarks.datasets.pictures import labelled_images, query_crops
from hgld.benchmarks.datasets.results import (
    DataSetMethod,
    DataSetResults,
    data_set_json,
)
from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.embedding_files import embeddings_digest
from hgld.benchmarks.retrieval.methods import (
    ModelEmbeddings,
    RetrievalMethod,
    describe,
    load_methods,
    require_runs,
)
from hgld.benchmarks.retrieval.statistics.summary import measures_of
from hgld.engine.config import row_settings
from hgld.engine.dataset import rows_digest
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.metrics import Evaluation, EvaluationSettings, evaluate, evaluate_revisited
from hgld.training.data.labels import LabelledImages
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.devices import choose_device
from hgld.training.model.embed import embed_images

logger = logging.getLogger(__name__)

_PACKAGES = ("torch", "torchvision", "timm", "pillow", "pyarrow")


def run_on_data_set(workspace: Workspace, config: BenchmarkConfig) -> StageReport:
    """Measures trained runs, and others' embeddings, on a data set.

    Writes `benchmarks/<data set>/results.json` (`read_data_set_results`) and, where runs are
    measured, `benchmarks/<data set>/embeddings/` block by block, so that who was stopped goes on.

    Args:
        workspace: where the runs lie, and results go; nothing else of a build is needed.
        config: the settings, which name a data set and its folder.

    Returns:
        The stage's report.

    Raises:
        ValueError: they name none.
        MissingInputError: a run is not there yet.
        InputError: a file of the data set cannot be read or contradicts another, pictures that a
            run needs are missing, or embeddings are not of these images (`read_embeddings`).
        DamagedError: a model is not what its training left.
    """
    if config.data_set is None or config.data is None:
        raise ValueError("config must name a data set and its folder, got none; set both")
    require_runs(workspace, config.runs)
    data = read_data_set(config.data_set, config.data)
    settings = {
        **row_settings(config),
        "data_digests": [rows_digest(table) for table in (data.queries, data.index)],
        "truths": repr((data.truths, data.boxes)),
        "embedding_digests": [
            embeddings_digest(path) for one in config.rivals for path in (one.query, one.index)
        ],
    }
    return run_stage(
        workspace,
        data_set_stage(config.data_set, config.runs),
        settings,
        lambda writer: _produce(writer, config, data),
    )


def _produce(writer: StageWriter, config: BenchmarkConfig, data: RetrievalData) -> None:
    workspace = writer.workspace
    queries, index = labelled_images(data, with_pictures=bool(config.runs))
    cache = EmbeddingCache(
        folder=workspace.path(f"benchmarks/{data.name}/embeddings"),
        precision=config.precision,
        batch_size=config.batch_size,
        workers=config.workers,
        device=config.device,
    )
    methods = []
    for method in load_methods(workspace, config):
        logger.info(
            *("benchmark: %s: %s: %d queries, %d index images", data.name, method.name),
            *(len(queries), len(index)),
        )
        evaluation = _evaluated(
            data, _embedded(data, cache, method, queries, index), queries, index
        )
        methods.append(
            DataSetMethod(
                name=method.name,
                description=describe(method),
                measures=measures_of(
                    {key: each.numpy() for key, each in evaluation.per_query.items()}
                ),
            )
        )
    results = DataSetResults(
        data_set=data.name,
        rule="each searches all others" if data.is_one_set else "queries search the index",
        levels=data.levels,
        labels={
            level.name: len(names) for level, names in zip(data.levels, queries.names, strict=True)
        },
        recall_at=data.recall_at,
        queries=len(queries),
        index_images=len(index),
        methods=tuple(methods),
        metadata={
            **describe_environment(_PACKAGES),
            "device": str(choose_device(config.device)),
            "precision": config.precision,
        },
    )
    with writer.file(results_file(data.name)) as path:
        path.write_text(data_set_json(results), encoding="utf-8")
    cache.prune()


def _embedded(
    data: RetrievalData,
    cache: EmbeddingCache,
    method: RetrievalMethod,
    queries: LabelledImages,
    index: LabelledImages,
) -> tuple[Tensor, Tensor]:
    """Returns what a method gives queries (Q, D) and index images (N, D)."""
    if data.boxes and isinstance(method.source, ModelEmbeddings):
        model, size = method.source.model, method.source.image_size
        crops = embed_images(
            *(model, query_crops(data)),
            image_size=size,
            batch_size=cache.batch_size,
            precision=cache.precision,
            device=cache.device,
        )
        return crops, cache.embed(model, index, size).embeddings
    found = method.embeddings(cache, queries, index)
    return found.queries, found.index


def _evaluated(
    data: RetrievalData,
    embeddings: tuple[Tensor, Tensor],
    queries: LabelledImages,
    index: LabelledImages,
) -> Evaluation:
    if data.truths:
        return evaluate_revisited(*embeddings, data.truths)
    if data.is_one_set and len(queries) == 1:
        raise InputError(f"{data.name} must have two test images or more, got 1; it is cut short")
    ids = queries.image_ids.to_pylist() if data.is_one_set else None
    return evaluate(
        *(embeddings[0], queries.labels, embeddings[1], index.labels),
        query_ids=ids,
        index_ids=ids,
        level_names=[level.name for level in data.levels],
        settings=EvaluationSettings(recall_at=data.recall_at),
    )
