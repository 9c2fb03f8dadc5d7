"""DVC and pooch on the same damages; they are no packages of this project's."""

import importlib.util
import sys
from pathlib import Path

import pytest

from hgld.benchmarks.faults.fuzz import FinishedBuilds
from hgld.benchmarks.faults.peers import try_peers
from hgld.benchmarks.faults.reliability import damage_peers


@pytest.mark.slow
def test_dvc_and_pooch_get_the_same_damages(builds: FinishedBuilds, tmp_path: Path) -> None:
    if not (importlib.util.find_spec("dvc") and importlib.util.find_spec("pooch")):
        pytest.skip("needs DVC and pooch: pip install dvc pooch")
    told = damage_peers(builds, Path(sys.executable), tmp_path / "peers", 4, 0)
    for peer in ("dvc", "pooch"):
        counts = [counts for way in told[peer]["by_way"].values() for counts in way.values()]
        assert sum(counts) == told["damages"] > 0


def test_an_interpreter_without_them_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho no module named dvc >&2; exit 1\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(RuntimeError, match="ended with 1: no module named dvc"):
        try_peers(tmp_path / "python", [], tmp_path)
