"""The site of the docs, as `make docs` writes it: links, reference, search and looks."""

import inspect
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import hgld
import hgld.errors
from hgld.flows.cli.commands import app
from tests.servers.conftest import make
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, NARROW
from tests.worlds.commands.readme import ROOT
from tests.worlds.commands.typed import run
from tests.worlds.pages.reading import PageReader
from tests.worlds.watch import Watch

FIRST = Path("docs/index.html")
SEEN = ("index", "tutorial", "notebook", "columns", "metrics", "cli", "api")
"""Pages of each kind: pictures, commands, cells, wide tables, long lines, signatures."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning: of a link, a docstring, or a page that nothing leads to."""
    folder = tmp_path_factory.mktemp("made") / "site"
    printed = run(make("docs", f"SITE={folder}"), ROOT)
    assert f"{folder}/index.html" in printed.splitlines()  # `make` may say where it is
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, PageReader]:
    """Every page of the site, read."""
    found = sorted(path for path in site.rglob("*.html") if "_downloads" not in path.parts)
    return {path: PageReader(path.read_text(encoding="utf-8")) for path in found}


def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, PageReader]) -> None:
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            scheme, host, place, _, anchor = urlsplit(link)
            target = (path.parent / unquote(place)).resolve() if place else path
            if scheme or host:
                is_right = scheme in {"http", "https"} and "." in host and " " not in link
            else:
                is_right = target.is_file()
                if anchor and target in pages:
                    is_right = unquote(anchor) in pages[target].ids
            if link and not is_right:
                wrong.append((path.name, link))
    assert wrong == []


def test_whatever_a_page_loads_lies_beside_it(pages: dict[Path, PageReader]) -> None:
    loaded = {
        (path, urlsplit(one).path if not urlsplit(one).scheme else one)
        for path, page in pages.items()
        for one in page.loaded
        if one and not one.startswith("data:")
    }
    assert len({one for _, one in loaded}) > 5
    assert [one for path, one in loaded if not (path.parent / unquote(one)).exists()] == []


def test_every_public_name_is_in_the_reference(site: Path, pages: dict[Path, PageReader]) -> None:
    ids = set(pages[site / "docs/api.html"].ids)
    missing = []
    for module in (hgld, hgld.losses, hgld.metrics, hgld.errors):
        names = getattr(module, "__all__", None) or [
            name for name in vars(module) if name.endswith("Error")
        ]
        for name in names:
            one = getattr(module, name)
            if inspect.ismodule(one) or name.startswith("__") or isinstance(one, str):
                continue
            places = {f"{module.__name__}.{name}", f"{one.__module__}.{name}"} & ids
            methods = (
                [m for m in vars(one) if not m.startswith("_")] if inspect.isclass(one) else []
            )
            wanted = [m for m in methods if callable(getattr(one, m))]
            missing += [] if places else [f"{module.__name__}.{name}"]
            missing += [f"{at}.{m}" for at in places for m in wanted if f"{at}.{m}" not in ids]
    assert missing == []


def test_every_command_and_option_is_in_the_reference(
    site: Path, pages: dict[Path, PageReader]
) -> None:
    page = pages[site / "docs/cli.html"]
    assert [name for name in app.commands if f"hgld-{name}" not in page.ids] == []
    of_many = page.text.partition("Options of many commands")[2].partition("Usage: hgld ")[0]
    shared = dict(re.findall(r"^\W*(--\w+): (.+)$", of_many, re.MULTILINE))
    for name, command in app.commands.items():
        told = page.text.partition(f"Usage: hgld {name} ")[2].partition("Usage: hgld ")[0]
        told += " ".join(one for one, names in shared.items() if name in names.split(", "))
        params = [*command.params, *getattr(command, "setting_options", ())]
        options = {one for found in params for one in found.opts if one.startswith("--")}
        assert options - {*re.findall(r"--[\w-]+", told)} == set(), name


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_pages_fit_the_window_and_follow_its_scheme(
    site: Path, opener: Opener, size: dict[str, int], scheme: str
) -> None:
    view = opener("about:blank", viewport=size, color_scheme=scheme)
    too_wide = []
    for name in SEEN:
        view.goto((site / f"docs/{name}.html").as_uri())
        view.wait_for_selector("h1")
        if view.evaluate("() => { scrollTo(999, 0); return scrollX; }"):
            too_wide.append(name)
    assert too_wide == []
    # rgb(r, g, b)
    colour = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ("255" in colour) == (scheme == "light")


def test_the_search_works_from_files(site: Path, opener: Opener, watch: Watch) -> None:
    watch.forgiven = ("fetch", "Fetch")  # a server gives the words around what is found too
    view = opener((site / "index.html").as_uri(), viewport=NARROW)
    view.wait_for_url(f"**/{FIRST}")
    view.goto((site / "search.html").as_uri() + "?q=Retry-After")
    view.wait_for_selector("#search-results li a")
    found = view.eval_on_selector_all("#search-results li a", "all => all.map(one => one.href)")
    assert any("docs/scrape.html" in one or "docs/images.html" in one for one in found)
