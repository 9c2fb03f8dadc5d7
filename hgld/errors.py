"""What can go wrong outside the code: one small family, each text saying what to do.

A caller's mistake (a wrong shape, a bad setting) is a plain `ValueError` or `TypeError`; what the
world does (a file, a server, a person who has yet to decide) is one of these.
"""

import re
import shlex
import sys
from collections.abc import Sequence


class HgldError(Exception):
    """Base of every error that the command line reports as one line.

    Example:
        >>> import hgld
        >>> try:
        ...     hgld.load_model("no/such/run")
        ... except hgld.HgldError as error:
        ...     print(str(error).partition(";")[0])
        cannot read model no/such/run: No such file or directory
    """


class InputError(HgldError):
    """A file or setting that a user gave cannot be used as it is."""


class PictureError(InputError):
    """The bytes of a picture cannot be decoded; its text goes after the picture's name."""


class MissingInputError(HgldError):
    """A stage needs what an earlier stage has not written yet."""


class FetchError(HgldError):
    """A server or folder did not give what was asked for."""


class NotFoundError(FetchError):
    """A server or folder has no such file, so that asking again does not help."""


class AnswerError(FetchError):
    """A server answered, but not with what was asked; other requests to it may do better."""

    def __init__(self, message: str, *, smaller_may_do: bool = False) -> None:
        """Takes what it answered, and whether a part of the request may succeed on its own."""
        super().__init__(message)
        self.smaller_may_do = smaller_may_do


class IncompleteError(HgldError):
    """A stage ended with rows that failed and can be tried again."""


class WorkspaceBusyError(HgldError):
    """Another process is writing to the workspace."""


class DamagedError(HgldError):
    """What lies on the disk is not what was written there."""


class AwaitingReviewError(HgldError):
    """The build waits for a person's decisions."""


class ConflictError(HgldError):
    """Two persons decided differently on the same, and one of the two has to be chosen."""

    def __init__(self, message: str, conflicts: Sequence[str]) -> None:
        """Takes what to do, and a line for each conflict."""
        super().__init__(message)
        self.conflicts = tuple(conflicts)


class DivergedError(HgldError):
    """Training met a loss or a gradient that is not finite."""


class BelowGateError(HgldError):
    """What was measured is less than what was asked for."""


def how_to_install(extra: str) -> str:
    """Returns the command that installs what an extra of this project names, as it can be typed.

    It names the packages and not `hgld[extra]`, which pip would look for on an index, and the
    Python that runs, which need not be the one whose `pip` comes first in PATH.

    Args:
        extra: such as `offline`.

    Raises:
        ValueError: no extra of that name needs a package.
    """
    import importlib.metadata

    wanted = re.compile(rf"(.+?)\s*;\s*extra == ['\"]{re.escape(extra)}['\"]")
    try:
        found = map(wanted.fullmatch, importlib.metadata.requires("hgld") or ())
        packages = [match[1] for match in found if match]
    except importlib.metadata.PackageNotFoundError:  # a checkout that is run where it lies
        packages = [f".[{extra}]"]
    if not packages:
        raise ValueError(f"extra must be one of hgld's that needs a package, got {extra!r}")
    return f"`{shlex.join([sys.executable, '-m', 'pip', 'install', *packages])}`"
