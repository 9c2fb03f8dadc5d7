"""The page of faults says what the tests show, and nothing else."""

from pathlib import Path

import pytest

from tests.reliability.page import PAGE, RENEW, FaultMarker, fault_markers, reliability_page

ROOT = Path(__file__).resolve().parents[2]
MARK = "@pytest.mark.fault"
TEST = "\ndef test_a(): ...\n"


def markers_of(folder: Path, code: str) -> list[FaultMarker]:
    (folder / "test_it.py").write_text(f"import pytest\n{code}", encoding="utf-8")
    return fault_markers(folder)


def test_the_page_is_up_to_date() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == reliability_page(ROOT / "tests"), f"renew it with: {RENEW}"


def test_markers_of_tests_and_of_their_cases_are_rows(tmp_path: Path) -> None:
    case = 'pytest.param(1, marks=[pytest.mark.fault(24, "of a case")])'
    code = f'{MARK}(12, "of a test")\n@pytest.mark.parametrize("x", [{case}])\ndef test_b(x): ...\n'
    b, a = "test_it.py::test_b", "test_it.py::test_a"
    assert markers_of(tmp_path, f'{code}{MARK}(12, "of a test"){TEST}') == [
        *((12, "of a test", test) for test in (a, b)),
        (24, "of a case", b),
    ]
    assert f"| 12 | of a test | `{a}`<br>`{b}` |\n" in reliability_page(tmp_path)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (f'{MARK}(1, "a"){TEST}{MARK}(1, "b")\ndef test_b(): ...\n', "elsewhere"),
        (f'{MARK}(999, "a"){TEST}', "no range"),
        (f"{MARK}(1){TEST}", "decorator"),
        (f"{MARK}(*WHAT){TEST}", "decorator"),
        (f'{MARK}(1, "a")\ndef helper(): ...\n', "decorator"),
        ('MARK = pytest.mark.fault(1, "a")\n', "decorator"),
        (f'@pytest.mark.skip\n{MARK}(1, "a"){TEST}', "that runs"),
        (f'{MARK}(1, "a")\n@pytest.mark.xfail(strict=True){TEST}', "that runs"),
    ],
)
def test_what_cannot_be_claimed_is_refused(tmp_path: Path, code: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        markers_of(tmp_path, code)
