"""What `hgld export` writes of a run: its model for other programs, and a card of both.

The card stands here and not with the model, since it says what the benchmark measured.
"""

import logging
from collections.abc import Sequence

from hgld.annotations.release.released import RELEASE_FOLDER, RELEASES_FILE, read_releases
from hgld.benchmarks.retrieval.config import result_files
from hgld.benchmarks.retrieval.results import metrics_of, read_results
from hgld.benchmarks.retrieval.runs import read_trained_run, require_runs, take_vectors
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Manifest, Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS
from hgld.training.config import (
    ExportConfig,
    card_file,
    card_stage,
    model_files,
    onnx_file,
    onnx_stage,
    train_stage,
)
from hgld.training.model.exporting import Measured, ModelCard, export_onnx, model_card_text
from hgld.training.model.files import read_model_settings
from hgld.training.model.saved import load_model

logger = logging.getLogger(__name__)


def run_export(workspace: Workspace, config: ExportConfig) -> list[StageReport]:
    """Writes a run's model as ONNX, where that is asked for, and its card.

    Args:
        workspace: a build with the run.
        config: the settings.

    Returns:
        A report of each.

    Raises:
        MissingInputError: the run has left no model.
        DamagedError: the model, or what the card is made of, is not as it was written.
        InputError: a package is missing, the model cannot be written as ONNX, or it takes no
            pictures.
    """
    require_runs(workspace, [config.run])
    if take_vectors(workspace, [config.run]):
        raise InputError(
            f"run {config.run!r} takes vectors and no pictures, as it was trained on embeddings of "
            f"a file: model.safetensors beside it has its layer; nothing more can be exported"
        )
    reports = []
    if config.to == "onnx":
        stage = onnx_stage(config.run)
        reports.append(run_stage(workspace, stage, {}, lambda one: _write_onnx(one, config.run)))
    stage = card_stage(config.run)
    reports.append(run_stage(workspace, stage, {}, lambda one: _write_card(one, config.run)))
    return reports


def _write_onnx(writer: StageWriter, run: str) -> None:
    weights, settings = map(writer.workspace.path, model_files(run))
    model = load_model(weights)
    known = read_model_settings(settings)
    names = ("weights_sha256", "image_size", "embedding_dim")
    metadata = {f"hgld.{name}": str(known[name]) for name in names}
    of_resize = ("resize", "crop_pct", "interpolation")
    metadata |= {f"hgld.{name}": str(getattr(model.config, name)) for name in of_resize}
    metadata["hgld.antialias"] = "true"
    with writer.file(onnx_file(run)) as path:
        difference = export_onnx(model, path, metadata=metadata)
    logger.info(
        "export: embeddings of %s differ by at most %.2g from torch's", onnx_file(run), difference
    )


def _write_card(writer: StageWriter, run: str) -> None:
    workspace = writer.workspace
    model = read_model_settings(workspace.path(model_files(run)[1]))
    trained = read_trained_run(workspace, run)  # None: the model is of no training here
    training = workspace.manifest(train_stage(run).name) if trained else None
    measured, measured_on = _measured(workspace, run, str(model["weights_sha256"]))
    card = ModelCard(
        run=run,
        model=model,
        settings=trained.settings if trained else {},
        finished_at=training.finished_at if training else "",
        data=trained.inputs if trained else {},
        release=_release(workspace, training),
        hours=trained.hours if trained else None,
        measured=measured,
        measured_on=measured_on,
    )
    writer.write_text(card_file(run), model_card_text(card))


def _release(workspace: Workspace, training: Manifest | None) -> str:
    """Returns the version of the release with the labels of a training; empty: there is none."""
    path = workspace.path(f"{RELEASE_FOLDER}/{RELEASES_FILE}")
    labels = ANNOTATIONS["train"].path
    annotated = workspace.manifest(ANNOTATIONS["train"].stage)
    if training is None or annotated is None or not path.exists():
        return ""
    is_same = annotated.outputs.get(labels) == training.inputs.get(labels)
    return str(read_releases(path)[0]["version"]) if is_same else ""


def _measured(workspace: Workspace, run: str, weights: str) -> tuple[Sequence[Measured], str]:
    """Returns what the benchmark measured of a model with these weights, and on what."""
    done = workspace.manifest("benchmark")
    path = workspace.path(result_files().results)
    if done is None or done.inputs.get(model_files(run)[0]) != weights or not path.exists():
        return (), ""
    results = read_results(path.parent)
    method = next(one for one in results.methods if run in one.runs)
    own = run if len(method.runs) > 1 else ""
    rows = []
    baseline = next(one.title for one in results.methods if one.name == method.baseline)
    for metric in metrics_of(results):
        both = (
            results.row(method.baseline, metric.key),
            results.row(method.name, metric.key, run=own),
        )
        cells = [f"{metric.text(one.mean)} ± {metric.text(one.standard_error)}" for one in both]
        rows.append(Measured(f"{metric.title}, {metric.level}", *cells))
    counts = results.counts
    return rows, (
        f"{counts['queries']:,} queries of {counts['query_groups']:,} landmarks, "
        f"{counts['index_images']:,} index images, with the standard error, the queries of a "
        f"landmark taken together. The labels are those of the build that it was trained in. "
        f"Without training: {baseline[0].lower()}{baseline[1:]}."
    )
