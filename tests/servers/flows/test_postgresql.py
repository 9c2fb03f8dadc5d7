"""docs/operating.md, PostgreSQL: Prefect's server keeps runs in it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.servers.flows.site import CONFIG, SERVER, Site
from tests.worlds.commands.typed import run
from tests.worlds.gldv2.files import write_tables
from tests.worlds.wikimedia.lab import free_ports, wait_for

_FLOW = "import sys; from hgld.flows.jobs import metadata as run; run('build', sys.argv[1])"


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database, of a server of the test's own."""
    # Out of the path on Debian.
    found = shutil.which("initdb") or next(Path("/usr/lib/postgresql").glob("*/bin/initdb"), None)
    if found is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    there, (port,) = Path(found).resolve().parent, free_ports(1)
    # It refuses root, and the folders of tests are root's alone.
    other = {"user": "nobody", "group": "nogroup", "extra_groups": []} if not os.geteuid() else {}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        if other:
            shutil.chown(folder, "nobody", "nogroup")
        act = partial(subprocess.run, check=True, cwd=folder, stdout=subprocess.DEVNULL, **other)
        control = [there / "pg_ctl", "-D", "data", "-w", "-l", "log"]
        act([there / "initdb", "-D", "data", "-U", "prefect", "-A", "trust"])
        act([*control, "-o", f"-p {port} -h 127.0.0.1 -k {folder} -F", "start"])
        try:
            yield f"prefect:any@127.0.0.1:{port}/postgres"
        finally:
            act([*control, "-m", "immediate", "stop"])


def test_a_run_is_kept_in_postgresql(database: str, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    address = f"postgresql+asyncpg://{database}"
    site = Site(tmp_path, port, more={"PREFECT_SERVER_DATABASE_CONNECTION_URL": address})
    write_tables(tmp_path / "gldv2")
    (tmp_path / "hgld.toml").write_text('[metadata]\nbase_url = "gldv2"\n')
    with site.going_on(SERVER) as process:
        wait_for(port, process, limit_s=120)
        site.typed(CONFIG)
        run([sys.executable, "-c", _FLOW, "hgld.toml"], tmp_path, site.environment)
        (seen,) = site.ask("flow_runs/filter", {})
    site.client.close()
    assert (seen["name"], seen["state"]["name"]) == ("metadata build", "Completed")
    rows = ["psql", f"postgresql://{database}", "-At", "-c", "select name from flow_run"]
    assert run(rows, tmp_path) == "metadata build\n"
