"""The numbers of a run's log as TensorBoard reads them, the same after every resume."""

import math
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from hgld.engine.files import writing
from hgld.errors import InputError, how_to_install
from hgld.training.watching.lines import LogLine

EVENTS = "tensorboard"
"""Name of the folder in that of the run."""
_FILES = "events.out.tfevents.*"
_SEPARATE = frozenset({"step", "validation"})


class TensorBoardLog:
    """Event files of a run: a scalar for each number of each line of the log.

    What the files hold follows from the log alone. A run that was stopped logs the steps since its
    checkpoint once more, so on every start the lines that stand are written to a new file, which
    tells TensorBoard to drop what it has read of any step (its session log starts at step 0); of
    the files before it the newest stays. Each line is given to the system at once: a kill takes
    none. There is no thread, as in torch's SummaryWriter: a full disk would end that one and not
    the run, and processes that read images are forked from this one.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as run:
        ...     with TensorBoardLog(Path(run), []) as log:
        ...         log.add({"step": 50, "loss": 0.7})
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
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise InputError(
                f"tensorboard = true needs the package tensorboard: {how_to_install('tensorboard')}"
            ) from error
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._folder = folder / EVENTS
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            before = sorted(self._folder.glob(_FILES))
            self._file = (self._folder / _file_name(before)).open("wb", buffering=0)
            self._records = RecordWriter(self._file)
            try:
                start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                for head in ({"file_version": "brain.Event:2"}, {"session_log": start}):
                    self._write(self._event(wall_time=time.time(), step=0, **head))
                for line in lines:
                    self._write_line(line)
            except OSError:
                self._file.close()
                raise
            # Not the newest, which a TensorBoard may be reading: it never leaves one that is gone.
            for path in before[:-1]:
                path.unlink(missing_ok=True)

    def add(self, line: LogLine) -> None:
        """Writes the numbers of a line of the log; those of a validation under `validation/`.

        One that is undefined is NaN; what is no number is left out.

        Raises:
            InputError: there is no room, or the file system refuses.
        """
        with writing(self._folder):
            self._write_line(line)

    def close(self) -> None:
        """Ends the writing; may be called twice."""
        self._file.close()

    def __enter__(self) -> "TensorBoardLog":
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the writing."""
        self.close()

    def _write_line(self, line: LogLine) -> None:
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in _scalars(line)]
        summary = self._summary(value=values)
        self._write(self._event(wall_time=time.time(), step=line["step"], summary=summary))

    def _write(self, event: object) -> None:
        self._records.write(event.SerializeToString())  # type: ignore[attr-defined]


def _file_name(before: Sequence[Path]) -> str:
    """Returns a name that sorts behind those there are, which is the order of TensorBoard."""
    seconds = [int(path.name.split(".")[3]) for path in before if path.name.split(".")[3].isdigit()]
    second = max([int(time.time()), *(one + 1 for one in seconds)])
    return f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{os.getpid()}.0"


def _scalars(line: LogLine) -> Iterator[tuple[str, float]]:
    """Yields the tags and values of a line: `train/loss`, `validation/h_ap`."""
    validation = line.get("validation")
    place, numbers = "train", line
    if isinstance(validation, Mapping):
        place, numbers = "validation", validation
    for key, value in numbers.items():
        if value is None:
            yield f"{place}/{key}", math.nan
        elif (
            key not in _SEPARATE and isinstance(value, int | float) and not isinstance(value, bool)
        ):
            yield f"{place}/{key}", float(value)
