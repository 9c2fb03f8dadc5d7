"""The small build of the annotations' own tests, and its releases."""

from tests.hgld.annotations.conftest import reviewed
from tests.hgld.annotations.release.conftest import (
    before,
    first_build,
    published,
    released,
    released_with_all,
)

__all__ = ["before", "first_build", "published", "released", "released_with_all", "reviewed"]
