"""A clean environment that has what a requirement leads to, and nothing else that is installed."""

import shutil
import venv
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def make_environment(folder: Path, requirement: str) -> Path:
    """Makes a virtual environment with the packages that a requirement leads to, and pip.

    They are links to those that run the tests: copies take minutes and gigabytes. The project of
    the requirement itself is left out; pip is to install it, and refuses where one is missing.

    Args:
        folder: where to.
        requirement: such as `hgld[all]`.

    Returns:
        The folder of the environment's programs.
    """
    venv.create(folder, with_pip=True, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for old in packages.glob("setuptools*"):  # which Python brings before 3.12
        shutil.rmtree(old)
    project = canonicalize_name(Requirement(requirement).name)
    for name in sorted(projects_of(requirement) - {project}):
        _link(metadata.distribution(name), packages)
    return folder / "bin"


def projects_of(requirement: str) -> set[str]:
    """Returns the names of the projects that a requirement leads to, its own among them."""
    needed: set[tuple[str, str]] = set()
    _follow(Requirement(requirement), needed)
    return {name for name, _ in needed}


def _follow(requirement: Requirement, needed: set[tuple[str, str]]) -> None:
    """Adds the projects that a requirement leads to, each with every extra that is asked for."""
    name = canonicalize_name(requirement.name)
    for extra in {"", *requirement.extras}:
        if (name, extra) in needed:
            continue
        needed.add((name, extra))
        for line in metadata.requires(name) or ():
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                _follow(one, needed)


def _link(distribution: metadata.Distribution, packages: Path) -> None:
    """Links the files and folders of a distribution; of those that several share, the first."""
    for top in {file.parts[0] for file in distribution.files or ()}:
        place = packages / top
        if top not in {"..", "__pycache__"} and not place.exists():
            place.symlink_to(Path(str(distribution.locate_file(top))))
