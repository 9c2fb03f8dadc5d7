"""The soak goes on where it was stopped, and says what it covered."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.soak import __main__ as soak


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pieces that were done, of a soak of two files of tests."""
    pieces: list[str] = []
    records: dict[str, dict[str, Any]] = {
        "tests/a.py": {"cases": {"ok": 3}, "bad": []},
        "tests/b.py": {"cases": {"failed": 1}, "bad": [{"test": "test_b"}]},
    }

    def do(name: str) -> dict[str, Any]:
        pieces.append(name)
        return records[name]

    def two(_prepared: object) -> Iterator[soak.Piece]:
        yield from ((name, partial(do, name)) for name in records)

    monkeypatch.setattr(soak, "PARTS", {"tests": two})
    return pieces


def test_a_soak_goes_on_where_it_was_and_tells_all_that_was_covered(
    tmp_path: Path, done: list[str]
) -> None:
    words = ["--records", str(tmp_path / "records"), "--out", str(tmp_path / "out.json")]
    assert soak.main([*words, "--hours", "-1"]) == 0
    assert done == []
    assert json.loads((tmp_path / "out.json").read_text())["pieces_left"] == 2
    assert soak.main(words) == 1
    assert done == ["tests/a.py", "tests/b.py"]
    assert soak.main(words) == 1
    assert done == ["tests/a.py", "tests/b.py"]  # none was done again
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["covered"] == {"tests": {"a.py": {"ok": 3}, "b.py": {"failed": 1}}}
    assert told["bad"] == [{"piece": "tests/b.py", "test": "test_b"}]
    assert told["pieces_left"] == 0


def test_what_another_commit_covered_is_not_covered(tmp_path: Path) -> None:
    records = tmp_path / "records"
    line = json.dumps({"commit": "a", "piece": "kills/0", "record": {"bad": []}})
    records.write_text(f'{line}\n{{"commit": "a", "pie')
    assert soak.read_records(records, "a") == {"kills/0": {"bad": []}}
    assert soak.read_records(records, "c") == {}
