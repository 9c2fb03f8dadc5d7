import re
from pathlib import Path

import pytest

import hgld.pages.browse
from hgld.pages.browse.assets import ASSETS, MEDIA_TYPES

HERE = Path(hgld.pages.browse.__file__).parent
TEMPLATES = sorted((HERE / "templates").rglob("*.html"))
OWN = sorted(path for path in (HERE / "static").rglob("*") if path.is_file())


def test_every_file_is_there_and_used_and_no_other_lies_beside_it() -> None:
    assert set(OWN) <= set(ASSETS.values())
    assert all(path.is_file() and path.suffix in MEDIA_TYPES for path in ASSETS.values())
    frames = "".join(path.read_text("utf-8") for path in TEMPLATES)
    for name in ASSETS:
        assert Path(name).stem in frames or name == "vendor/LICENSES.md", name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_inline_script_or_style_and_escapes_all(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+=\"|javascript:|\|\s*safe", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere_and_no_text_becomes_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]|@import|url\(", text)
    assert not re.search(
        r"\beval\(|\bFunction\(|document\.write|insertAdjacentHTML|innerHTML", text
    )
