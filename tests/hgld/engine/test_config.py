import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from hgld.engine.config import check_settings, from_mapping, read_toml, row_settings, setting
from hgld.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    count: int = 3
    scale: float = 0.5
    kind: Literal["a", "b"] = "a"
    folder: Path | None = None
    size: Literal["s", "m"] | None = None
    sizes: tuple[int, ...] = (1, 2)
    is_fast: bool = False
    timeout_s: float = setting(10.0, "Seconds to wait.", changes_rows=False)
    patience_s: float = setting(math.inf, "Seconds to wait in all.", changes_rows=False)
    share: float = setting(0.5, "Share of all.", above=0, most=1, changes_rows=False)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")


def test_values_of_a_file_become_the_types_of_the_fields() -> None:
    values = {"scale": 2, "folder": "x", "sizes": [3], "kind": "b", "size": "m"}
    example = from_mapping(Example, values, where="[example]")
    assert example == Example(scale=2.0, folder=Path("x"), sizes=(3,), kind="b", size="m")
    assert Example(scale=2, size=None) == Example(scale=2.0)


@pytest.mark.parametrize("share", [0.0, math.nextafter(1, 2)])
def test_limits_of_a_setting_are_kept_and_told(share: float) -> None:
    assert (Example(share=5e-324).share, Example(share=1).share) == (5e-324, 1)
    with pytest.raises(ValueError, match=r"^share must be .*\babove 0.*\bat most 1\b"):
        Example(share=share)


def test_settings_that_change_no_row_are_left_out() -> None:
    decisive = {"count": 3, "scale": 0.5, "kind": "a", "folder": "x", "size": None}
    decisive |= {"sizes": [1, 2], "is_fast": False}
    assert row_settings(Example(folder=Path("x"))) == decisive


WRONG: list[tuple[str, object]] = [
    *(("kind", value) for value in ("c", None)),
    *(("size", value) for value in ("l", 3)),
    *(("count", value) for value in ("1", True, 0, 1.5, math.nan, None)),
    *(("scale", value) for value in ("1", math.inf)),
    *((name, -math.inf) for name in ("timeout_s", "patience_s")),  # infinite by default
    *(("is_fast", value) for value in (1, "no")),
    *(("folder", value) for value in (3, "a\0b")),
    *(("sizes", value) for value in ("12", (1, "x"))),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_by_its_name_and_file(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name}"):
        Example(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rf"\[example\]: {name}"):
        from_mapping(Example, {name: value}, where="[example]")


def test_an_unknown_key_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(InputError, match=r"cuont.*did you mean 'count'"):
        from_mapping(Example, {"cuont": 1}, where="[example]")
    with pytest.raises(InputError) as caught:
        from_mapping(Example, {"xyz": 1}, where="[example]")
    assert "mean" not in str(caught.value)


def test_a_settings_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "hgld.toml"
    path.write_bytes(b"\xef\xbb\xbf[example]\ncount = 4\n")
    assert read_toml(path) == {"example": {"count": 4}}


def test_a_file_that_is_no_settings_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "hgld.toml"
    with pytest.raises(InputError, match=r"hgld\.toml"):
        read_toml(path)  # which is not there
    for text in ("[a\n", "count = 1\n", f"a = {'[' * 5000}{']' * 5000}\n"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"hgld\.toml"):
            read_toml(path)
