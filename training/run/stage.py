"""Stage `train`; light to import: a run that is up to date needs no torch."""

from typing import TYPE_CHECKING

from hgld.engine.config import row_settings
from hgld.engine.files import file_digest
from hgld.engine.stage import StageReport, StageWriter, run_stage, settle
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.index.embedding_files import embeddings_digest
from hgld.training.model.files import weights_settings

if TYPE_CHECKING:
    from hgld.training.run.state import Ranks


def run_train(
    workspace: Workspace, config: TrainConfig, ranks: "Ranks | None" = None
) -> StageReport:
    """Trains a model on the annotated training images, or goes on where a stopped run was.

    Writes `runs/<name>/model.safetensors` and `config.json` (see `hgld.load_model`) and, as it
    goes, `runs/<name>/metrics.jsonl` and a checkpoint, which goes when the run ends. What a run
    before it left stays as it is until this one has passed every check, and its model until this
    one ends.

    Args:
        workspace: a build with annotations and images.
        config: the settings; those that change the weights make another run.
        ranks: the first of several processes that train together.

    Returns:
        The stage's report.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: too few images or landmarks for the settings, an unreadable image, a
            backbone, weights or a device that cannot be had, a checkpoint of another run.
        FetchError: weights cannot be fetched.
        DamagedError: an image or a checkpoint is not what was recorded.
        DivergedError: a loss or gradient is not finite.
    """
    stage = config.stage
    done = workspace.manifest(stage.name)
    start = _start_settings(workspace, config)
    if not start and config.weights == "hub" and not weights_settings(config, done):
        # Before the fingerprint, which has their digest: else the next run would be another one.
        # And after a look at the build: where there is no network that takes a minute to tell.
        settle(workspace)
        workspace.input_digests(stage.inputs, stage.input_files)
        from hgld.training.model.backbone import pretrained_backbone

        pretrained_backbone(config.model)
    settings = {**row_settings(config), **(start or weights_settings(config, done))}

    def produce(writer: StageWriter) -> None:
        from hgld.training.run.loop import train, with_precision
        from hgld.training.run.state import Ranks

        train(writer, with_precision(workspace, config), ranks or Ranks())

    report = run_stage(workspace, stage, settings, produce)
    if not report.skipped:
        from hgld.training.run.checkpoint import RunFiles

        RunFiles(workspace.path(f"runs/{config.name}")).end()
    return report


def _start_settings(workspace: Workspace, config: TrainConfig) -> dict[str, object]:
    """Returns what a run's fingerprint says of what it starts from; {}: a backbone's weights."""
    if config.embeddings is not None:
        return {"embeddings": embeddings_digest(config.embeddings)}
    if not config.init:
        return {}
    path = workspace.path(config.init) / "model.safetensors"
    if not path.is_file():
        raise InputError(
            f"init must name a run of this build that has ended, such as runs/first, got "
            f"{config.init!r}: {path} is not there"
        )
    return {"init_digest": file_digest(path)}
