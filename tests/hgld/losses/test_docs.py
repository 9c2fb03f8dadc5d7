import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_PICTURE = "docs/losses_steps.svg"


def shapes(picture: Path) -> int:
    return len(ElementTree.parse(picture).getroot().findall(".//{*}path"))  # noqa: S314 - our own file


def test_the_examples_run_and_draw_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (_ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in examples:
        exec(example, names)  # noqa: S102 - what a reader would type
    assert shapes(tmp_path / _PICTURE) == shapes(_ROOT / _PICTURE) > 10
