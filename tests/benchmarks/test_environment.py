import subprocess
from pathlib import Path

import pytest

from hgld.benchmarks import environment


def test_the_environment_names_versions_and_machine() -> None:
    found = environment.describe_environment(("torch", "pyarrow"))
    versions = found["versions"]
    assert isinstance(versions, dict)
    assert list(versions) == ["python", "torch", "pyarrow"]
    assert found["cpu"]
    assert str(found["date"]).endswith("+00:00")


def test_the_commit_is_the_checkout_s(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    git(*identity, "commit", "-q", "--allow-empty", "-m", "Start")
    assert environment.git_commit(tmp_path) == git("rev-parse", "HEAD")
    # An installed package that lies inside a checkout is not of that checkout.
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert environment.git_commit(inside) is None


def test_without_git_or_a_commit_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    assert environment.git_commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.git_commit(tmp_path) is None


def test_a_processor_without_a_name_is_its_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_CPUINFO", tmp_path / "absent")
    assert environment.cpu_name()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9\n", encoding="utf-8")
    monkeypatch.setattr(environment, "_CPUINFO", tmp_path / "cpuinfo")
    assert environment.cpu_name() == "Abacus 9"
