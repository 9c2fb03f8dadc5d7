"""The container: what the Dockerfile copies and installs, and what compose.yaml runs in it."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.worlds.commands.typed import parsed

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = {
    canonicalize_name(name): (version, hashes.count("--hash=sha256:"))
    for name, version, hashes in re.findall(
        r"^([\w.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", LOCK, re.MULTILINE
    )
}
LET_THROUGH = {
    line.removeprefix("!")
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line.startswith("!")
}
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]


def installed(*extras: str) -> Iterator[Requirement]:
    """Yields what the project requires with extras, and those that these name."""
    optional = PROJECT["project"]["optional-dependencies"]
    for line in (
        *PROJECT["project"]["dependencies"],
        *(one for e in extras for one in optional[e]),
    ):
        requirement = Requirement(line)
        if requirement.name == "hgld":
            yield from installed(*requirement.extras)
        else:
            yield requirement


def test_the_dockerfile_is_written_as_hadolint_asks() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    assert subprocess.run([hadolint, ROOT / "Dockerfile"], check=False).returncode == 0


def test_all_that_the_wheel_is_built_from_is_there_let_through_and_copied() -> None:
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
    names = {name for line in lines for name in line.split()[:-1]}
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert {name.partition("/")[0] for name in names} == LET_THROUGH
    links = (path.name for path in (ROOT / "hgld").iterdir() if path.is_symlink())
    project = PROJECT["project"]
    assert {"hgld", *links, project["readme"], *project["license-files"]} <= names


def test_its_python_is_the_oldest_that_the_project_supports() -> None:
    (python,) = re.findall(r"^FROM python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)
    assert PROJECT["project"]["requires-python"] == f">={python}"


def test_the_lock_has_all_that_the_project_requires_each_with_hashes() -> None:
    """Without local versions, which PyPI does not have."""
    build = map(Requirement, PROJECT["build-system"]["requires"])
    missing = [
        str(requirement)
        for requirement in (*installed("all"), *build)
        if not requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)][0])
    ]
    assert missing == []
    assert LOCK.count("==") == len(LOCKED)
    assert [
        name for name, (version, hashes) in LOCKED.items() if "+" in version or not hashes
    ] == []


def test_without_cuda_only_its_libraries_are_left_out_of_the_lock() -> None:
    (pattern,) = re.findall(r"kept = !/(.+?)/", DOCKERFILE)
    left_out = {name for name in LOCKED if re.match(pattern, name)}
    assert "triton" in left_out
    assert not left_out & {canonicalize_name(requirement.name) for requirement in installed("all")}
    (pattern,) = re.findall(r"grep -oE '(.+?)'", DOCKERFILE)
    found = re.findall(pattern.replace("(vision)", "(?:vision)"), LOCK, re.MULTILINE)
    assert found == [
        f"{name}=={LOCKED[canonicalize_name(name)][0]}" for name in ("torch", "torchvision")
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_a_command_that_there_is(name: str) -> None:
    command = SERVICES[name]["command"]
    program, subcommand, *words = command
    if program == "hgld":
        parsed(subcommand, [str(word) for word in words])
    else:
        page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
        typed = re.findall(r"prefect (?:--no-prompt )?[a-z-]+(?: [a-z]+)?", " ".join(command))
        assert typed
        assert [line for line in typed if line not in page] == []


def test_pages_and_servers_are_reached_from_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["1000"]
