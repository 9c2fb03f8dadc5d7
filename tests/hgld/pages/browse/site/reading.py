"""A site as a browser without scripts reads it: its files, and what they link to."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_VOID = {"br", "hr", "img", "input", "link", "meta", "rect"}


class PageReader(HTMLParser):
    """What a page links to, loads and is named by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in _VOID:
            self._open.append(tag)
        if found.get("id"):
            self.ids.append(found["id"] or "")
        if tag in {"a", "form"}:
            self.links.append(found.get("href") or found.get("action") or "")
        elif tag in {"img", "script", "link"}:
            self.loaded.append(found.get("src") or found.get("href") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def tree_of(folder: Path) -> dict[str, bytes]:
    """Returns all files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def broken_links(folder: Path) -> list[str]:
    """Returns what pages of a site link to or load that is not there, or is elsewhere."""
    pages = {path: PageReader(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.loaded + [one for one in page.links if not _is_outside(one)]:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            is_inside = target.is_relative_to(folder.resolve())
            if parts.scheme or link.startswith("/") or not is_inside or not target.is_file():
                broken.append(f"{path.relative_to(folder)}: {link}")
            elif parts.fragment and parts.fragment not in pages[_same(target, pages)].ids:
                broken.append(f"{path.relative_to(folder)}: {link} names nothing")
    return broken


def _same(target: Path, pages: dict[Path, PageReader]) -> Path:
    return next(path for path in pages if path.resolve() == target)


def _is_outside(link: str) -> bool:
    return bool(re.match(r"https://(commons\.wikimedia\.org|www\.wikidata\.org)/", link)) or (
        link.startswith(("https://c.example/", "https://creativecommons.org/"))
    )
