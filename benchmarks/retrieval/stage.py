"""The retrieval benchmark: runs, their backbones before training, and others, on one protocol.

Of a build, queries are the test images and the index is the index images that have a landmark, a
super-category and a file; where only embeddings are measured, no file is asked for. Or a data set
by its own rule. What is measured, how it is summed up and what is written is the same.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from hgld.benchmarks.datasets.opened import read_data_set
from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.environment import Json, describe_environment
from hgld.benchmarks.retrieval.config import (
    BenchmarkConfig,
    benchmark_stage,
    embeddings_folder,
    result_files,
)
from hgld.benchmarks.retrieval.embedding_files import embeddings_digest
from hgld.benchmarks.retrieval.examples import Retrieval, make_examples
from hgld.benchmarks.retrieval.figures import MeasuredMethod, by_method, rows_of
from hgld.benchmarks.retrieval.methods import RetrievalMethod, load_methods, require_runs
from hgld.benchmarks.retrieval.protocol import Protocol, protocol_of_build, protocol_of_data_set
from hgld.benchmarks.retrieval.report import render_report, to_latex
from hgld.benchmarks.retrieval.results import Results, to_csv, to_setting
from hgld.demo import is_demo
from hgld.engine.config import row_settings
from hgld.engine.dataset import rows_digest
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS
from hgld.training.config import TrainConfig
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.embed import choose_device
from hgld.training.run.loop import run_train

logger = logging.getLogger(__name__)


def run_benchmark(
    workspace: Workspace, config: BenchmarkConfig, data: RetrievalData | None = None
) -> StageReport:
    """Compares trained runs with their backbones before training, and with others' embeddings.

    Writes `results.csv` and `setting.json` (`read_results`), `results.tex` and `report.html` into
    `config.folder`, and, block by block so that a stopped benchmark goes on where it was, the
    embeddings of pictures into `embeddings_folder`.

    Args:
        workspace: a build with annotations and, where runs are measured, images and these. On a
            data set: where the runs lie, and results go.
        config: the settings.
        data: what to measure on, in the place of what the settings name.

    Returns:
        The stage's report.

    Raises:
        MissingInputError: a run, the annotations or the images are not there yet.
        InputError: no query or no index image, an unreadable image or model, a device that is
            not there, a data set whose files are wrong, or embeddings that are not of these
            images (`read_embeddings`).
        DamagedError: an image is gone, or is not what was recorded.
        FetchError: the weights of a backbone before training cannot be fetched.
    """
    require_runs(workspace, config.runs)
    settings, data = _what_is_given(config, data)
    stage = benchmark_stage(config)
    stage = stage if data is None else replace(stage, inputs=())
    done = workspace.manifest(stage.name)
    before = [done.settings.get(name) for name in ("runs", "embeddings")] if done else []
    if done and before != [list(config.runs), list(config.embeddings)]:
        logger.warning(
            "%s has the comparison of %s, which this one replaces; --name NAME would keep both",
            *(workspace.path(stage.result), before),
        )
    return run_stage(workspace, stage, settings, lambda writer: _produce(writer, config, data))


def run_methods(
    workspace: Workspace,
    config: BenchmarkConfig,
    runs: Sequence[TrainConfig],
    data: RetrievalData | None = None,
) -> list[StageReport]:
    """Trains the runs that are not there yet, one after the other, and compares them.

    Stopped anywhere, it goes on there. A run that is done is not trained again, even where the
    comparison is to be made again: `hgld train --force` does that.

    Args:
        workspace: a build with annotations and images.
        config: the settings; its `runs` name these and any that are there beside them.
        runs: the settings of each run.
        data: see `run_benchmark`.

    Returns:
        The report of each run's training, and that of the benchmark.

    Raises:
        HgldError: what `run_train` and `run_benchmark` raise; what the latter would refuse of
            embeddings that are missing, and of a data set, before anything is trained.
    """
    _, data = _what_is_given(config, data)
    reports = []
    for number, run in enumerate(runs, start=1):
        logger.info("benchmark: run %d of %d: %s", number, len(runs), run.name)
        reports.append(run_train(Workspace(workspace.root), run))
    return [*reports, run_benchmark(workspace, config, data)]


def _what_is_given(
    config: BenchmarkConfig, data: RetrievalData | None = None
) -> tuple[dict[str, object], RetrievalData | None]:
    """Returns the settings with digests of the files that they name, and the data set if any."""
    files = [path for one in config.rivals for path in (one.query, one.index)]
    settings = {**row_settings(config), "embedding_digests": list(map(embeddings_digest, files))}
    if data is None and config.data_set is not None and config.data is not None:
        data = read_data_set(config.data_set, config.data)
    if data is not None:
        settings |= {"data_digests": _digests(data), "truths": repr((data.truths, data.boxes))}
    return settings, data


def _produce(writer: StageWriter, config: BenchmarkConfig, data: RetrievalData | None) -> None:
    workspace = writer.workspace
    has_runs = bool(config.runs)
    if data is None:
        protocol = protocol_of_build(workspace, with_pictures=has_runs)
    else:
        protocol = protocol_of_data_set(data, with_pictures=has_runs)
    methods = load_methods(workspace, config)
    cache = EmbeddingCache(
        folder=workspace.path(embeddings_folder(config)),
        precision=config.precision,
        batch_size=config.batch_size,
        workers=config.workers,
        device=config.device,
    )
    measured = {method.name: _measure(cache, method, protocol) for method in methods}
    compared = by_method(workspace, measured)
    counts, left_out = protocol.counts()
    results = Results(
        metadata=_metadata(workspace, config, protocol),
        data_set=data.name if data else "",
        is_drawn=is_demo(workspace if data is None else Workspace(data.folder)),
        is_one_set=protocol.is_one_set,
        recall_at=protocol.recall_at,
        levels=protocol.queries.levels,
        counts=counts,
        left_out=left_out,
        methods=tuple(one.method for one in compared),
        rows=tuple(rows_of(protocol, compared)),
    )
    # Only embeddings are measured without a picture being there.
    examples = make_examples(protocol, [(one.method, one.first.retrieval) for one in compared])
    pictures = examples.pictures(protocol) if has_runs and config.pictures else None
    report = render_report(results, examples, pictures)
    texts = (to_csv(results), to_setting(results), to_latex(results), report)
    for relative, text in zip(result_files(config.folder), texts, strict=True):
        with writer.file(relative) as path:
            path.write_text(text, encoding="utf-8")
    if not config.name:  # others of the same folder may be measured again under a name
        cache.prune()


def _measure(cache: EmbeddingCache, method: RetrievalMethod, protocol: Protocol) -> MeasuredMethod:
    """Returns the metrics of every query and its nearest index images."""
    queries, index, leading = protocol.queries, protocol.index, protocol.metrics[0]
    logger.info("benchmark: %s: %d queries, %d index images", method.name, len(queries), len(index))
    embeddings = method.embeddings(cache, protocol)
    evaluation = protocol.evaluate(embeddings.queries, embeddings.index)
    nearest = protocol.nearest(embeddings.queries, embeddings.index)
    ranks = protocol.first(nearest.indices)
    scores = evaluation.per_query[leading.key]
    logger.info("benchmark: %s: %s %.4f", method.name, leading.name, float(scores.nanmean()))
    every = range(len(ranks))
    return MeasuredMethod(
        method=method,
        per_query={key: each.numpy() for key, each in evaluation.per_query.items()},
        retrieval=Retrieval(
            scores=scores.tolist(),
            nearest=nearest.indices,
            first=nearest.indices[every, ranks],
            similarity=nearest.values[every, ranks].tolist(),
        ),
        embedding_dim=embeddings.queries.shape[1],
        images_per_s=embeddings.images_per_s,
    )


def _metadata(workspace: Workspace, config: BenchmarkConfig, protocol: Protocol) -> dict[str, Json]:
    digests: dict[str, Json]
    if protocol.data is None:
        tables = {split: ANNOTATIONS[split] for split in ("test", "index")}
        outputs = {split: workspace.finished(one).outputs for split, one in tables.items()}
        digests = {split: outputs[split][one.path] for split, one in tables.items()}
    else:
        digests = dict(zip(("queries", "index"), _digests(protocol.data), strict=True))
    return {
        **describe_environment(("torch", "torchvision", "timm", "pillow", "pyarrow")),
        "device": str(choose_device(config.device)),
        "precision": config.precision,
        "annotation_digests": digests,
    }


def _digests(data: RetrievalData) -> list[str]:
    """Returns digests of the tables of queries and of the index."""
    return [rows_digest(table) for table in (data.queries, data.index)]
