"""A made-up Commons and Wikidata as large as GLDv2's part of them, for a rehearsal of the scrape.

Of 1,000 landmarks' categories 20 are soft redirects, 10 each are hard redirects, gone, without an
item, without a class, and stand for a topic of their own; 5 items were merged, and one category
redirects to itself. The others have an item with one class or two. A class has many landmarks or
few, as in GLDv2.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

_CLASS_COUNT = 3_500
_GROUP_COUNT = 200

_ITEM, _TOPIC, _MERGED, _OTHER = 1_000_000, 2_000_000, 3_000_000, 4_000_000
_CLASS, _GROUP = 10_000_000, 20_000_000
_CATEGORY_ITEM = 4_167_836
_NAMES = (
    "Church of Saint {}",
    "Château n° {}",
    "第{}番札所の寺",
    "Замок {}",
    "O'Hara & Sons' tower {}",
    "Brücke {} (Köln), west side",
    "قلعة {}",
)
# By the last digits of a landmark's number; all others are plain.
_KINDS = (
    (1000, 8, "loop"),
    (200, 7, "merged"),
    (100, 1, "gone"),
    (50, 2, "soft"),
    (100, 3, "hard"),
    (100, 4, "no item"),
    (100, 5, "no class"),
    (100, 6, "topic"),
)
_KINDS_LATER = ((1000, 20, "another item"), (1000, 30, "gone"))
_WD = "http://www.wikidata.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """One landmark, and all that is true of it in the made-up world.

    In the `later` world of every 1,000 landmarks one has another item, and one category is gone.
    """

    number: int
    later: bool = False

    @property
    def kind(self) -> str:
        """What becomes of its category."""
        kinds = (*_KINDS_LATER, *_KINDS) if self.later else _KINDS
        return next((kind for every, at, kind in kinds if self.number % every == at), "plain")

    @property
    def title(self) -> str:
        """Of the category that GLDv2 names."""
        return f"Category:{_NAMES[self.number % len(_NAMES)].format(self.number)}"

    @property
    def page_title(self) -> str:
        """Of the page where it ends, where there is one."""
        return f"{self.title} (moved)" if self.kind in {"soft", "hard"} else self.title

    @property
    def url(self) -> str:
        """As GLDv2 writes it."""
        name = quote(self.title.replace(" ", "_"), safe=";:@$!*(),/~'")
        return f"http://commons.wikimedia.org/wiki/{name}"

    @property
    def status(self) -> str:
        """What the scrape must say of it."""
        statuses = {
            "gone": "no_page",
            "loop": "redirect_loop",
            "no item": "no_item",
            "no class": "no_p31",
        }
        return statuses.get(self.kind, "ok")

    @property
    def page_item(self) -> str:
        """The item that its page names, or an empty string."""
        if self.kind in {"gone", "loop", "no item"}:
            return ""
        return f"Q{(_OTHER if self.kind == 'another item' else _ITEM) + self.number}"

    @property
    def item(self) -> str:
        """The item of the landmark itself, after main topic and merges; or an empty string."""
        base = {"topic": _TOPIC, "merged": _MERGED}.get(self.kind)
        return self.page_item if base is None else f"Q{base + self.number}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Q-ids of its classes, in the order of their numbers."""
        if self.status != "ok":
            return ()
        rng = random.Random(self.item)  # noqa: S311 - a made-up world
        count = 2 if self.number % 10 == 0 else 1
        numbers = {int(_CLASS_COUNT * rng.random() ** 3) for _ in range(count)}
        return tuple(f"Q{_CLASS + number}" for number in sorted(numbers))

    def triples(self) -> Iterator[str]:
        """Yields the facts of its items, as lines of N-Triples."""
        if not self.page_item:
            return
        if self.kind == "merged":
            yield _triple(self.page_item, "<http://www.w3.org/2002/07/owl#sameAs>", self.item)
        if self.kind == "topic":
            yield from _statement(self.page_item, "P31", f"Q{_CATEGORY_ITEM}", 0)
            yield from _statement(self.page_item, "P301", self.item, 1)
        for number, class_qid in enumerate(self.classes):
            yield from _statement(self.item, "P31", class_qid, number)


def class_triples() -> Iterator[str]:
    """Yields the facts of the classes and of the groups above them, as lines of N-Triples."""
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    for number in range(_CLASS_COUNT):
        class_qid = f"Q{_CLASS + number}"
        yield f'<{_WD}/entity/{class_qid}> {label} "kind {number}"@en .\n'
        yield from _statement(class_qid, "P279", f"Q{_GROUP + number % _GROUP_COUNT}", 0)
    for number in range(_GROUP_COUNT):
        yield f'<{_WD}/entity/Q{_GROUP + number}> {label} "group {number}"@en .\n'


def _statement(item: str, prop: str, value: str, number: int) -> Iterator[str]:
    node = f"<{_WD}/entity/statement/{item}-{prop}-{number}>"
    yield _triple(item, f"<{_WD}/prop/direct/{prop}>", value)
    yield f"<{_WD}/entity/{item}> <{_WD}/prop/{prop}> {node} .\n"
    yield f"{node} <{_WD}/prop/statement/{prop}> <{_WD}/entity/{value}> .\n"
    yield f"{node} <http://wikiba.se/ontology#rank> <http://wikiba.se/ontology#NormalRank> .\n"


def _triple(item: str, predicate: str, other: str) -> str:
    return f"<{_WD}/entity/{item}> {predicate} <{_WD}/entity/{other}> .\n"
