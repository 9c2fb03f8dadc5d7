"""Pages as a browser without scripts reads them."""

from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "rect", "source", "wbr"}


class PageReader(HTMLParser):
    """What a page says, links to, loads and is named by; one that is not well-formed fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        assert len(found) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, found))
        if found.get("id"):
            self.ids.append(found["id"])
        if tag in {"a", "form"}:
            self.links.append(found.get("href") or found.get("action", ""))
        elif tag in {"img", "script", "link"}:
            self.loaded.append(found.get("src") or found.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += "" if {"script", "style"} & {*self._open} else data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def values(self, tag: str, attribute: str) -> list[str | None]:
        return [attrs.get(attribute) for name, attrs in self.tags if name == tag]
