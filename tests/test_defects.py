"""The defects that `python -m tests.defects` plants are of the code as it is."""

import pytest

from tests.defects import DEFECTS, ROOT


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_can_be_planted(name: str) -> None:
    defect = DEFECTS[name]
    assert (ROOT / defect.file).read_text(encoding="utf-8").count(defect.code) == 1
