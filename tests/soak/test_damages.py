"""Every kind of file of a finished build, damaged a hundred times."""

from collections.abc import Callable

import pytest

from tests.soak.fuzz import FinishedBuilds, check_a_damage

Record = Callable[[str, object], None]


@pytest.mark.parametrize("number", range(4_000))  # of some 40 kinds
def test_a_damage_is_named_or_healed_and_the_build_is_the_clean_one(
    builds: FinishedBuilds, record_property: Record, number: int
) -> None:
    kinds = [*builds.kinds()]
    kind = kinds[number % len(kinds)]
    record_property("told", f"{kind}: {check_a_damage(builds, kind, number)}")
