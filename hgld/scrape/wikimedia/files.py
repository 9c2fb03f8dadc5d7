"""Commons: the pictures of a category, each with its author and license.

`files_request` asks for the files in a category itself, not in its subcategories, or for one file
by its title. `CommonsFiles` reads only these parts, of which `thumburl` and all of `extmetadata`
may be absent; an empty category has no `query`:

    {"query": {"pages": [{"title": "File:A b.jpg", "imageinfo": [{
        "url": "https://upload.wikimedia.org/.../A_b.jpg",
        "thumburl": "https://upload.wikimedia.org/.../960px-A_b.jpg",
        "descriptionurl": "https://commons.wikimedia.org/wiki/File:A_b.jpg",
        "mime": "image/jpeg",
        "sha1": "f1e2...",
        "extmetadata": {
            "Artist": {"value": "<a href='...'>C. D.</a>"},
            "LicenseShortName": {"value": "CC BY-SA 4.0"},
            "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"}}}]}]}}
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.answers import Facts, entries_of, fields_of, line_of, text_of
from hgld.scrape.wikimedia.commons import answer_pages

# As many as one request may ask about. Their SHA-1, not their names, decides which are taken:
# neighbours by name are often one series.
_FILES = "50"
_WIDTH = "960"  # a standard width of Wikimedia, which serves no others to programs
_MIMES = {f"image/{one}" for one in ("jpeg", "png", "webp", "gif", "tiff", "bmp")}
_TOLD = ("Artist", "LicenseShortName", "LicenseUrl")
_NAME = re.compile(r"[0-9a-f]{40}\.[a-z]+")
_TAG = re.compile("<[^>]*>")


def files_request(titles: Sequence[str]) -> dict[str, str]:
    """Returns the API parameters that ask for the files of one category, or for one file."""
    of_category = {"generator": "categorymembers", "gcmtype": "file", "gcmlimit": _FILES}
    is_file = titles[0].startswith("File:")
    return {
        "formatversion": "2",
        "prop": "imageinfo",
        "iiprop": "url|mime|sha1|extmetadata",
        "iiextmetadatafilter": "|".join(_TOLD),
        "iiurlwidth": _WIDTH,
        "redirects": "1",
        **({"titles": titles[0]} if is_file else {**of_category, "gcmtitle": titles[0]}),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonsFile:
    """A picture on Commons."""

    title: str
    """Without `File:`."""
    name: str
    """The SHA-1 of the original, and the suffix of the thumbnail: a safe name for it."""
    url: str
    """Of the picture, not wider than 960 pixels if Commons can make that."""
    page: str
    """Address of its page."""
    author: str
    """As plain text; empty if Commons does not say."""
    license: str
    """The URL of its text, else its name; empty if Commons does not say."""


class CommonsFiles(Facts[Sequence[CommonsFile]]):
    """The pictures of each category, by SHA-1, from the answers to `files_request`."""

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an answer without files."""
        return "" if answer_pages(answer.answer) else "has no files"

    def add(self, answer: RawAnswer) -> None:
        """Adds the pictures that can be decoded."""
        pages = answer_pages(answer.answer).items()
        found = [
            _file(title, info)
            for title, page in pages
            for info in entries_of(page.get("imageinfo", []), "imageinfo")[:1]
            if info.get("mime") in _MIMES
        ]
        self.update({answer.keys[0]: sorted(found, key=lambda one: one.name)})


def _file(title: str, info: Mapping[str, Any]) -> CommonsFile:
    told = fields_of(info.get("extmetadata", {}), "extmetadata")
    author, terms, address = (
        _plain(text_of(fields_of(told.get(one, {}), one).get("value", ""), one)) for one in _TOLD
    )
    url = line_of(info.get("thumburl") or info.get("url"), "url")
    name = line_of(info.get("sha1"), "sha1") + PurePosixPath(urlsplit(url).path).suffix.lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"sha1 must be 40 hex digits, and the file a picture, got {name[:60]!a}")
    return CommonsFile(
        title=title.removeprefix("File:"),
        name=name,
        url=url,
        page=line_of(info.get("descriptionurl"), "descriptionurl"),
        author=author,
        license=address or terms,
    )


def _plain(markup: str) -> str:
    """Returns the text of HTML, on one line.

    Example:
        >>> _plain('<a href="//x">A &amp; B</a>')
        'A & B'
    """
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())
