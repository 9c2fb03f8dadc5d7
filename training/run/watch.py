"""What a run shows of itself as it goes: its log, its page, how it does on held-out landmarks."""

import logging
from collections.abc import Mapping
from typing import Any

from hgld.engine.config import row_settings
from hgld.errors import DamagedError, DivergedError, InputError
from hgld.training.config import TrainConfig
from hgld.training.data.labels import LabelledImages
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.state import RunState
from hgld.training.watching.health import health_of
from hgld.training.watching.held_out import hold_out_landmarks, images_at
from hgld.training.watching.lines import (
    best_validation,
    progress_note,
    read_lines,
)
from hgld.training.watching.page import write_run_page
from hgld.training.watching.retrieved import RetrievedRow, retrieved_rows
from hgld.training.watching.tensorboard import TensorBoardLog
from hgld.training.watching.validation import measure_images

logger = logging.getLogger(__name__)


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
        held_out = hold_out_landmarks(
            images.labels, images.names, share=config.validation_share, seed=config.validation_seed
        )
    except ValueError as error:
        raise InputError(f"[train] {error}") from error
    return images_at(images, held_out.train), images_at(images, held_out.validation)


class RunWatch:
    """Writes the log of a run and its page, measures it, and says what looks wrong, once."""

    def __init__(
        self, files: RunFiles, config: TrainConfig, held_out: LabelledImages | None, steps: int
    ) -> None:
        """Goes on with the log that there is.

        Args:
            files: of the run, whose log ends at the checkpoint it goes on from.
            config: of the run.
            held_out: the images to measure it on, if any.
            steps: of the whole run.
        """
        self._files, self._config, self.steps = files, config, steps
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
            found = measure_images(
                *(run.result, images, config.image_size),
                crop_pct=config.crop_pct,
                workers=config.workers,
            )
        except ValueError as error:
            raise DivergedError(
                f"training diverged at step {run.step}: {error}; lower learning_rate (now "
                f"{config.learning_rate:g}), and rerun"
            ) from error
        epoch = max(0, run.step - 1) * config.epochs // self.steps
        self._add({"step": run.step, "epoch": epoch, "validation": found.line()})
        self._rows = retrieved_rows(found, images)
        best = best_validation(self._lines)
        if config.keep == "best" and best is not None and best.step == run.step:
            content = {"step": run.step, "model": run.result.state_dict()}
            self._files.save(self._files.best, content)

    def kept(self, run: RunState) -> EmbeddingModel:
        """Returns the model that the run is to leave: of the best step or of the last one.

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
        """Ends what is written for TensorBoard."""
        if self._events is not None:
            self._events.close()

    def _add(self, line: Mapping[str, Any]) -> None:
        self._files.log(line)
        self._lines.append(dict(line))
        if self._events is not None:
            self._events.add(line)
