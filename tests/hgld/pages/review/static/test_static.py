import hashlib
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import hgld.pages.review
from hgld.pages.review.acting.wording import percent_of
from hgld.pages.review.serving.pieces import Pieces, SentAnswer
from tests.hgld.pages.review.static.hostile import EVIL, contexts, workbench

HERE = Path(hgld.pages.review.__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
SHEETS = sorted((STATIC / "css").glob("*.css"))
PARTS = sorted(TEMPLATES.rglob("*.html"))
VENDORS = (STATIC / "vendor", Path(__file__).parent / "vendor")
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Elements(HTMLParser):
    """The elements of a page, as a browser would make them, and whether all are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def rendered(name: str, context: dict[str, object], *, read_only: bool = False) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def written(part: str, /, **values: object) -> Markup:
        return Markup(environment.get_template(part).render(**values))  # noqa: S704 - of a template

    pieces = Pieces("1", SentAnswer(), written)
    shared = {"pieces": pieces, "rows": 200, "read_only": read_only, "static": "/static/1"}
    environment.globals |= shared
    return environment.get_template(name).render(**context)


def vendored(folder: Path) -> list[dict[str, str]]:
    files: list[dict[str, str]] = tomllib.loads((folder / "VENDORED.toml").read_text())["file"]
    return files


@pytest.mark.parametrize("folder", VENDORS, ids=("page", "tests"))
def test_what_others_wrote_is_what_they_published(folder: Path) -> None:
    listed = vendored(folder)
    for row in listed:
        digest = hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest()
        assert digest == row["sha256"], row["file"]
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", row["integrity"]), row["file"]
        assert row["licence"] in {"0BSD", "ISC", "MIT", "MPL-2.0"}
    code = {path.name for path in folder.iterdir() if path.suffix in {".js", ".mjs", ".css"}}
    assert code == {row["file"] for row in listed}


def test_each_licence_is_carried_in_full() -> None:
    licences = (STATIC / "vendor/LICENSES.md").read_text(encoding="utf-8")
    for row in vendored(STATIC / "vendor"):
        heading = f"## {row['name']} {row['version']} ({row['licence']})"
        assert heading in licences
        assert len(licences.split(heading)[1].split("\n## ")[0]) > 500, row["name"]
    assert "Mozilla Public License" in (VENDORS[1] / "LICENSE").read_text(encoding="utf-8")


def test_what_is_carried_is_small_and_all_of_it_is_used() -> None:
    page = (TEMPLATES / "page.html").read_text()
    code = "".join(path.read_text() for path in SCRIPTS)
    for row in vendored(STATIC / "vendor"):
        assert (STATIC / "vendor" / row["file"]).stat().st_size < 100_000, row["file"]
        assert row["file"].removesuffix(".js") in page or row["file"] in code, row["file"]
    for name in ("htmx.", "Sortable", "d3.", "uPlot"):
        assert f"window.{name}" in code or f"{{ {name.rstrip('.')} }} = window" in code, name


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.name)
def test_a_template_has_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|\bjs:|hx-on", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "|safe" not in text
    assert "autoescape" not in text


@pytest.mark.parametrize("path", [*PARTS, *SHEETS, *SCRIPTS], ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]|@import|url\(", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_makes_no_code_of_text(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    assert not re.search(r"\beval\(|\bFunction\(|document\.write|insertAdjacentHTML", code)
    # Only what the server wrote, and so escaped, is read as HTML.
    written = re.findall(r"innerHTML = ([^;]+);", code)
    assert set(written) <= {"html", "await response.text()"}, written


def test_scripts_import_only_files_that_are_there() -> None:
    for path in SCRIPTS:
        for name in re.findall(r'from "([^"]+)"', path.read_text(encoding="utf-8")):
            assert name.startswith("."), f"{path.name} imports {name}"
            assert (path.parent / name).resolve().is_file(), f"{path.name} imports {name}"


def test_the_page_names_every_sheet_and_script_by_its_file() -> None:
    pages = ("page.html", "second/page.html", "second/report_page.html")
    html = "".join(rendered(name, contexts()[name]) for name in pages)
    named = set(re.findall(r'(?:src|href)="/static/1/([^"]+)"', html))
    assert all((STATIC / name).is_file() for name in named)
    assert {path.name for path in SHEETS} == {
        Path(name).name for name in named if name.startswith("css/")
    }


def test_htmx_evaluates_nothing_and_adds_no_style() -> None:
    page = (TEMPLATES / "page.html").read_text()
    (config,) = re.findall(r"name=\"htmx-config\" content='([^']+)'", page)
    assert '"includeIndicatorCSS": false' in config
    # What the server swaps in has no attribute that htmx would read.
    assert " hx-ignore " in (TEMPLATES / "bench.html").read_text()


@pytest.mark.parametrize("name", contexts())
def test_texts_are_escaped_wherever_they_stand(name: str) -> None:
    html = rendered(name, contexts()[name])
    found = Elements(html)
    assert found.open == []
    for tag, attributes in found.elements:
        assert tag != "script" or (attributes.get("src") or "").startswith("/static/1/")
        assert not [key for key in attributes if key.startswith("on") or key == "style"], tag
        assert tag != "img" or (attributes["src"] or "").startswith("/picture/")
    assert EVIL not in html
    assert "49" not in html


def test_every_template_is_tried_with_hostile_texts() -> None:
    names = {path.relative_to(TEMPLATES).as_posix() for path in PARTS}
    assert set(contexts()) == {name for name in names if "parts" not in Path(name).parts}


def keys() -> list[str]:
    """Returns the keys of the table that presses and explains them."""
    table = (STATIC / "js/keys/table.js").read_text(encoding="utf-8")
    return [*re.findall(r'key: "([^"]+)"', table), *"123456789"]


def test_every_key_stands_on_a_control() -> None:
    names = ("page.html", "views/map.html", "fills/view.html")
    html = "".join(rendered(name, contexts()[name]) for name in names)
    on_page = {
        attributes["data-key"]
        for _, attributes in Elements(html).elements
        if "data-key" in attributes
    }
    # The likeliest names of the open group: there is one in the example.
    assert set(keys()) - on_page == set("23456789")
    assert on_page <= set(keys())


def test_every_control_with_a_key_shows_it() -> None:
    for name, context in contexts().items():
        html = rendered(name, context)
        for tag, key, inside in re.findall(
            r'<(a|button)[^>]*? data-key="([^"]+)"[^>]*>(.*?)</\1>', html, re.DOTALL
        ):
            shown = re.findall(r"<kbd>([^<]+)</kbd>", inside)
            assert shown == (["Ctrl K"] if key == ":" else [key]), (name, tag, key)


def test_every_dialog_that_a_control_opens_is_known() -> None:
    html = "".join(path.read_text() for path in PARTS)
    main = (STATIC / "js/main.js").read_text(encoding="utf-8")
    openers = main.split("const OPENERS = {")[1].split("};")[0]
    for name in set(re.findall(r'data-open="([a-z]+)"', html)):
        assert f"  {name}: " in openers, name


def test_read_only_shows_nothing_that_would_write() -> None:
    html = rendered("bench.html", {"bench": workbench(read_only=True)}, read_only=True)
    assert "read only" in html
    assert not re.search(r"data-act|data-post|data-tick|type=\"checkbox\"", html)
    assert re.search(r"data-act", rendered("bench.html", {"bench": workbench()}))


def test_an_empty_list_says_what_to_do() -> None:
    nothing = rendered("bench.html", {"bench": replace(workbench(), view=None, groups=())})
    assert "No class matches" in nothing
    assert 'id="h-group"' in nothing


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 class"), (1234567, "1\u202f234\u202f567 classes")]
)
def test_numbers_are_grouped_and_plurals_right(number: int, text: str) -> None:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    marks = environment.get_template("parts/marks.html").module
    assert marks.count(number, "class", "classes") == text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.9499, "94%"), (0.95, "95%"), (0.29, "29%"), (0.999, "99%"), (1.0, "100%")],
)
def test_what_reads_95_percent_is_no_less(share: float, text: str) -> None:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    marks = environment.get_template("parts/marks.html").module
    assert marks.percent(share) == text  # type: ignore[attr-defined]
    assert percent_of(share) == text


@pytest.mark.parametrize("folder", [path for path in HERE.rglob("*") if path.is_dir()], ids=str)
def test_a_folder_stays_small_enough_to_be_read(folder: Path) -> None:
    assert len([path for path in folder.iterdir() if path.name != "__pycache__"]) <= 12
