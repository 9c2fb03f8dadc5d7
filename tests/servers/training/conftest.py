"""What the tests of real processes take from those of training."""

from tests.training.conftest import tiny_build, undisturbed
from tests.worlds.disk import disk

__all__ = ["disk", "tiny_build", "undisturbed"]
