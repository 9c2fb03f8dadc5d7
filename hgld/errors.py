"""What can go wrong outside the code: one small family, each text saying what to do.

A caller's mistake (a wrong shape, a bad setting) is a plain `ValueError` or `TypeError`; what the
world does (a file, a server, a person who has yet to decide) is one of these.
"""


class HgldError(Exception):
    """Base of every error that the command line reports as one line."""


class InputError(HgldError):
    """A file or setting that a user gave cannot be used as it is."""


class MissingInputError(HgldError):
    """A stage needs what an earlier stage has not written yet."""


class FetchError(HgldError):
    """A server or folder did not give what was asked for."""


class IncompleteError(HgldError):
    """A stage ended with rows that failed and can be tried again."""


class WorkspaceBusyError(HgldError):
    """Another process is writing to the workspace."""


class AwaitingReviewError(HgldError):
    """The build waits for a person's decisions."""
