"""What the tests of real processes take from those of training."""

from tests.training.conftest import tiny_build, undisturbed

__all__ = ["tiny_build", "undisturbed"]
