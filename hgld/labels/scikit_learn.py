"""How this room uses scikit-learn: on one thread, with its version in the stage's settings."""

import contextlib
import importlib.metadata
from collections.abc import Iterator

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError, needing


@contextlib.contextmanager
def one_thread(who: str = "clustering") -> Iterator[None]:
    """Limits BLAS and scikit-learn to one thread, so that sums have the same order everywhere.

    scikit-learn's own threads also become very slow when a core is busy.

    Args:
        who: the caller's name, for the error.

    Raises:
        MissingInputError: the extra `cluster` is not installed.
    """
    with needing("cluster", who, kind=MissingInputError):
        import sklearn.cluster  # noqa: F401 - its libraries must be there to be limited
        from threadpoolctl import threadpool_limits
    with threadpool_limits(1):
        yield


def library_settings(workspace: Workspace, stage: str) -> dict[str, object]:
    """Returns the version of scikit-learn as a setting: another version may give another result.

    If it is not installed, the version that the last run of the stage recorded counts.
    """
    try:
        return {"scikit_learn": importlib.metadata.version("scikit-learn")}
    except importlib.metadata.PackageNotFoundError:
        done = workspace.manifest(stage)
        recorded = done.settings if done else {}
        return {name: recorded[name] for name in ("scikit_learn",) if name in recorded}
