from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.worlds.commands.readme import ROOT, fenced

_PICTURE = "docs/losses_steps.svg"


def shapes(picture: Path) -> int:
    return len(ElementTree.parse(picture).getroot().findall(".//{*}path"))  # noqa: S314 - our own file


def test_the_examples_run_and_draw_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in fenced(ROOT / "docs/losses.md", "python"):
        exec(example, names)  # noqa: S102 - what a reader would type
    assert shapes(tmp_path / _PICTURE) == shapes(ROOT / _PICTURE) > 10
