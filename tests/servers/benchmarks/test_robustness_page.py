"""docs/robustness.md word for word: its commands run, on small data."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from hgld.benchmarks.robustness import __main__ as command
from hgld.benchmarks.robustness.data_sets.models import FrozenModel
from hgld.engine.workspace import Workspace
from tests.benchmarks.robustness.test_command import quick, write_labels, write_vectors

__all__ = ["quick"]  # a fixture

DOCS = Path(__file__).resolve().parents[3] / "docs/robustness.md"


def test_the_commands_of_the_docs_are_typed(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_labels(workspace)
    train, *others = write_vectors(tmp_path)
    (tmp_path / "test.parquet").rename(tmp_path / "query.parquet")
    monkeypatch.chdir(tmp_path)
    # Rows from elsewhere have tests of their own, and no run is trained here.
    monkeypatch.setattr(command, "plan_shifts", lambda *_: ([], ["Nothing from elsewhere."]))
    files = {"train": Path(train), "test": tmp_path / "query.parquet", "index": Path(others[1])}

    def runs(_: Workspace, names: Sequence[str], folder: Path) -> list[FrozenModel]:
        assert folder == tmp_path / "embeddings"
        return [
            FrozenModel(name=name, files=files, has_seen_training=name == "mine") for name in names
        ]

    monkeypatch.setattr(command, "run_models", runs)
    (block,) = re.findall(r"^```bash\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.S | re.M)
    typed = [shlex.split(line, comments=True) for line in block.splitlines()]
    units = []
    for program, flag, module, *arguments in typed:
        assert [program, flag, module] == ["python", "-m", "hgld.benchmarks.robustness"]
        assert command.main([*arguments, "--seeds", "0"]) == 0
        content = json.loads((tmp_path / "robustness.json").read_text())
        units.append([(unit["part"], unit["data_set"]) for unit in content["units"]])
    # Packaged data; what the model that was not trained gives, and of the run what it has not
    # seen; of embeddings all, and what the runs gave stays.
    assert [len(found) for found in units] == [1, 1 + 6 + 2, 9 + 4]
    assert ("failures", "mine: landmark") not in units[1]
