"""Items: merges, main topics, ranks, unknown values, labels, and what classes are called elsewhere.

The right classes and values are those that `wdt:` has in Wikidata's RDF.
"""

from collections.abc import Iterator
from urllib.parse import quote, unquote

from tests.worlds.second_lab.files import Trap, cells_of, landed

LABELS = {
    "Q20": {"en": "castle", "mul": "Burg", "de": "Burg"},
    "Q21": {"mul": "Kastell"},
    "Q22": {"de": "Nur auf Deutsch", "en-gb": "only in British English"},
    "Q23": {"en": 'odd <b>"label"</b> \\ | =1+1, \u202eabc\u202c \U0001f3f0 e\u0301'},
    "Q24": {"en": "castle"},
    "Q100000000123": {"en": "a late class"},
    "Q9": {"en": "an early class"},
    "Q931": {"en": "what two were merged into"},
    "Q4167836": {"en": "Wikimedia category"},
}
"""Class to language to label. Q25 has none, and Q930 and Q932 are redirects."""

_CATEGORY = "P31:Q4167836"

# Name | Q-ids and what is said of each, the page's item first | the landmark's item | its classes
_ITEMS = """
merged twice | Q2000 =Q2001; Q2001 =Q2002; Q2002 P31:Q20 | Q2002 | Q20
merged into a category | Q2010 =Q2011; Q2011 CATEGORY P301:Q2012; Q2012 P31:Q20 | Q2012 | Q20
merged into an item that is lost | Q2015 =Q2016 | Q2016 |
lost | | Q2017 |
a late number | Q9999999999 P31:Q20 | Q9999999999 | Q20
topic merged | Q2020 CATEGORY P301:Q2021; Q2021 =Q2022; Q2022 P31:Q20 | Q2022 | Q20
topic preferred | Q2030 CATEGORY P301:Q2031 P301:Q2032+; Q2031 P31:Q9; Q2032 P31:Q20 | Q2032 | Q20
topic normal | Q2035 CATEGORY P301:Q2036- P301:Q2037; Q2036 P31:Q9; Q2037 P31:Q20 | Q2037 | Q20
several topics | Q2038 CATEGORY P301:Q20391 P301:Q2039; Q2039 P31:Q20; Q20391 P31:Q9 | Q2039 | Q20
topic deprecated | Q2040 CATEGORY P301:Q2041-; Q2041 P31:Q20 | Q2040 |
topic unknown | Q2043 CATEGORY P301:some | Q2043 |
topic preferred unknown | Q2045 CATEGORY P301:Q2046 P301:some+; Q2046 P31:Q20 | Q2045 |
topic: no value | Q2048 CATEGORY P301:no | Q2048 |
topic with no class | Q2050 CATEGORY P301:Q2051; Q2051 P279:Q20 | Q2051 |
topic lost | Q2056 CATEGORY P301:Q2057 | Q2057 |
topic is itself | Q2058 CATEGORY P301:Q2058 | Q2058 |
topic of each other | Q2062 CATEGORY P301:Q2063; Q2063 CATEGORY P301:Q2062 | Q2063 |
topic that has another page too | Q2060 CATEGORY P301:Q2061; Q2061 P31:Q20 P301:Q2060 | Q2061 | Q20
category preferred beside a class | Q2065 CATEGORY+ P31:Q20 P301:Q2066; Q2066 P31:Q9 | Q2066 | Q9
category among other classes | Q2068 P31:Q20 CATEGORY P301:Q2069; Q2069 P31:Q9 | Q2069 | Q9
category deprecated | Q2070 CATEGORY- P31:Q20 P301:Q2071; Q2071 P31:Q9 | Q2070 | Q20
a topic, and no category | Q2073 P31:Q20 P301:Q2074; Q2074 P31:Q9 | Q2073 | Q20
preferred twice | Q2100 P31:Q20+ P31:Q23 P31:Q9+ | Q2100 | Q9 Q20
all deprecated | Q2101 P31:Q20- P31:Q9- | Q2101 |
deprecated beside normal | Q2102 P31:Q20- P31:Q9 | Q2102 | Q9
deprecated and preferred | Q2103 P31:Q20- P31:Q9+ | Q2103 | Q9
preferred unknown beside normal | Q2104 P31:some+ P31:Q20 | Q2104 |
preferred unknown beside preferred | Q2105 P31:some+ P31:Q20+ | Q2105 | Q20
unknown beside normal | Q2106 P31:some P31:Q20 | Q2106 | Q20
unknown beside preferred | Q2107 P31:some P31:Q20+ | Q2107 | Q20
unknown twice | Q2109 P31:some P31:some | Q2109 |
no value | Q2110 P31:no | Q2110 |
preferred no value beside normal | Q2111 P31:no+ P31:Q20 | Q2111 |
no statement | Q2113 P279:Q20 | Q2113 |
one class twice | Q2114 P31:Q20 P31:Q20 | Q2114 | Q20
one class in two ranks | Q2115 P31:Q20 P31:Q20+ | Q2115 | Q20
classes out of order | Q2117 P31:Q100000000123 P31:Q20 P31:Q9 | Q2117 | Q9 Q20 Q100000000123
a class of itself | Q2118 P31:Q2118 | Q2118 | Q2118
class merged twice | Q2121 P31:Q932; Q932 =Q930; Q930 =Q931 | Q2121 | Q931
classes merged into one | Q2122 P31:Q931 P31:Q930 P31:Q932; Q932 =Q930; Q930 =Q931 | Q2122 | Q931
class lost | Q2123 P31:Q25 | Q2123 | Q25
label in mul | Q2124 P31:Q21 | Q2124 | Q21
label in other languages | Q2125 P31:Q22 | Q2125 | Q22
label with odd characters | Q2126 P31:Q23 | Q2126 | Q23
two classes with one label | Q2127 P31:Q20 P31:Q24 | Q2127 | Q20 Q24
"""


def item_traps() -> Iterator[Trap]:
    for number, (name, told, qid, classes) in enumerate(cells_of(_ITEMS), start=1):
        title, facts = f"Category:Item {number}", _facts_of(told.replace("CATEGORY", _CATEGORY))
        status, items = "ok" if classes else "no_p31", {title: next(iter(facts), qid)}
        ends = {"status": status, "classes": tuple(classes.split())}
        yield landed(f"item: {name}", title, qid, items=items, facts=facts, **ends)


def _facts_of(told: str) -> dict[str, str]:
    """Returns Q-id to what is said of it."""
    parts = (part.strip().partition(" ") for part in told.split(";") if part.strip())
    return {qid: facts for qid, _, facts in parts}


_TEXT = quote('Tag:a="b c" \\ | =1+1, <i>\u202eabc\u202c \U0001f3f0 e\u0301')
_URL, _ENTITY = "http://dbpedia.org/ontology/Castle", "http://www.wikidata.org/entity/Q20"
_ODD_URL = "http://example.org/%C3%A9/\u00e9?a=b&c='d'#e,f(g)"
_UNKNOWN = "http://www.wikidata.org/.well-known/genid/0a"

# Name | classes and what is said of each, the landmark's first | what must be found of the last
_CLASSES = f"""
none | Q600 |
several | Q601 P1282:Tag:a P1282:Key:b P8814:00001740-n P1709:{_URL} P1709:urn:x |
    P1282:Key:b P1282:Tag:a P1709:{_URL} P1709:urn:x P8814:00001740-n
preferred beside normal | Q602 P1282:Tag:a+ P1282:Key:b P1709:{_URL} | P1282:Tag:a P1709:{_URL}
all deprecated | Q604 P1282:Tag:a- P1709:{_URL}- P8814:00001740-n- |
unknown | Q605 P1282:some P1709:some P8814:some |
preferred unknown beside normal | Q606 P1709:{_URL} P1709:some+ |
unknown beside normal | Q607 P1709:{_URL} P1709:some | P1709:{_URL}
preferred no value beside normal | Q609 P1282:Tag:a P1282:no+ |
one value in two ranks | Q611 P1282:Tag:a P1282:Tag:a+ | P1282:Tag:a
odd text | Q612 P1282:{_TEXT} | P1282:{_TEXT}
text that looks like a Q-id | Q613 P8814:Q{1 << 70} | P8814:Q{1 << 70}
no http URL | Q615 P1709:ftp://x/a P1709:mailto:a@x | P1709:ftp://x/a P1709:mailto:a@x
odd URL | Q616 P1709:{_ODD_URL} | P1709:{_ODD_URL}
URL of an entity | Q617 P1709:{_ENTITY} | P1709:{_ENTITY}
unknown as a URI | Q618 P1709:{_UNKNOWN} P1282:some |
class merged | Q619 =Q620; Q620 P1282:Tag:a | P1282:Tag:a
""".replace("|\n    ", "| ")


def evidence_traps() -> Iterator[Trap]:
    """One landmark each, of a class of its own, which is the last that the facts tell of."""
    for number, (name, told, _) in enumerate(cells_of(_CLASSES), start=1):
        qid, facts = f"Q{7000 + number}", _facts_of(told)
        facts = {qid: f"P31:{next(iter(facts))}", **facts}
        classes = ([*facts][-1],)
        yield landed(
            f"evidence: {name}", f"Category:Evidence {number}", qid, classes=classes, facts=facts
        )


def evidence_key() -> set[tuple[str, str, str]]:
    """Returns the class, property and value of every row."""
    key = set()
    for _, told, found in cells_of(_CLASSES):
        for pair in found.split():
            prop, _, value = pair.partition(":")
            text = value if prop == "P1709" else unquote(value)
            key.add((list(_facts_of(told))[-1], prop, text))
    return key
