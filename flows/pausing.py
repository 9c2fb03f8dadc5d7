"""Prefect runs that wait for a review: suspended by the flow, resumed by the end of the review.

A file in the build names each one, so that `hgld review` imports Prefect only if a run waits.
"""

import logging
import uuid

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.flows.turns import RUNS_FOLDER

logger = logging.getLogger(__name__)

_WAITING = f"{RUNS_FOLDER}/waiting"


def suspend_until_reviewed(workspace: Workspace, run_id: str, why: str) -> None:
    """Ends the process of a deployed run; once resumed, it starts anew.

    Args:
        workspace: the build.
        run_id: of the run.
        why: the message of its state, which notifications show.

    Raises:
        Pause: always; Prefect's engine takes it.
    """
    from prefect import State
    from prefect.client.orchestration import get_client
    from prefect.exceptions import Pause
    from prefect.settings import PREFECT_API_URL
    from prefect.states import Suspended

    path = workspace.path(f"{_WAITING}/{run_id}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, str(PREFECT_API_URL.value()))
    # As `suspend_flow_run`, which takes no message. With the same key it would pause only once.
    state: State = Suspended(message=why, pause_key=str(uuid.uuid4()))
    with get_client(sync_client=True) as client:
        told = client.set_flow_run_state(uuid.UUID(run_id), state)
    raise Pause(state=told.state)


def resume_suspended(workspace: Workspace, *, is_settled: bool = False) -> None:
    """Resumes the runs of a build that wait for its review; logs those that it cannot.

    Args:
        workspace: the build.
        is_settled: whether the taxonomy is; otherwise the runs go on only if no class is open.
    """
    waiting = sorted(workspace.path(_WAITING).glob("*"))
    if waiting and not is_settled:
        from hgld.review.status import review_status

        if review_status(workspace).progress.clusters_open:
            return
    for path in waiting:
        import httpx
        from prefect.exceptions import NotPausedError, ObjectNotFound
        from prefect.flow_runs import resume_flow_run
        from prefect.settings import PREFECT_API_URL, temporary_settings

        try:
            with temporary_settings({PREFECT_API_URL: path.read_text(encoding="utf-8")}):
                resume_flow_run(uuid.UUID(path.name))
            logger.info("the Prefect run %s goes on", path.name)
        except (NotPausedError, ObjectNotFound):
            pass  # resumed by hand, cancelled or deleted
        except (httpx.HTTPError, RuntimeError) as error:
            logger.warning("cannot resume the Prefect run %s: %s", path.name, error)
            continue
        path.unlink(missing_ok=True)
