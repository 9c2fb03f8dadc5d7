import json
import time
from pathlib import Path

import pytest

from hgld.benchmarks.faults.command import fork_server
from hgld.benchmarks.speed.labels import lists as program
from hgld.benchmarks.speed.labels.lists import made_up_labels, main
from tests.worlds.commands.typed import run_typed


def test_made_up_labels_are_distinct_and_the_same_each_time() -> None:
    labels = made_up_labels(10_000, 3)
    assert len(set(labels)) == 10_000
    assert labels == made_up_labels(10_000, 3)
    assert labels != made_up_labels(10_000, 4)
    with pytest.raises(ValueError, match=r"labels must be at most [\d,]+, got 1,000,000"):
        made_up_labels(1_000_000, 3)


def measured_without_imports(code: str, *arguments: str) -> dict[str, float]:
    """Measures as `measured` does, in a process that has loaded its imports."""
    started = time.perf_counter()
    if code == program.HGLD:
        done = run_typed(arguments)
        assert done.returncode == 0, done.stderr
    else:
        assert code == program.UPSTREAM
        process = fork_server().Process(target=program.run_upstream, args=arguments)
        process.start()
        process.join(300)
        assert process.exitcode == 0
    return {"wall_s": time.perf_counter() - started, "peak_mb": 1.0}


@pytest.mark.slow
def test_every_way_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "measured", measured_without_imports)
    main(["--out", str(tmp_path / "labels.json"), "--labels", "120"])
    report = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    assert list(report["results"]) == [
        *("upstream", "95% of them", "and the rest", "nothing to do", "all of them"),
    ]
    assert all(one["wall_s"] > 0 and one["peak_mb"] > 0 for one in report["results"].values())


def test_a_way_is_measured_in_a_process_of_its_own() -> None:
    code = "import sys; print(sys.argv[1:]); sum(range(10_000_000)); sys.exit(len(sys.argv) - 1)"
    told = program.measured(code)
    assert told["wall_s"] >= told["cpu_s"] > 0
    assert told["peak_mb"] > 1
    with pytest.raises(RuntimeError, match=r"""\["a way"\]: \['a way'\]"""):
        program.measured(code, "a way")
