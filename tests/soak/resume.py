"""A plugin of pytest for `make soak`: it goes on where it was stopped, and says what it covered.

    make soak
    make soak ARGS="-k killed"
    timeout -s INT 2h make soak

Every test that ends is a line of `soak.jsonl`; what did not fail is not run again on the same
commit. What all of them covered is written to `benchmarks/results/reliability.json`, also after
Ctrl-C: of each test how often it ended how, and what it says of itself by `record_property`.
"""

import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from hgld.benchmarks.environment import describe_environment, git_commit

_COMMIT = git_commit(Path(__file__).resolve().parents[2])


def pytest_configure(config: pytest.Config) -> None:
    """Writes where the tests are given out: a process of xdist's tells what it ran."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Writer(config.rootpath))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what did not fail, and mixes the rest: an hour covers something of everything."""
    records = _read(config.rootpath).items()
    done = {test for test, record in records if record["outcome"] != "failed"}
    items[:] = [item for item in items if item.nodeid not in done]
    random.Random(0).shuffle(items)


def _read(root: Path) -> dict[str, dict[str, Any]]:
    """Returns the last record of each test on this commit; a torn line is none."""
    path = root / "soak.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    records = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    return {record["test"]: record for record in records if record["commit"] == _COMMIT}


class _Writer:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._ended = set[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._ended.add(report.nodeid)
            record = {
                "commit": _COMMIT,
                "test": report.nodeid,
                "outcome": report.outcome,
                "told": [told for _, told in report.user_properties],
                "said": report.longreprtext if report.failed else "",
            }
            with (self._root / "soak.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._ended:
            return
        covered, records = defaultdict[str, Counter[str]](Counter), _read(self._root)
        for test, record in records.items():
            covered[test.partition("[")[0]].update([record["outcome"], *record["told"]])
        results = {
            "metadata": describe_environment(["pyarrow", "torch", "pillow"]),
            "tests_left": session.testscollected - len(self._ended),
            "covered": covered,
            "bad": [record for record in records.values() if record["outcome"] == "failed"],
        }
        path = self._root / "benchmarks/results/reliability.json"
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
