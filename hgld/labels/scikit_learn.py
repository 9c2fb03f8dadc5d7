"""scikit-learn as this room uses it: on one thread, and told of in the settings of a stage."""

import contextlib
import importlib.metadata
from collections.abc import Iterator

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError, how_to_install


@contextlib.contextmanager
def one_thread(who: str = "clustering") -> Iterator[None]:
    """Keeps BLAS and scikit-learn to one thread: sums stay in order, whatever the machine.

    scikit-learn's own threads also collapse where a core is busy.

    Args:
        who: needs them, for the error.

    Raises:
        MissingInputError: the extra `cluster` is not installed.
    """
    try:
        import sklearn.cluster  # noqa: F401 - its libraries must be there to be limited
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise MissingInputError(f"{who} needs {error.name}: {how_to_install('cluster')}") from error
    with threadpool_limits(1):
        yield


def library_settings(workspace: Workspace, stage: str) -> dict[str, object]:
    """Returns which scikit-learn is here, as a setting: another may give others of the same seed.

    Where there is none here, what the last run of the stage recorded counts.
    """
    try:
        return {"scikit_learn": importlib.metadata.version("scikit-learn")}
    except importlib.metadata.PackageNotFoundError:
        done = workspace.manifest(stage)
        recorded = done.settings if done else {}
        return {name: recorded[name] for name in ("scikit_learn",) if name in recorded}
