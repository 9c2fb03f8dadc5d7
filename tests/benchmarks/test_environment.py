import subprocess
from pathlib import Path

from hgld.benchmarks import environment


def test_the_environment_names_versions_machine_and_the_commit_of_a_checkout(
    tmp_path: Path,
) -> None:
    found = environment.describe_environment(("torch", "pyarrow"))
    assert list(found["versions"]) == ["python", "torch", "pyarrow"]  # type: ignore[arg-type]
    assert found["cpu"]
    assert environment.git_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert environment.git_commit(tmp_path) is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Start"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert environment.git_commit(tmp_path) == head.stdout.strip()
    # An installed package that lies inside a checkout is not of that checkout.
    (tmp_path / "site-packages").mkdir()
    assert environment.git_commit(tmp_path / "site-packages") is None
