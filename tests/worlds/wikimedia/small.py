"""A small Wikimedia for tests, behind a loopback server that can misbehave (see `faults`)."""

import contextlib
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import pytest

from tests.worlds.wikimedia.engine import answered
from tests.worlds.wikimedia.faults import Fault, listening, reply, send

# One landmark for each way a category can end, and the statement facts behind them.
PAGES: dict[str, dict[str, Any]] = {
    "Category:Tower": {"pageprops": {"wikibase_item": "Q1"}},
    "Category:Castle": {"pageprops": {"wikibase_item": "Q2"}},
    "Category:Soft": {"soft": "{{Category redirect|1=Castle}}"},
    "Category:Loop A": {"soft": "{{Category redirect|Loop B}}"},
    "Category:Loop B": {"soft": "{{Category redirect|Loop A}}"},
    "Category:Bare": {},
    "Category:Merged": {"pageprops": {"wikibase_item": "Q30"}},
    "Category:Topic": {"pageprops": {"wikibase_item": "Q40"}},
    "Category:Unknown value": {"pageprops": {"wikibase_item": "Q5"}},
    "Category:Café & Bar": {"pageprops": {"wikibase_item": "Q6"}},
    "Category:Ranks": {"pageprops": {"wikibase_item": "Q7"}},
}
# Title to the categories that its page is in. Two lie in each other, and one in itself.
PARENTS: dict[str, list[str]] = {
    "Category:Bare": ["Churches in Bergamo", "Bergamo", "Pages with maps"],
    "Category:Unknown value": ["Ring X", "Old churches"],
    "Category:Tower": ["Towers in Bergamo"],
    "Category:Castle": [],
    "Category:Ranks": ["Churches in Bergamo"],
    "Category:Churches in Bergamo": ["Churches in Lombardy", "Bergamo", "Buildings in Bergamo"],
    "Category:Towers in Bergamo": ["Buildings in Bergamo", "Pages with maps"],
    "Category:Churches in Lombardy": ["Churches in Italy"],
    "Category:Ring X": ["Ring Y", "Ring X"],
    "Category:Ring Y": ["Ring X", "Unknown value"],
    "Category:Pages with maps": [],
}
HIDDEN = {"Pages with maps"}
FOUND_PARENTS: dict[str, tuple[list[str], list[str]]] = {
    "Category:Bare": (
        ["Bergamo", "Churches in Bergamo"],
        ["Buildings in Bergamo", "Churches in Lombardy"],
    ),
    "Category:Café & Bar": ([], []),
    "Category:Castle": ([], []),
    "Category:Merged": ([], []),
    "Category:Ranks": (
        ["Churches in Bergamo"],
        ["Bergamo", "Buildings in Bergamo", "Churches in Lombardy"],
    ),
    "Category:Topic": ([], []),
    "Category:Tower": (["Towers in Bergamo"], ["Buildings in Bergamo"]),
    # `Old churches` redirects to those in Lombardy.
    "Category:Unknown value": (["Old churches", "Ring X"], ["Churches in Italy", "Ring Y"]),
}
"""What must be found of it for the landmarks of `CATEGORIES_CSV`: parents and grandparents."""

FILES: dict[str, list[str]] = {}
"""Title of a category to the names of its files."""
PICTURES: dict[str, bytes] = {}
"""Name to content of the files that are there."""

REDIRECTS = {
    "Category:Old churches": "Category:Churches in Lombardy",
    "Category:Hard": "Category:Twice hard",
    "Category:Twice hard": "Category:Tower",
    "Category:Ring A": "Category:Ring B",
    "Category:Ring B": "Category:Ring A",
}
# What the log says of pages that are not there, newest event first.
LOGS: dict[str, list[dict[str, Any]]] = {
    "Category:Moved": [
        {"type": "delete", "action": "delete", "params": {}},
        {"type": "move", "action": "move", "params": {"target_title": "Category:Castle"}},
    ],
    "Category:Deleted": [{"type": "delete", "action": "delete", "params": {}}],
}
FACTS = {
    "Q1": "P31:Q102 P31:Q101 P131:Q302 P149:Q305 P571:1357-01-01T00:00:00Z@9"
    " P625:45.7@9.6 P625:45.7042@9.6627@0.0001 P17:Q306!",
    "Q2": "P31:Q103",
    "Q3": "P31:Q101",
    "Q40": "P31:Q4167836 P301:Q4",
    "Q4": "P31:Q104",
    "Q5": "P31:some",
    "Q6": "P31:Q105",
    "Q7": "P31:Q101 P31:Q103+ P31:Q102-",
    "Q30": "=Q3",
    "Q101": "P1282:Key:tower P1282:Tag:man_made=tower+ P1709:urn:x-odd:tower P8814:00001740-n"
    " P1709:http://dbpedia.org/ontology/Tower P1709:https://schema.org/Wrong-",
    "Q102": "P1282:Tag:hidden=yes P1282:some+",
    "Q103": "P279:Q201 P1282:Tag:historic=castle",
    "Q105": "P1709:some P8814:00001740-n",
    "Q201": "P279:Q202",
    "Q301": "P17:Q301 P30:Q304",
    "Q302": "P131:Q303",
    "Q303": "P131:Q301 P17:Q301",
}
"""What Wikidata says of items and classes, as `triples_of` reads it."""

EVIDENCE = [
    ("Q101", "P1282", "Tag:man_made=tower"),
    ("Q101", "P1709", "http://dbpedia.org/ontology/Tower"),
    ("Q101", "P1709", "urn:x-odd:tower"),
    ("Q101", "P8814", "00001740-n"),
    ("Q103", "P1282", "Tag:historic=castle"),
    ("Q105", "P8814", "00001740-n"),
]
"""What the scrape must find of it: Q102's best tag is unknown, and of Q104 there is nothing."""
LABELS = {
    "Q101": {"en": "tower", "mul": "TOWER"},
    "Q102": {"mul": "Turm"},
    "Q103": {"en": "castle"},
    "Q104": {"de": "Brücke"},
    "Q105": {"en": "neighborhood in Utrecht (university"},
    "Q201": {"en": "fortification"},
    "Q202": {"en": "structure"},
    "Q301": {"en": "Italy"},
    "Q302": {"en": "Bergamo"},
    "Q303": {"mul": "Lombardia"},
    "Q304": {"en": "Europe"},
}

CATEGORIES_CSV = """landmark_id,category
1,http://commons.wikimedia.org/wiki/Category:Tower
2,http://commons.wikimedia.org/wiki/Category:Hard
3,http://commons.wikimedia.org/wiki/Category:Soft
4,http://commons.wikimedia.org/wiki/Category:Loop_A
5,http://commons.wikimedia.org/wiki/Category:Bare
6,http://commons.wikimedia.org/wiki/Category:Merged
7,http://commons.wikimedia.org/wiki/Category:Topic
8,http://commons.wikimedia.org/wiki/Category:Unknown_value
9,http://commons.wikimedia.org/wiki/Category:Caf%C3%A9_%26_Bar
10,http://commons.wikimedia.org/wiki/Category:Ranks
11,http://commons.wikimedia.org/wiki/Category:Nowhere
12,http://commons.wikimedia.org/wiki/Category:Bad[title
13,https://commons.wikimedia.org/wiki/Category:Tower
14,http://commons.wikimedia.org/wiki/Category:Ring_A
15,http://commons.wikimedia.org/wiki/Category:%FF
"""
"""Fifteen landmarks: each status but `failed`, and each way to get there."""


@dataclass(slots=True)
class Server:
    """A running server: what was asked of it, and how it is to misbehave."""

    base: str
    hits: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(service, form) of each request, in order."""
    faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    """(service, n) to what the n-th request to it meets, from 0."""
    always: dict[str, Fault] = field(default_factory=dict)
    """Service to what every request to it meets."""
    fired: list[str] = field(default_factory=list)
    """The service of each fault that happened."""
    refuses: Callable[[str, str], bool] | None = None
    """(service, text) to whether a request is refused."""
    refusal: Fault = field(default_factory=lambda: reply(400, b"malformed query"))
    spoils: Callable[[str, str], str] = lambda _, text: text
    """(service, JSON text of the answer) to what is sent instead."""
    before: Callable[[str], None] = lambda _: None
    """Called with the service before each answer."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def commons(self) -> str:
        return f"{self.base}/w/"

    @property
    def sparql(self) -> str:
        return f"{self.base}/query"

    def count(self, service: str) -> int:
        return sum(1 for name, _ in self.hits if name == service)

    def take(self, service: str, form: dict[str, str]) -> Fault | None:
        """Counts a request, and returns what it meets instead of an answer."""
        with self.lock:
            number = self.count(service)
            self.hits.append((service, form))
            text = form.get("titles") or form.get("query") or ""
            fault = self.faults.get((service, number)) or self.always.get(service)
            if fault is None and self.refuses is not None and self.refuses(service, text):
                fault = self.refusal
            if fault is not None:
                self.fired.append(service)
            return fault


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serves the small world on loopback: MediaWiki's API at /w/api.php, SPARQL at /query."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", 0))
        sent = parse_qs(request.rfile.read(length).decode())
        form = {name: "".join(values) for name, values in sent.items()}
        for name in ("User-Agent", "Accept-Encoding", "Authorization", "Cookie", "Host"):
            form[name.lower()] = request.headers.get(name, "")
        service = {"w": "commons", "files": "files"}.get(request.path.split("/")[1], "sparql")
        fault = state.take(service, form)
        if fault is not None:
            fault(request)
            return
        state.before(service)
        if service == "files":
            content = PICTURES.get(unquote(request.path.rpartition("/")[2]))
            (reply(404, b"") if content is None else send(content))(request)
            return
        found = answer_commons(form) if service == "commons" else answer_sparql(form["query"])
        text = json.dumps(found)
        spoilt = state.spoils(service, text)
        if spoilt != text:
            state.fired.append(service)
        reply(200, spoilt.encode("utf-8", "surrogateescape"))(request)

    with listening(answer, tls) as server:
        scheme = "http" if tls is None else "https"
        state = Server(base=f"{scheme}://127.0.0.1:{server.server_port}")
        yield state


def answer_commons(form: Mapping[str, str]) -> dict[str, Any]:
    """Answers as MediaWiki does, formatversion 2."""
    if "letitle" in form:
        return {"batchcomplete": True, "query": {"logevents": LOGS.get(form["letitle"], [])}}
    if form["prop"] == "imageinfo":
        return _answer_files(form)
    query: dict[str, Any] = {"pages": []}
    ends: dict[str, None] = {}
    for title in form["titles"].split("|"):
        seen: set[str] = set()
        end = title
        while end in REDIRECTS and end not in seen and "redirects" in form:
            seen.add(end)
            entry = {"from": end, "to": REDIRECTS[end]}
            if entry not in query.setdefault("redirects", []):
                query["redirects"].append(entry)
            end = REDIRECTS[end]
        if end not in seen:
            ends[end] = None
    if form.get("clshow") == "!hidden":
        return _answer_parents(query, list(ends))
    query["pages"] += [_page(number, title, form) for number, title in enumerate(ends)]
    return {"batchcomplete": True, "query": query}


def _answer_files(form: Mapping[str, str]) -> dict[str, Any]:
    """Answers with one file, or with some of the files of a category, which never ends."""
    if "titles" in form:
        names, more = [form["titles"].removeprefix("File:")], {}
    else:
        names = FILES.get(form["gcmtitle"], [])
        more = {"continue": {"gcmcontinue": "file|", "continue": "gcmcontinue||"}} if names else {}
    pages = [
        {"ns": 6, "title": f"File:{name}", "imageinfo": [_info(name, form["host"])]}
        for name in names
    ]
    # As MediaWiki: no `query` without pages.
    return {"batchcomplete": True, **more, **({"query": {"pages": pages}} if pages else {})}


def sha1_of(name: str) -> str:
    """Returns what the server says is the SHA-1 of a file."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def _info(name: str, host: str) -> dict[str, Any]:
    author = f"<a href='//x'>Painter of</a> {name.partition('.')[0]}"
    return {
        "thumburl": f"http://{host}/files/{quote(name)}",
        "descriptionurl": f"http://{host}/wiki/File:{quote(name)}",
        "mime": "image/svg+xml" if name.endswith(".svg") else "image/jpeg",
        "sha1": sha1_of(name),
        "extmetadata": {
            "Artist": {"value": author},
            "LicenseShortName": {"value": "CC BY-SA 4.0"},
        },
    }


def _answer_parents(query: dict[str, Any], titles: list[str]) -> dict[str, Any]:
    """Answers with the categories that pages are in."""
    for number, title in enumerate(titles):
        page: dict[str, Any] = {"ns": 14, "title": title}
        if title not in PAGES and title not in PARENTS:
            query["pages"].append({**page, "missing": True})
            continue
        names = [name for name in PARENTS.get(title, ()) if name not in HIDDEN]
        if names:
            page["categories"] = [{"ns": 14, "title": f"Category:{name}"} for name in names]
        revisions = [{"revid": number + 1, "parentid": 0}]
        query["pages"].append({"pageid": number + 1, "revisions": revisions, **page})
    return {"batchcomplete": True, "query": query}


def _page(number: int, title: str, form: Mapping[str, str]) -> dict[str, Any]:
    if "[" in title:
        return {"title": title, "invalid": True, "invalidreason": "has a ["}
    if title not in PAGES:
        return {"ns": 14, "title": title, "missing": True}
    facts = PAGES[title]
    revision: dict[str, Any] = {"revid": 1000 + sorted(PAGES).index(title), "parentid": 0}
    page: dict[str, Any] = {"pageid": number + 1, "ns": 14, "title": title, "revisions": [revision]}
    if "content" in form["rvprop"]:
        text = facts.get("soft", "{{Wikidata Infobox}}")
        revision["slots"] = {"main": {"contentmodel": "wikitext", "content": text}}
        return page
    if "soft" in facts:
        page["categories"] = [{"ns": 14, "title": "Category:Category redirects"}]
    return page | {key: value for key, value in facts.items() if key == "pageprops"}


def answer_sparql(query: str) -> dict[str, Any]:
    """Answers as a SPARQL engine does."""
    return answered(query, FACTS, LABELS)


@contextlib.contextmanager
def edited() -> Iterator[None]:
    """Edits a landmark for each way to change, and the label of a class."""
    facts = {**FACTS, "Q1": "P31:Q101+ P31:Q102", "Q5": "P31:Q105 P31:Q99", "Q31": FACTS["Q3"]}
    pages = dict(PAGES)
    del pages["Category:Café & Bar"]
    pages["Category:Bare"] = {"pageprops": {"wikibase_item": "Q999"}}
    pages["Category:Merged"] = {"pageprops": {"wikibase_item": "Q31"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.FACTS", facts)
        patch.setattr(f"{__name__}.LABELS", {**LABELS, "Q103": {"en": "castle | keep"}})
        patch.setattr(f"{__name__}.PAGES", pages)
        yield
