"""What a run keeps on disk as it goes, so that it can be stopped at any moment and go on."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hgld.engine.files import append_bytes, atomic_file, write_text, writing
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.model.sealed import check_sealed, load_sealed, save_sealed


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The folder of a run: a checkpoint while it is under way, and its log."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """All that the next step depends on, as of some step."""
        return self.folder / "checkpoint.pt"

    @property
    def best(self) -> Path:
        """The weights of the best step so far, where these are kept."""
        return self.folder / "best.pt"

    @property
    def metrics(self) -> Path:
        """The log: one JSON object a line, each with its `step`."""
        return self.folder / "metrics.jsonl"

    def save(self, path: Path, content: Mapping[str, object]) -> None:
        """Writes the checkpoint or the best weights, whole or not at all.

        Args:
            path: `checkpoint` or `best`.
            content: tensors, numbers, texts, and lists and dicts of them; `step` (steps done), and
                in a checkpoint `fingerprint` (of the run; another run does not go on from here).

        Raises:
            InputError: there is no room, or the file system refuses; what was there stays.
        """
        with writing(path), atomic_file(path) as temporary:
            save_sealed(dict(content), temporary)

    def load(self, path: Path) -> dict[str, Any]:
        """Returns what `save` wrote.

        Raises:
            DamagedError: it is gone, or does not have the bytes it was written with.
        """
        try:
            return dict(load_sealed(path))
        except (DamagedError, InputError, OSError) as error:
            raise DamagedError(f"{error}; {_start_again(self.folder)}") from error

    def resume(self, fingerprint: str) -> dict[str, Any] | None:
        """Returns the content of the run's checkpoint, and cuts the log to it.

        Args:
            fingerprint: of the run.

        Returns:
            None where there is no checkpoint: the run starts, with an empty log.

        Raises:
            InputError: the checkpoint is of another run, or the file system refuses.
            DamagedError: it does not have the bytes it was written with.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.checkpoint.exists():
                self.metrics.unlink(missing_ok=True)
                return None
        content = self.load(self.checkpoint)
        step = content["step"]
        if content["fingerprint"] != fingerprint:
            raise InputError(
                f"{self.checkpoint} is of other settings or images, stopped after step {step}: go "
                f"on with those, give this run another name, or {_start_again(self.folder)}"
            )
        if self.metrics.exists():
            lines = self.metrics.read_bytes().splitlines(keepends=True)
            with writing(self.metrics):
                write_text(self.metrics, "".join(_text_until(step, line) for line in lines))
        return content

    def log(self, line: Mapping[str, object]) -> None:
        """Appends a line to the log.

        Raises:
            InputError: there is no room, or the file system refuses.
        """
        with writing(self.metrics):
            append_bytes(self.metrics, (json.dumps(dict(line)) + "\n").encode())

    def end(self) -> None:
        """Removes the checkpoint of a run that has ended."""
        for path in (self.checkpoint, self.best):
            path.unlink(missing_ok=True)


def _text_until(step: int, line: bytes) -> str:
    """Returns a line of the log, or nothing where it is of a later step.

    A line that a kill cut short, or that was damaged since, is dropped too.
    """
    try:
        is_kept = line.endswith(b"\n") and json.loads(line)["step"] <= step
        return line.decode() if is_kept else ""
    except (ValueError, TypeError, LookupError):
        return ""


def checkpoint_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the checkpoints and best weights of a build's runs that are not as they were written.

    Their run does not go on, and says so.
    """
    for path in sorted(workspace.path("runs").glob("*/*.pt")):
        try:
            check_sealed(path)
        except DamagedError as error:
            what = str(error).removeprefix(f"{path} ")
            yield Damage(
                path.relative_to(workspace.root).as_posix(), f"{what}; {_start_again(path.parent)}"
            )


def _start_again(folder: Path) -> str:
    return f"delete {folder} and rerun, which trains it again"
