"""What a run shows of itself as it goes: its log, its page, TensorBoard; and how it does."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hgld.engine.config import row_settings
from hgld.engine.files import writing
from hgld.errors import DamagedError, DivergedError, InputError, needing
from hgld.training.config import TrainConfig
from hgld.training.data.labels import LabelledImages
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.layer import VectorLayer
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.lines import (
    LogLine,
    best_validation,
    health_of,
    progress_note,
    read_lines,
    training_curves,
    validation_curves,
)
from hgld.training.run.page import RetrievedRow, retrieved_rows, write_run_page
from hgld.training.run.state import RunState
from hgld.training.run.validation import (
    hold_out_landmarks,
    images_at,
    measure_embeddings,
    measure_images,
)

logger = logging.getLogger(__name__)


class TensorBoardLog:
    """Event files of a run: a scalar for each number of each line of the log.

    What the files hold follows from the log alone. A run that was stopped logs the steps since its
    checkpoint once more, so every start writes the lines that stand to a new file, which tells
    TensorBoard to drop what it has read. Each line is given to the system at once: a kill takes
    none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as run:
        ...     log = TensorBoardLog(Path(run), [])
        ...     log.add({"step": 50, "loss": 0.7})
        ...     log.close()
        ...     len(list(Path(run).glob("tensorboard/*")))
        1
    """

    def __init__(self, folder: Path, lines: Sequence[LogLine]) -> None:
        """Writes what the log holds, and goes on from there.

        Args:
            folder: `runs/RUN`.
            lines: of the log as it is, after a resume has cut it.

        Raises:
            InputError: the package tensorboard is not installed, there is no room, or the file
                system refuses.
        """
        with needing("tensorboard", "tensorboard = true"):
            from torch.utils.tensorboard import SummaryWriter
        self._folder = folder / "tensorboard"
        with writing(self._folder):
            self._writer: Any = SummaryWriter(self._folder, purge_step=0)
        for line in lines:
            self.add(line)

    def add(self, line: LogLine) -> None:
        """Writes the numbers of a line of the log; those of a validation under `validation/`.

        One that is undefined is NaN; what is no number is left out.

        Raises:
            InputError: there is no room, or the file system refuses.
        """
        curves = {"train": training_curves([line]), "validation": validation_curves([line])}
        with writing(self._folder):
            for place, each in curves.items():
                for key, curve in each.items():
                    self._writer.add_scalar(f"{place}/{key}", curve.values[0], line["step"])
            self._writer.flush()

    def close(self) -> None:
        """Ends the writing; may be called twice."""
        self._writer.close()


def split_images(
    images: LabelledImages, config: TrainConfig
) -> tuple[LabelledImages, LabelledImages | None]:
    """Returns the images to train on, and those of the landmarks that are held out, if any.

    Raises:
        InputError: there are too few landmarks to hold some out.
    """
    if not config.validation_share:
        return images, None
    try:
        train, held_out = hold_out_landmarks(
            images.labels, images.names, share=config.validation_share
        )
    except ValueError as error:
        raise InputError(f"[train] {error}") from error
    return images_at(images, train), images_at(images, held_out)


class RunWatch:
    """Writes the log of a run and its page, measures it, and says what looks wrong, once."""

    def __init__(
        self,
        files: RunFiles,
        config: TrainConfig,
        held_out: LabelledImages | None,
        steps: int,
        embed: Callable[[nn.Module, LabelledImages], Tensor] | None = None,
    ) -> None:
        """Goes on with the log that there is.

        Args:
            files: of the run, whose log ends at the checkpoint it goes on from.
            config: of the run.
            held_out: the images to measure it on, if any.
            steps: of the whole run.
            embed: of a frozen run, embeds images with its layer; None: from their pictures.
        """
        self._files, self._config, self.steps = files, config, steps
        self._embed = embed
        self._lines = read_lines(files.metrics)
        self._events = TensorBoardLog(files.folder, self._lines) if config.tensorboard else None
        self._rows: list[RetrievedRow] = []
        self._said = set[str]()
        self._held_out = held_out

    def log(self, line: Mapping[str, Any]) -> str:
        """Writes a line of the log, and warns of what is new in it.

        Args:
            line: with its `step`.

        Returns:
            What the bar of a terminal says beside its count.
        """
        self._add(line)
        for symptom in health_of(self._lines, steps=self.steps):
            if symptom.kind not in self._said:
                self._said.add(symptom.kind)
                logger.warning("%s", symptom.sentence)
        best = best_validation(self._lines)
        return progress_note(line, best.h_ap if best else None)

    def is_due(self, step: int) -> bool:
        """Says whether the run is to be measured after so many steps, 0 before the first."""
        if self._held_out is None or any(
            line["step"] == step and "validation" in line for line in self._lines
        ):
            return False
        return step % self._config.validate_every_steps == 0 or step == self.steps

    def measure(self, run: RunState) -> None:
        """Measures the run on the landmarks held out, and keeps its weights if they are the best.

        To be followed by a checkpoint, so that the two are of one step.

        Raises:
            DivergedError: its embeddings are not finite.
        """
        images, config = self._held_out, self._config
        if images is None:
            return
        try:
            found = (
                measure_embeddings(self._embed(run.result, images), images.labels)
                if self._embed is not None
                else measure_images(run.result, images, config, workers=config.workers)
            )
        except ValueError as error:
            raise DivergedError(
                f"training diverged at step {run.step}: {error}; lower learning_rate (now "
                f"{config.learning_rate:g}), and rerun"
            ) from error
        epoch = max(0, run.step - 1) * config.epochs // self.steps
        self._add({"step": run.step, "epoch": epoch, "validation": found.line()})
        if config.embeddings is None:  # else no picture need be there
            self._rows = retrieved_rows(found, images)
        best = best_validation(self._lines)
        if config.keep == "best" and best is not None and best.step == run.step:
            content = {"step": run.step, "model": run.result.state_dict()}
            self._files.save(self._files.best, content)

    def kept(self, run: RunState) -> EmbeddingModel | VectorLayer:
        """Returns what the run is to leave: of the best step or of the last one.

        Raises:
            DamagedError: the weights of the best step are gone, or not what was written.
        """
        best = best_validation(self._lines)
        if self._config.keep == "last" or best is None:
            return run.result
        content = self._files.load(self._files.best)
        if content["step"] != best.step:  # a run on a GPU, killed between the two, went another way
            raise DamagedError(
                f"{self._files.best} must be of step {best.step}, the best, and is of step "
                f"{content['step']}; delete {self._files.folder} and rerun, which trains it again"
            )
        run.result.load_state_dict(content["model"])
        logger.info("train: the best step was %d, with H-AP %.1f", best.step, 100 * best.h_ap)
        return run.result

    def show(self, *, is_running: bool) -> None:
        """Writes the page of the run, `run.html`."""
        write_run_page(
            self._files.folder,
            settings=row_settings(self._config),
            lines=self._lines,
            retrieved=self._rows,
            steps=self.steps,
            is_running=is_running,
        )

    def close(self) -> None:
        """Writes the page once more, and ends what is written for TensorBoard."""
        self.show(is_running=False)
        if self._events is not None:
            self._events.close()

    def _add(self, line: Mapping[str, Any]) -> None:
        self._files.log(line)
        self._lines.append(dict(line))
        if self._events is not None:
            self._events.add(line)
