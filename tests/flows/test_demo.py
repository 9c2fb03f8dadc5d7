import re
import sys
from pathlib import Path

import pytest

from hgld.errors import InputError, how_to_install
from hgld.flows.demo import run_demo


@pytest.mark.parametrize("module", ["hgld.flows.jobs", "hgld.benchmarks.retrieval.stage"])
def test_a_demo_without_all_packages_says_how_to_install_them_and_writes_nothing(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    # What the demo sets for Prefect is put back at the end.
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    text = f"the demo needs {module}: {how_to_install('all')}"
    with pytest.raises(InputError, match=re.escape(text)):
        run_demo(tmp_path / "demo", live=False, contact="")
    assert not (tmp_path / "demo").exists()
