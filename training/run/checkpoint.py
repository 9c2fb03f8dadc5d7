"""What a run keeps on disk as it goes, so that it can be stopped at any moment and go on."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hgld.engine.files import append_bytes, atomic_file, write_text, writing
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.model.sealed import check_sealed, load_sealed, save_sealed

logger = logging.getLogger(__name__)

_DAMAGED = "-damaged"
"""Ends the name of a checkpoint that was set aside."""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The folder of a run: two checkpoints while it is under way, and its log."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """All that the next step depends on, as of some step."""
        return self.folder / "checkpoint.pt"

    @property
    def earlier_checkpoint(self) -> Path:
        """The one before it, for when that one is damaged."""
        return self.folder / "checkpoint-before.pt"

    @property
    def best(self) -> Path:
        """The weights of the best step so far, where these are kept."""
        return self.folder / "best.pt"

    @property
    def metrics(self) -> Path:
        """The log: one JSON object a line, each with its `step`."""
        return self.folder / "metrics.jsonl"

    def save(self, fingerprint: str, content: Mapping[str, object]) -> None:
        """Writes the checkpoint, atomically, and keeps the one there was as the earlier one.

        Args:
            fingerprint: of the run; another run does not go on from here.
            content: `step` (steps done) and what else `resume` is to return: tensors, numbers,
                texts, and lists and dicts of them.

        Raises:
            InputError: there is no room, or the file system refuses; both that were there stay.
        """
        with writing(self.checkpoint), atomic_file(self.checkpoint) as temporary:
            save_sealed({"fingerprint": fingerprint, **content}, temporary)
            if self.checkpoint.exists():
                self.checkpoint.replace(self.earlier_checkpoint)

    def resume(
        self, fingerprint: str, restore: Callable[[dict[str, object]], None], *, finished: str = ""
    ) -> None:
        """Goes on from the newest checkpoint of the run that is sound, and cuts the log to it.

        What another run left is set aside under names with its fingerprint, and taken up again
        when that run is. A checkpoint that is damaged or does not fit is set aside too, and the one
        before it taken, or none.

        Args:
            fingerprint: of the run.
            restore: takes over the content of a checkpoint; a ValueError refuses it.
            finished: fingerprint of the run that has ended here before, if one has: its log is kept
                like one of another run.

        Raises:
            InputError: the file system refuses.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            is_new = not any(path.exists() for path in self._checkpoints())
            step = self._restored_step(fingerprint, restore)
            if is_new and finished and finished != fingerprint:
                self._set_aside(finished)
            if not step and self._take_up(fingerprint):
                step = self._restored_step(fingerprint, restore)
            self._cut_log(step)

    def log(self, line: Mapping[str, object]) -> None:
        """Appends a line to the log.

        Raises:
            InputError: there is no room, or the file system refuses.
        """
        with writing(self.metrics):
            append_bytes(self.metrics, (json.dumps(dict(line)) + "\n").encode())

    def newest(self) -> tuple[dict[str, object], bytes] | None:
        """Returns the newest checkpoint that is sound, and the log until its step; touches nothing.

        Returns:
            What `save` was given and the lines, or None where there is no sound checkpoint.
        """
        for path in self._checkpoints():
            try:
                content = load_sealed(path)
                _, step = _owner_and_step(path, content)
                lines = self.metrics.read_bytes().splitlines(keepends=True)
            except (DamagedError, InputError, OSError) as error:
                logger.warning("%s cannot be taken: %s", path, error)
            else:
                return content, "".join(_text_until(step, line) for line in lines).encode()
        return None

    def end(self) -> None:
        """Removes the checkpoints of a run that has ended."""
        for path in (*self._checkpoints(), self.best):
            path.unlink(missing_ok=True)

    def _checkpoints(self) -> tuple[Path, Path]:
        return self.checkpoint, self.earlier_checkpoint

    def _restored_step(self, fingerprint: str, restore: Callable[[dict[str, object]], None]) -> int:
        """Restores the newest checkpoint that can be; returns its step, or 0 where none can."""
        for path in self._checkpoints():
            if not path.exists():
                continue
            try:
                content = load_sealed(path)
                owner, step = _owner_and_step(path, content)
                if owner != fingerprint:
                    self._set_aside(owner)
                    return 0
                restore(content)
            except (DamagedError, InputError) as error:
                self._give_up(path, str(error))
            except ValueError as error:
                self._give_up(path, f"{path} does not fit this run: {error}")
            else:
                return step
        return 0

    def _give_up(self, path: Path, why: str) -> None:
        aside = path.with_name(f"{path.stem}{_DAMAGED}{path.suffix}")
        path.replace(aside)
        is_last = not self.earlier_checkpoint.exists()
        start = "the start" if is_last else "the checkpoint before it"
        logger.warning("%s; kept as %s, and training goes on from %s", why, aside.name, start)

    def _set_aside(self, owner: str) -> None:
        for path in (*self._checkpoints(), self.metrics):
            if path.exists():
                path.replace(_aside(path, owner))
                logger.warning(
                    "%s is of other settings or images; kept as %s", path, _aside(path, owner).name
                )

    def _take_up(self, owner: str) -> bool:
        """Puts back what was set aside of a run; says whether there was anything."""
        found = [
            path for path in (*self._checkpoints(), self.metrics) if _aside(path, owner).exists()
        ]
        for path in found:
            _aside(path, owner).replace(path)
            logger.info("%s is of these settings and images; taken up", _aside(path, owner))
        return bool(found)

    def _cut_log(self, step: int) -> None:
        """Drops what was logged after the checkpoint, which is about to be logged again."""
        if self.metrics.exists():
            lines = self.metrics.read_bytes().splitlines(keepends=True)
            write_text(self.metrics, "".join(_text_until(step, line) for line in lines))


def _owner_and_step(path: Path, content: object) -> tuple[str, int]:
    """Returns the fingerprint of a checkpoint's run and its step.

    Raises:
        InputError: it has none.
    """
    match content:
        case {"fingerprint": str(owner), "step": int(step)} if re.fullmatch(r"\w+", owner):
            return owner, step
    raise InputError(f"{path} is no checkpoint")


def _aside(path: Path, owner: str) -> Path:
    """Returns where a file of another run is kept."""
    return path.with_name(f"{path.stem}-{owner[:12]}{path.suffix}")


def _text_until(step: int, line: bytes) -> str:
    """Returns a line of the log, or nothing where it is of a later step.

    A line that a kill cut short, or that was damaged since, is dropped too.
    """
    try:
        values = json.loads(line)
        is_kept = line.endswith(b"\n") and values["step"] <= step
        return line.decode() if is_kept else ""
    except (ValueError, TypeError, LookupError):
        return ""


def checkpoint_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the checkpoints of a build's runs that are not as they were written.

    One that was set aside as damaged is none any more.
    """
    paths = sorted(workspace.path("runs").glob("*/checkpoint*.pt"))
    return _damages(workspace, (path for path in paths if _DAMAGED not in path.stem))


def best_weights_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the best weights so far of a build's runs that are not as they were written.

    A run whose best weights are gone or damaged ends with an error, unless a later step is better.
    """
    for path, what in _damages(workspace, sorted(workspace.path("runs").glob("*/best.pt"))):
        folder = workspace.path(path).parent
        yield Damage(path, f"{what}; {start_again(folder)}, unless a later step becomes the best")


def start_again(folder: Path) -> str:
    """Returns what is to be done where a run cannot end with its best weights."""
    return f"delete {folder} and rerun, which trains it again"


def _damages(workspace: Workspace, paths: Iterable[Path]) -> Iterator[Damage]:
    for path in paths:
        try:
            check_sealed(path)
        except DamagedError as error:
            what = str(error).removeprefix(f"{path} ")
            yield Damage(path.relative_to(workspace.root).as_posix(), what)
