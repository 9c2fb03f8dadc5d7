"""The waits, which are not waited."""

from tests.hgld.conftest import waits

__all__ = ["waits"]  # a fixture
