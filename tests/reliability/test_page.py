"""The page of faults says what the tests show, and nothing else."""

from pathlib import Path

import pytest

from tests.reliability import page as reliability
from tests.reliability.page import (
    PAGE,
    RENEW,
    ROOMS,
    MarkerError,
    fault_markers,
    main,
    reliability_page,
)

ROOT = Path(__file__).resolve().parents[2]


def markers_of(folder: Path, code: str) -> list[tuple[int, str, str]]:
    (folder / "test_it.py").write_text(f"import pytest\n{code}", encoding="utf-8")
    return [(marker.number, marker.name, marker.test) for marker in fault_markers(folder)]


def test_the_page_is_up_to_date() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == reliability_page(ROOT / "tests"), f"renew it with: {RENEW}"


def test_markers_are_read_wherever_pytest_takes_them(tmp_path: Path) -> None:
    code = """
pytestmark = [pytest.mark.slow, pytest.mark.fault(1, "of the module")]
CASES = [pytest.param(1, marks=pytest.mark.fault(2, "of a case apart")), 2]

@pytest.mark.fault(3, "of a test")
@pytest.mark.parametrize("x", [pytest.param(1, marks=[pytest.mark.fault(4, "of a case")])])
def test_one(x): ...

@pytest.mark.parametrize("x", CASES)
def test_two(x): ...

@pytest.mark.fault(5, "of a class")
class TestAll:
    def test_three(self): ...
    def helper(self): ...
"""
    one, two, three = "test_it.py::test_one", "test_it.py::test_two", "test_it.py::test_three"
    assert markers_of(tmp_path, code) == [
        *[(1, "of the module", test) for test in (one, three, two)],
        (2, "of a case apart", two),
        (3, "of a test", one),
        (4, "of a case", one),
        (5, "of a class", three),
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "".join(f'@pytest.mark.fault(1, "{n}")\ndef test_{n}(): ...\n' for n in "ab"),
            r"fault 1 must have one name, got 'a' \(test_it.py::test_a\) and 'b'",
        ),
        ('@pytest.mark.fault(999, "a")\ndef test_a(): ...\n', "fault 999 is in no range"),
        ("@pytest.mark.fault(1)\ndef test_a(): ...\n", r"test_it.py:2: .* fault\(number, name\)"),
        ("@pytest.mark.fault(*WHAT)\ndef test_a(): ...\n", r"fault\(number, name\), written out"),
        ("@pytest.mark.fault\ndef test_a(): ...\n", "must be called in a decorator of a test"),
        ('@pytest.mark.fault(1, "a")\ndef helper(): ...\n', "must be called in a decorator of a"),
        ('MARK = pytest.mark.fault(1, "a")\n', "must be called in a decorator of a test"),
        (
            '@pytest.mark.skip\n@pytest.mark.fault(1, "a")\ndef test_a(): ...\n',
            "test_a is left out, and so shows no fault",
        ),
        (
            '@pytest.mark.fault(1, "a")\n@pytest.mark.xfail(strict=True)\ndef test_a(): ...\n',
            "test_a is left out, and so shows no fault",
        ),
    ],
)
def test_what_cannot_be_claimed_is_refused(tmp_path: Path, code: str, message: str) -> None:
    with pytest.raises(MarkerError, match=message):
        markers_of(tmp_path, code)


def test_a_row_names_the_fault_and_each_of_its_tests(tmp_path: Path) -> None:
    mark = '@pytest.mark.fault(12, "second process")\n'
    markers_of(tmp_path, f"{mark}def test_b(): ...\n{mark}def test_a(): ...\n")
    page = reliability_page(tmp_path)
    tests = "`test_it.py::test_a`<br>`test_it.py::test_b`"
    head = "### Engine and workspace\n\n| | fault | shown by |\n|---|---|---|\n"
    assert f"{head}| 12 | second process | {tests} |\n" in page
    assert page.count("###") == 1


def test_no_number_is_in_two_ranges() -> None:
    numbers = [number for room in ROOMS.values() for number in room]
    assert len(numbers) == len(set(numbers))


def test_a_stale_page_is_told_with_the_command_that_renews_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reliability, "reliability_page", lambda _tests: "new")
    monkeypatch.chdir(tmp_path)
    PAGE.parent.mkdir()
    PAGE.write_text("old")
    assert main(["--check"]) == 1
    assert RENEW in capsys.readouterr().err
    PAGE.write_text("new")
    assert main(["--check"]) == 0
