"""A Prefect server with its workers, as docs/operating.md types them, and what kills those."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from hgld.engine.stage import started_path
from hgld.engine.workspace import Workspace
from hgld.flows.build import load_step, read_sections
from tests.worlds.commands.readme import ROOT, commands, fenced
from tests.worlds.commands.typed import run

PAGE = ROOT / "docs/operating.md"
SERVER, CONFIG, POOL, DEPLOY, AUTOMATE, WORKER, FIRST_RUN = commands(fenced(PAGE, "bash")[0])
PROGRAMS = Path(sys.executable).parent
Run = dict[str, Any]


@dataclass(slots=True)
class Site:
    """A Prefect server of the test's own."""

    home: Path
    port: int
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))
    more: dict[str, str] = field(default_factory=dict)
    """What else its environment has."""
    seen: dict[str, list[Run]] = field(default_factory=dict)
    """Moment of the story to what the server said then."""

    @property
    def environment(self) -> dict[str, str]:
        """That of every command; also of runs, which the worker starts."""
        return os.environ | {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_UI_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PYTHONDONTWRITEBYTECODE": "",  # twenty starts of Python compile Prefect once
            **self.more,
        }

    def words(self, command: str) -> list[str]:
        return shlex.split(command.replace(":4200/", f":{self.port}/"))

    def typed(self, command: str) -> str:
        return run(self.words(command), ROOT, self.environment)

    @contextlib.contextmanager
    def going_on(self, command: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Has a command that does not end run beside the block, with all that it starts."""
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                self.words(command), cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def ask(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        method: str | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Sends a request; by default POST with a body, and GET without one."""
        url = f"http://127.0.0.1:{self.port}/api/{path}"
        method = method or ("GET" if body is None else "POST")
        while (answer := self.client.request(method, url, json=body)).status_code == 503:
            pass  # SQLite is locked, for which the server has waited some seconds
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self, job: str, root: Path, **parameters: object) -> str:
        """Has a deployment run; returns the id of the run."""
        named = {"deployments": {"name": {"any_": [job]}}}
        deployment = self.ask("deployments/filter", named)[0]["id"]
        asked = {"parameters": {"root": str(root), **parameters}, "state": {"type": "SCHEDULED"}}
        return str(self.ask(f"deployments/{deployment}/create_flow_run", asked)["id"])

    def runs_of(self, root: Path) -> list[Run]:
        """Returns the runs on a build that have begun, in the order of their ends."""
        asked = {"flow_runs": {"tags": {"all_": [str(root)]}}, "sort": "END_TIME_DESC"}
        runs: list[Run] = self.ask("flow_runs/filter", asked)
        return runs[::-1]

    def artifacts_of(self, run: str) -> dict[str, str]:
        asked = {"artifacts": {"flow_run_id": {"any_": [run]}}}
        return {one["key"]: one["data"] for one in self.ask("artifacts/filter", asked)}

    def await_state(self, run: str, *states: str) -> Run:
        found: Run = {}

        def is_there() -> bool:
            found.update(self.ask(f"flow_runs/{run}"))
            return found["state"]["name"] in states

        self.until(is_there)
        return found

    def until(self, is_so: Callable[[], bool], limit: int = 300) -> None:
        """Asks until something is so."""
        for _ in range(limit):
            if is_so():
                return
            threading.Event().wait(1)
        raise AssertionError((self.home / "log").read_text()[-6000:])


def children_of(pid: int) -> list[int]:
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [*map(int, told.stdout.split())]


def stages_of(root: Path, *steps: str) -> list[str]:
    """Returns the stages of steps of a build."""
    sections = read_sections(root, None)
    return [stage.name for step in steps for stage in load_step(step, sections).stages]


def take_away(root: Path, stages: Sequence[str]) -> None:
    """Removes what stages have made."""
    for done in filter(None, map(Workspace(root).manifest, stages)):
        for path in (*map(root.joinpath, done.records), root / f"stages/{done.stage}.json"):
            path.unlink()


def end_after_kill(site: Site, killed: Mapping[str, str], roots: Mapping[str, Path]) -> None:
    """Kills a worker with a run of each job once it is in a stage; another worker ends them all.

    Args:
        site: of the worker; no job may start another one.
        killed: job to its stage.
        roots: job to its build, which lacks what the job makes.
    """
    marks = [started_path(Workspace(roots[job]), stage) for job, stage in killed.items()]
    here = f"{Path(__file__).parent / 'stopping'}{os.pathsep}{ROOT}"
    stopping = {"PYTHONPATH": here, "STOPPED_IN": os.pathsep.join(map(str, marks))}
    with replace(site, more=site.more | stopping).going_on(WORKER) as worker:

        def are_stopped() -> bool:
            told = ["ps", "-o", "stat=", "--ppid", str(worker.pid)]
            states = subprocess.run(told, capture_output=True, text=True).stdout.split()
            return sum(state.startswith("T") for state in states) == len(killed)

        try:
            for job in killed:
                site.start(job, roots[job], retries=0)
            site.until(are_stopped)
        finally:
            for pid in (worker.pid, *children_of(worker.pid)):
                os.kill(pid, signal.SIGKILL)
    assert all(mark.exists() for mark in marks)
    assert not any(Workspace(roots[job]).manifest(stage) for job, stage in killed.items())
    with site.going_on(WORKER):
        again = {job: site.start(job, roots[job], retries=0) for job in killed}
        for job, run in again.items():
            state = site.await_state(run, "Completed", "Failed", "Crashed")["state"]
            assert state["name"] == "Completed", (job, state["message"])
