"""What every test may ask for."""

import contextlib
import functools
import gc
import multiprocessing.util
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.worlds.process import ProcessState, seed_torch, wait_for_threads

pytest_plugins = [
    *("tests.worlds.disk", "tests.worlds.wikimedia.lab", "tests.worlds.wikimedia.scraping")
]

_SHARED = Path(__file__).resolve().parents[2] / "shared"


_RAM_DISK = Path("/dev/shm")  # noqa: S108 - a folder with a name of its own is made in it
_RAM_DISK_BYTES = 4 * 10**9
"""The tests leave 0.6 GB; what flushes much takes a quarter less time there (135 s became 98)."""

# As many processes run tests as there are cores: two threads each would wait for one another.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "passive"  # as `hgld` sets it for itself


def pytest_configure(config: pytest.Config) -> None:
    """Sets what the tests need of the process they run in, so that nobody else has to."""
    # Signals reach the commands that tests stop, also where `nohup` or a job ignores them.
    for number, handler in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    if hasattr(config, "workerinput"):
        return  # of xdist: it has the environment of the process that started it
    _remove_left_behind(_RAM_DISK)
    if _is_roomy(_RAM_DISK):
        folder = tempfile.mkdtemp(prefix=f"hgld-tests-{os.getpid()}-", dir=_RAM_DISK)
        patch = pytest.MonkeyPatch()
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        config.add_cleanup(patch.undo)
        # After multiprocessing has removed its own folders in it, whose priority is -100.
        remove = functools.partial(shutil.rmtree, folder, ignore_errors=True)
        multiprocessing.util.Finalize(None, remove, exitpriority=-200)


def pytest_collection_finish() -> None:
    """Leaves what was collected out of what the interpreter looks through for garbage."""
    gc.freeze()  # a whole look takes 0.5 s otherwise, and a measurement of memory asks for six


def _remove_left_behind(folder: Path) -> None:
    """Removes what killed runs left in memory: a gigabyte each, which nothing else would free."""
    for left in folder.glob("hgld-tests-*-*"):
        with contextlib.suppress(ValueError, PermissionError):  # another's folder or process
            try:
                os.kill(int(left.name.split("-")[2]), 0)
            except ProcessLookupError:
                shutil.rmtree(left, ignore_errors=True)


def _is_roomy(folder: Path) -> bool:
    """Says whether a file system has room for the tests' files, and runs programs."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize > _RAM_DISK_BYTES and not room.f_flag & os.ST_NOEXEC


@pytest.fixture(autouse=True)
def unchanged_process() -> Iterator[None]:
    """Fails a test that leaves its process other than it was, and puts it back for the next."""
    seed_torch(0)
    before = ProcessState()
    yield
    wait_for_threads(before)
    changes = ProcessState().changed_since(before)
    before.put_back()
    if changes:
        pytest.fail("the test changed its process: " + "; ".join(changes))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, where there is one."""
    if not _SHARED.is_dir():
        pytest.skip("needs the shared data folder beside the checkout (../shared)")
    return _SHARED


@pytest.fixture(scope="session")
def compiled_sums() -> None:
    """Lets no test wait for numba, which compiles for seconds where nothing is on the disk yet."""
    import torch

    from hgld.losses import sup_hap_loss

    sup_hap_loss(torch.eye(2), torch.arange(2))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty build folder."""
    return Workspace(tmp_path / "build")
