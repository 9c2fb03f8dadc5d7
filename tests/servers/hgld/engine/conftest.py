"""A small disk of its own."""

from tests.worlds.disk import disk

__all__ = ["disk"]  # a fixture
