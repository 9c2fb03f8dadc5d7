"""Errors from outside the code, such as files and servers; each message says what to do.

A caller's mistake (a wrong shape, a bad setting) is a plain `ValueError` or `TypeError`.
"""

import contextlib
import difflib
import functools
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ParamSpec

_Arguments = ParamSpec("_Arguments")


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
    """A file or setting given by the user cannot be used."""


class PictureError(InputError):
    """A picture cannot be decoded; the message is a predicate to put after its name."""


class MissingInputError(HgldError):
    """A stage needs output that an earlier stage has not written yet."""


class FetchError(HgldError):
    """A server or folder did not return what was requested."""


class NotFoundError(FetchError):
    """A server or folder has no such file, so retrying does not help."""


class AnswerError(FetchError):
    """A server gave a wrong answer; other requests to it may succeed."""

    def __init__(self, message: str, *, smaller_may_do: bool = False) -> None:
        """Takes the message, and whether a smaller part of the request may succeed."""
        super().__init__(message)
        self.smaller_may_do = smaller_may_do


class IncompleteError(HgldError):
    """A stage ended with failed rows, which can be retried."""


class WorkspaceBusyError(HgldError):
    """Another process is writing to the workspace."""


class DamagedError(HgldError):
    """A file on the disk changed after it was written."""


class AwaitingReviewError(HgldError):
    """The build waits for a person to decide."""


class ConflictError(HgldError):
    """Two people decided differently on the same class, and one decision must be chosen."""

    def __init__(self, message: str, conflicts: Sequence[str]) -> None:
        """Takes the message, and a line for each conflict."""
        super().__init__(message)
        self.conflicts = tuple(conflicts)


class DivergedError(HgldError):
    """A loss or gradient in training is not finite."""


class BelowGateError(HgldError):
    """A measured value is below the required one."""


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Returns a question that ends an error about an unknown name; empty where none is near."""
    near = difflib.get_close_matches(str(name), map(str, known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def exit_status(main: Callable[_Arguments, None]) -> Callable[_Arguments, int]:
    """Makes a program return its exit status: 1 where it fails, which it says in one line."""

    @functools.wraps(main)
    def run(*given: _Arguments.args, **named: _Arguments.kwargs) -> int:
        try:
            main(*given, **named)
        except HgldError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        return 0

    return run


@contextlib.contextmanager
def needing(
    extra: str, what: str, instead: str = "", *, kind: type[Exception] = InputError
) -> Iterator[None]:
    """Turns the error for a missing package into one that says how to install it.

    Args:
        extra: the extra that has the package; empty: unknown, and the error is not changed.
        what: what needs it, such as `hgld.losses` or a command.
        instead: text about an alternative without it.
        kind: class of the error that is raised: one of this module's, or a ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not extra:
            raise
        how = f"{what} needs the package {error.name}: {how_to_install(extra)}{instead}"
        if kind is ModuleNotFoundError:
            raise ModuleNotFoundError(how, name=error.name) from error
        raise kind(how) from error


def how_to_install(extra: str) -> str:
    """Returns the shell command that installs the packages of an extra.

    It names the packages, because pip would look for `hgld[extra]` on an index, and the running
    Python, because the first `pip` in PATH may belong to another one.

    Args:
        extra: such as `offline`.

    Raises:
        ValueError: no such extra, or it needs no package.
    """
    import importlib.metadata

    wanted = re.compile(rf"(.+?)\s*;\s*extra == ['\"]{re.escape(extra)}['\"]")
    try:
        found = map(wanted.fullmatch, importlib.metadata.requires("hgld") or ())
        packages = [match[1] for match in found if match]
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        packages = [f".[{extra}]"]
    if not packages:
        raise ValueError(f"extra must be one of hgld's that needs a package, got {extra!r}")
    return f"`{shlex.join([sys.executable, '-m', 'pip', 'install', *packages])}`"
