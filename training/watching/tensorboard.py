"""The numbers of a run's log as TensorBoard reads them, the same after every resume."""

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from hgld.engine.files import writing
from hgld.errors import InputError, how_to_install
from hgld.training.watching.lines import LogLine, training_curves, validation_curves

EVENTS = "tensorboard"
"""Name of the folder in that of the run."""
_NAME = "events.out.tfevents"


class TensorBoardLog:
    """Event files of a run: a scalar for each number of each line of the log.

    What the files hold follows from the log alone. A run that was stopped logs the steps since its
    checkpoint once more, so every start writes the lines that stand to a new file, which tells
    TensorBoard to drop what it has read (its session log starts at step 0). Each line is given to
    the system at once: a kill takes none. There is no thread, as in torch's SummaryWriter: a full
    disk would end that one and not the run, and readers of images are forked from this process.

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
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise InputError(
                f"tensorboard = true needs the package tensorboard: {how_to_install('tensorboard')}"
            ) from error
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._folder = folder / EVENTS
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            before = sorted(self._folder.glob(f"{_NAME}.*"))
            # TensorBoard reads files in the order of their names.
            place = 1 + int(before[-1].name.split(".")[3]) if before else 0
            name = f"{_NAME}.{place:010d}.{socket.gethostname()}.{os.getpid()}"
            self._file = (self._folder / name).open("wb", buffering=0)
        self._records = RecordWriter(self._file)
        try:
            with writing(self._folder):
                self._write(step=0, file_version="brain.Event:2")
                self._write(step=0, session_log=start)
            for line in lines:
                self.add(line)
        except InputError:
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
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in _scalars(line)]
        with writing(self._folder):
            self._write(step=line["step"], summary=self._summary(value=values))

    def close(self) -> None:
        """Ends the writing; may be called twice."""
        self._file.close()

    def _write(self, **content: object) -> None:
        event = self._event(wall_time=time.time(), **content)
        self._records.write(event.SerializeToString())


def _scalars(line: LogLine) -> list[tuple[str, float]]:
    """Returns the tags and values of a line: `train/loss`, `validation/h_ap`."""
    each = {"train": training_curves([line]), "validation": validation_curves([line])}
    curves = ((f"{place}/{key}", curve) for place in each for key, curve in each[place].items())
    return [(tag, curve.values[0]) for tag, curve in curves]
