"""What a machine lacks for a build: `hgld doctor`. Each line ends with what to do."""

import fcntl
import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import requests
from packaging.requirements import Requirement

from hgld.engine.logins import redacted
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, how_to_install
from hgld.flows import steps
from hgld.flows.steps import Sections
from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session, reason_of, require_contact

State = Literal["ok", "note", "fail"]
_LEAST_DISK_GB, _LEAST_MEMORY_GB = 10, 4
_GLDV2_GB = 600  # of all pictures: 500 tars of 1 GB, 100 of 850 MB, 20 of 500 MB
_QUICK = HttpPolicy(connect_timeout_s=5, read_timeout_s=5, deadline_s=10, attempts=1, patience_s=0)
_EXTRA = re.compile(r"extra == ['\"]([a-z-]+)['\"]")
# All of the others, and what those need who work on the project.
_NOT_TOLD = frozenset({"all", "dev"})


class Check(NamedTuple):
    """One line of the report."""

    state: State
    """ok; note: something will not work, which one may not need; fail: no build will."""
    name: str
    what: str
    mend: str = ""
    """What to do."""


def diagnose(root: Path, sections: Sections) -> Iterator[Check]:
    """Yields what was found, the machine first.

    Args:
        root: the folder of a build, which need not exist yet.
        sections: its settings.
    """
    yield Check("ok", "python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield from _packages()
    yield _disk(root)
    yield _memory()
    yield _gpu()
    yield _contact(sections)
    yield from _servers(sections)
    yield from _workspace(root)


def _packages() -> Iterator[Check]:
    """Yields a line for the package itself and one for each extra."""
    lacking = defaultdict[str, list[str]](list)
    for requirement in map(Requirement, importlib.metadata.requires("hgld") or ()):
        found = _EXTRA.search(str(requirement.marker))
        extra = found[1] if found else ""
        if extra not in _NOT_TOLD:
            lacking[extra] += _lack(requirement)
    for extra, several in lacking.items():
        name, what = f"hgld[{extra}]" if extra else "hgld", ", ".join(several)
        if not several:
            yield Check("ok", name, "its packages are there")
        elif extra:
            yield Check("note", name, what, f"if you need it: {how_to_install(extra)}")
        else:
            yield Check("fail", name, what, "install hgld again with pip")


def _lack(requirement: Requirement) -> list[str]:
    """Returns what is wrong with a package, if anything."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return [f"{requirement.name} is missing"]
    fits = requirement.specifier.contains(version, prereleases=True)
    return [] if fits else [f"{requirement.name} is {version}, not {requirement.specifier}"]


def _disk(root: Path) -> Check:
    there = next(one for one in (root.absolute(), *root.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free / 1e9
    what = f"{free:,.0f} GB free in {there}"
    if free < _LEAST_DISK_GB:
        return Check("fail", "disk", what, f"free {_LEAST_DISK_GB} GB, or choose another --root")
    few = f"the pictures of all of GLDv2 need {_GLDV2_GB:,} GB: fetch some, `hgld images --only`"
    return Check("ok", "disk", what) if free >= _GLDV2_GB else Check("note", "disk", what, few)


def _memory() -> Check:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    what = f"{size:,.0f} GB, {os.cpu_count()} cores"
    if size >= _LEAST_MEMORY_GB:
        return Check("ok", "memory", what)
    mend = f"a build of all of GLDv2 takes {_LEAST_MEMORY_GB} GB: use a larger machine"
    return Check("note", "memory", what, mend)


def _gpu() -> Check:
    try:
        import torch
    except ModuleNotFoundError:
        return Check("note", "GPU", "torch is missing", "see hgld[train] above")
    if not torch.cuda.is_available():
        mend = "small trainings work without: `hgld train --recipe gldv2-mini-frozen`"
        return Check("note", "GPU", f"none for torch {torch.__version__}", mend)
    names = ", ".join(map(torch.cuda.get_device_name, range(torch.cuda.device_count())))
    return Check("ok", "GPU", names)


def _contact(sections: Sections) -> Check:
    scrape = steps.scrape_step(sections).settings
    try:
        require_contact(scrape.contact, scrape.commons, scrape.sparql)
    except InputError as error:
        return Check("note", "contact", str(error).partition(";")[0], "set contact in [scrape]")
    return Check("ok", "contact", "is set, or not needed")


def _servers(sections: Sections) -> Iterator[Check]:
    """Yields whether each server of the settings answers; what it answers is not looked at."""
    scrape = steps.scrape_step(sections).settings.without_logins()
    metadata = steps.metadata_step(sections).settings.base_url
    bases = (metadata, steps.images_step(sections).settings.base_url)
    addresses = dict.fromkeys((f"{scrape.commons}api.php", scrape.sparql, *bases))
    with ThreadPoolExecutor(len(addresses)) as pool:
        yield from pool.map(_server, addresses)


def _server(address: str) -> Check:
    shown = redacted(address)
    if "://" not in address:
        if Path(address).is_dir():
            return Check("ok", shown, "is a folder")
        return Check("fail", shown, "no such folder", "correct base_url in hgld.toml")
    try:
        with make_session(policy=_QUICK, address=address) as session:
            session.head(address, allow_redirects=False)
    except (requests.RequestException, FetchError) as error:
        why = reason_of(error) if isinstance(error, requests.RequestException) else str(error)
        mend = "check network and proxy (HTTPS_PROXY); `hgld demo` and --replay work offline"
        return Check("note", shown, why, mend)
    return Check("ok", shown, "answers")


def _workspace(root: Path) -> Iterator[Check]:
    """Yields whether a build can be made there: written, and locked against a second run."""
    if not root.exists():
        yield Check("ok", "build", f"{root} is not there yet", "`hgld build` makes it")
        return
    try:
        with tempfile.NamedTemporaryFile(dir=root, prefix=".") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        mend = "choose a local disk for --root: two runs at once would destroy each other's work"
        yield Check("fail", "build", f"{root} cannot be written or locked: {error.strerror}", mend)
        return
    if holder := Workspace(root).lock_holder():
        yield Check("note", "build", f"{root} is in use by {holder}", "wait for its end")
    else:
        yield Check("ok", "build", f"{root} can be written and locked", "see `hgld status`")
