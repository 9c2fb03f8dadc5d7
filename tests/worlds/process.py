"""What a test may change in its process: noted before it, compared and put back after it."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Not SIGALRM, which pytest-timeout sets and clears by itself.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
_SET_FOR_GOOD = {signal.SIGCHLD}  # by torch, when a loader first has processes: put back unsaid
_THREAD_ENDS_WITHIN_S = 5.0
# What pytest sets for each test, and libraries once, as they are imported.
_NOT_OF_TESTS = (
    *("PYTEST_CURRENT_TEST", "TORCHINDUCTOR_", "KMP_", "TOKENIZERS_", "QT_", "TF_", "RAY_"),
    "_RJEM_MALLOC_CONF",
)
# Of libraries that keep one for good once they are used.
_LASTING_THREADS = (
    *("tqdm", "asyncio_", "AnyIO", "fsspecIO", "ray_"),
    # Prefect's: its log, its events, and the loops in which it runs both.
    *("APILogWorker", "EventsWorker", "GlobalEventLoop", "RunSyncEventLoop"),
)


class ProcessState:
    """What of a process outlives the test that changed it."""

    def __init__(self) -> None:
        self.environment = dict(_environment())
        self.folder = Path.cwd()
        self.arguments = [*sys.argv]
        self.handlers: dict[int, Any] = {one: signal.getsignal(one) for one in _SIGNALS}
        self.log_levels = dict(_log_levels())
        self.torch = dict(_torch_settings())
        self.threads = dict.fromkeys(_threads(), "runs")

    def changed_since(self, before: "ProcessState") -> list[str]:
        """Returns what is different from before, a line each; a thread may end."""
        found = []
        for name, new in vars(self).items():
            old = vars(before)[name]
            if isinstance(new, dict):
                if name == "torch" and not old:
                    continue  # it was imported just now
                keys = new.keys() if name == "threads" else {*old, *new}
                found += [
                    f"{name}: {key} was {old.get(key)!r}, is {new.get(key)!r}"
                    for key in sorted(keys, key=str)
                    if old.get(key) != new.get(key) and key not in _SET_FOR_GOOD
                ]
            elif new != old:
                found.append(f"{name}: was {old!r}, is {new!r}")
        return found

    def put_back(self) -> None:
        """Makes the process what it was, but for threads, which nobody can end from outside."""
        for name, _ in _environment():
            if name not in self.environment:
                del os.environ[name]
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.argv[:] = self.arguments
        for number, handler in self.handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        for name, _ in _log_levels():
            logging.getLogger(name).setLevel(self.log_levels.get(name, logging.NOTSET))
        if self.torch:
            torch = sys.modules["torch"]
            torch.set_num_threads(self.torch["num_threads"])
            torch.set_default_dtype(self.torch["default_dtype"])
            torch.set_grad_enabled(self.torch["has_gradients"])
            if torch.are_deterministic_algorithms_enabled() != self.torch["is_deterministic"]:
                torch.use_deterministic_algorithms(self.torch["is_deterministic"])  # takes 1 s


@contextlib.contextmanager
def process_put_back() -> Iterator[None]:
    """Puts the process back after the block, whatever the block did to it."""
    before = ProcessState()
    try:
        yield
    finally:
        before.put_back()


def seed_torch(seed: int) -> None:
    """Seeds torch where a test has imported it; pytest-randomly does so for Python and numpy."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def wait_for_threads(before: ProcessState) -> None:
    """Waits for the threads that a test has started and told to end."""
    for thread in threading.enumerate():
        if _named(thread) not in before.threads and _is_a_tests(thread):
            thread.join(_THREAD_ENDS_WITHIN_S)


def _environment() -> Iterator[tuple[str, str]]:
    for name, value in list(os.environ.items()):
        if not name.startswith(_NOT_OF_TESTS):
            yield name, value


def _log_levels() -> Iterator[tuple[str, int]]:
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.split(".")[0] == "hgld" and isinstance(logger, logging.Logger) and logger.level:
            yield name, logger.level
    yield "root", logging.root.level


def _torch_settings() -> Iterator[tuple[str, Any]]:
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "is_grad_enabled"):
        yield "num_threads", torch.get_num_threads()
        yield "default_dtype", torch.get_default_dtype()
        yield "is_deterministic", torch.are_deterministic_algorithms_enabled()
        yield "has_gradients", torch.is_grad_enabled()


def _threads() -> Iterator[str]:
    yield from (_named(one) for one in threading.enumerate() if _is_a_tests(one))


def _named(thread: threading.Thread) -> str:
    return f"{thread.name} ({thread.ident})"


def _is_a_tests(thread: threading.Thread) -> bool:
    return thread is not threading.main_thread() and not thread.name.startswith(_LASTING_THREADS)
