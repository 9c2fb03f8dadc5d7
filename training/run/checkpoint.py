"""What a run keeps on disk as it goes, so that it can be stopped at any moment and go on."""

import contextlib
import json
import logging
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from hgld.engine.files import atomic_file, write_text
from hgld.errors import InputError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The folder of a run: a checkpoint while it is under way, and its log."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """All that the next step depends on, as of some step."""
        return self.folder / "checkpoint.pt"

    @property
    def metrics(self) -> Path:
        """The log: one JSON object a line, each with its `step`."""
        return self.folder / "metrics.jsonl"

    def save(self, fingerprint: str, content: Mapping[str, object]) -> None:
        """Writes the checkpoint, atomically.

        Args:
            fingerprint: of the run; another run does not go on from here.
            content: `step` (steps done) and what else `resume` is to return: tensors, numbers,
                texts, and lists and dicts of them.
        """
        with atomic_file(self.checkpoint) as temporary, temporary.open("wb") as file:
            torch.save({"fingerprint": fingerprint, **content}, file)

    def resume(self, fingerprint: str) -> dict[str, Any] | None:
        """Returns the content of the run's checkpoint, and cuts the log back to its step.

        A checkpoint of another run is set aside under a name with its fingerprint, and its log
        with it.

        Args:
            fingerprint: of the run.

        Returns:
            The content, or None where the run starts from nothing.

        Raises:
            InputError: there is a checkpoint and it cannot be read.
        """
        content = self._read() if self.checkpoint.exists() else None
        if content is not None and content["fingerprint"] != fingerprint:
            self._set_aside(content["fingerprint"][:12])
            content = None
        self._cut_log(content["step"] if content else 0)
        return content

    def log(self, line: Mapping[str, object]) -> None:
        """Appends a line to the log."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(line)) + "\n")

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = torch.load(
                self.checkpoint, map_location="cpu", weights_only=True
            )
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"cannot read checkpoint {self.checkpoint}; remove it to train from the start"
            ) from error
        return content

    def _set_aside(self, mark: str) -> None:
        for path in (self.checkpoint, self.metrics):
            if path.exists():
                aside = path.with_name(f"{path.stem}-{mark}{path.suffix}")
                path.replace(aside)
                logger.warning("%s is of other settings or images; kept as %s", path, aside.name)

    def _cut_log(self, step: int) -> None:
        """Drops what was logged after the checkpoint, which is about to be logged again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.metrics.exists():
            lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self.metrics, "".join(line for line in lines if _is_until(step, line)))


@contextlib.contextmanager
def held_interrupts() -> Iterator[Callable[[], bool]]:
    """Holds Ctrl-C back, so that no step is cut in half; a second Ctrl-C is not held.

    Outside the main thread, where no handler can be set, nothing is held.

    Yields:
        A function that says whether there was one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received = threading.Event()

    def hold(_signal: int, _frame: FrameType | None) -> None:
        received.set()
        signal.signal(signal.SIGINT, before)
        logger.warning("stopping after this step; Ctrl-C again stops at once and loses more")

    before = signal.signal(signal.SIGINT, hold) or signal.SIG_DFL
    try:
        yield received.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _is_until(step: int, line: str) -> bool:
    """Says whether a line of the log is whole and of that step or an earlier one."""
    try:
        return bool(json.loads(line)["step"] <= step)
    except json.JSONDecodeError:  # the line that a kill cut short
        return False
