"""Stage `benchmark`: runs, the same untrained, backbones, and others, on one protocol.

Of a build, queries are the test images and the index is the index images that have a landmark, a
super-category and a file; where only embeddings are measured, no file is asked for. Or a data set
by its own rule. `figures` measures and writes; light to import, as a report that is up to date
needs no torch.
"""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from hgld.benchmarks.datasets.retrieval_data import RetrievalData, read_data_set
from hgld.benchmarks.retrieval.config import (
    TRAIT_TABLES,
    BenchmarkConfig,
    benchmark_stage,
    knows_landmarks,
)
from hgld.benchmarks.retrieval.runs import require_runs, take_vectors
from hgld.engine.config import row_settings
from hgld.engine.dataset import rows_digest
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.tables import LANDMARK_LABELS
from hgld.training.config import TrainConfig
from hgld.training.index.embedding_files import embeddings_digest
from hgld.training.run.stage import run_train

logger = logging.getLogger(__name__)


def run_benchmark(
    workspace: Workspace, config: BenchmarkConfig, data: RetrievalData | None = None
) -> StageReport:
    """Compares trained runs with themselves untrained, their backbones, and others' embeddings.

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
        FetchError: the weights of a backbone cannot be fetched.
    """
    require_runs(workspace, config.runs)
    settings, data = _what_is_given(config, data)
    stage = benchmark_stage(config)
    # A run on vectors embeds no pictures, and embeddings need none.
    has_pictures = len(take_vectors(workspace, config.runs)) < len(config.runs)
    if not has_pictures:
        stage = replace(stage, inputs=benchmark_stage(replace(config, runs=())).inputs)
    if data is not None:
        stage = replace(stage, inputs=(LANDMARK_LABELS,) if data.truths else ())
    if not knows_landmarks(workspace):
        known = tuple(one for one in stage.inputs if one not in TRAIT_TABLES)
        stage = replace(stage, inputs=known)
    done = workspace.manifest(stage.name)
    names = ("runs", "embeddings")
    before = [cast("list[str]", done.settings.get(name, [])) for name in names] if done else []
    if done and before != [list(config.runs), list(config.embeddings)]:
        logger.warning(
            "%s has the comparison of %s, which this one replaces; --name NAME would keep both",
            workspace.path(stage.result),
            ", ".join(itertools.chain(*before)),
        )

    def produce(writer: StageWriter) -> None:
        from hgld.benchmarks.retrieval.figures import write_results

        write_results(writer, config, data, has_pictures=has_pictures)

    return run_stage(workspace, stage, settings, produce)


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
    return [*reports, *(run_benchmark(workspace, one, data) for one in config.by_hierarchy)]


def _what_is_given(
    config: BenchmarkConfig, data: RetrievalData | None = None
) -> tuple[dict[str, object], RetrievalData | None]:
    """Returns the settings with digests of the files that they name, and the data set if any."""
    files = [path for one in config.rivals for path in (one.query, one.index)]
    files += [one.path for one in (*config.rankings, *config.distractor_files)]
    if data is None and config.data_set is not None and config.data is not None:
        data = read_data_set(config.data_set, config.data)
    settings = {**row_settings(config), "embedding_digests": list(map(embeddings_digest, files))}
    if data is not None:
        digests = [rows_digest(table) for table in (data.queries, data.index)]
        settings |= {"data_digests": digests, "truths": repr((data.truths, data.boxes))}
    return settings, data
