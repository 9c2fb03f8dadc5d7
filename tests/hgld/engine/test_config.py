import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from hgld.engine.config import (
    check_settings,
    from_mapping,
    read_toml,
    row_settings,
    setting,
    setting_fields,
)
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

    def __post_init__(self) -> None:
        check_settings(self)
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")


def test_values_of_a_file_become_the_types_of_the_fields() -> None:
    example = from_mapping(
        Example,
        {"scale": 2, "folder": "x", "sizes": [3], "kind": "b", "size": "m"},
        where="[example]",
    )
    assert example == Example(scale=2.0, folder=Path("x"), sizes=(3,), kind="b", size="m")


def test_settings_that_change_no_row_are_left_out() -> None:
    assert row_settings(Example(folder=Path("x"))) == {
        "count": 3,
        "scale": 0.5,
        "kind": "a",
        "folder": "x",
        "size": None,
        "sizes": [1, 2],
        "is_fast": False,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"cuont": 1},
            r"unknown key 'cuont'; known keys: count, scale.*; did you mean 'count'\?$",
        ),
        ({"count": "1"}, r"\[example\]: count must be int, got '1'"),
        ({"count": True}, "count must be int, got True"),
        ({"count": 0}, r"\[example\]: count must be at least 1, got 0"),
        ({"kind": "c"}, "kind must be one of 'a', 'b', got 'c'"),
        ({"size": "l"}, "size must be one of 's', 'm', got 'l'"),
        ({"sizes": [1, "x"]}, "sizes must be int, got 'x'"),
        ({"is_fast": 1}, "is_fast must be bool, got 1"),
    ],
)
def test_a_wrong_value_is_refused_in_words(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_mapping(Example, values, where="[example]")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "c"}, "kind must be one of 'a', 'b', got 'c'"),
        ({"kind": None}, "kind must be one of 'a', 'b', got None"),
        ({"size": "l"}, "size must be one of 's', 'm', got 'l'"),
        ({"count": 1.5}, "^count must be int, got 1.5"),
        ({"count": math.nan}, "count must be int, got nan"),
        ({"count": None}, "count must be int, got None"),
        ({"scale": "1"}, "scale must be float, got '1'"),
        ({"scale": math.inf}, "scale must be finite, got inf"),
        ({"timeout_s": -math.inf}, "timeout_s must be finite, got -inf"),
        ({"is_fast": "no"}, "is_fast must be bool, got 'no'"),
        ({"folder": 3}, "folder must be Path, got 3"),
        ({"sizes": "12"}, "sizes must be tuple, got '12'"),
        ({"sizes": (1, "x")}, "sizes must be int, got 'x'"),
    ],
)
def test_what_a_file_is_refused_is_refused_without_a_file_too(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Example(**values)


def test_infinity_is_a_value_where_it_is_the_default() -> None:
    assert Example(patience_s=math.inf).patience_s == math.inf
    with pytest.raises(ValueError, match="patience_s must be finite, got -inf"):
        Example(patience_s=-math.inf)


def test_values_of_the_fields_types_are_taken_as_they_are() -> None:
    example = Example(scale=2, folder=Path("x"), sizes=(3,))
    assert (example.scale, example.folder, example.sizes) == (2, Path("x"), (3,))


def test_none_is_a_choice_where_the_type_says_so() -> None:
    assert Example(size=None).size is None


def test_a_field_tells_what_an_option_and_a_reference_need() -> None:
    fields = {field.name: field for field in setting_fields(Example)}
    assert list(fields) == [field.name for field in dataclasses.fields(Example)]
    timeout = fields["timeout_s"]
    assert (timeout.value_type, timeout.default) == (float, 10.0)
    assert (timeout.help_text, timeout.changes_rows) == ("Seconds to wait.", False)
    assert fields["size"].choices == ("s", "m")
    assert fields["folder"].value_type is Path
    assert fields["folder"].choices == ()
    assert fields["folder"].changes_rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a\n", "not valid TOML"),
        ("count = 1\n", "'count' stands outside a"),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "hgld.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_toml(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read settings"):
        read_toml(tmp_path / "hgld.toml")
