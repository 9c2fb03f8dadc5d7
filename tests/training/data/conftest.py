import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def handler_of_children_put_back() -> Iterator[None]:
    """Takes back the handler that torch sets for good when a loader first has processes."""
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)
